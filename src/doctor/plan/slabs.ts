/** What the kernel holds for an idle socket: how much its slabs grow when many are opened. */
import { readFileSync } from "node:fs";
import { median } from "./measured.js";

/** The first batch uses what the kernel has left of others' sockets; those behind it have to have new memory. */
const BATCHES = 10;
/** Fewer in a batch say nothing: memory of the kernel comes in slabs of 32 KiB. */
const SOCKETS_MIN = 100;
/** Opening all of them takes less on any machine. */
const MEMORY_MS = 400;

/** What other programs take and give back meanwhile is more than this says, or less. */
const SOCKET_BYTES_MIN = 1_500;
const SOCKET_BYTES_MAX = 16_384;

/** Opens up to so many sockets, as many as `open` gives at a time, and closes them again. `bytes` of one; `null`: it could not be measured. */
export function slabsOf(
	most: number,
	open: () => readonly number[],
	close: (fds: readonly number[]) => void,
): { readonly bytes: number | null; readonly sockets: number } {
	const perBatch = Math.floor(most / BATCHES);
	if (perBatch < SOCKETS_MIN) return { bytes: null, sockets: 0 };
	const opened: (readonly number[])[] = [];
	const each: number[] = [];
	let sockets = 0;
	const untilMs = performance.now() + MEMORY_MS;
	try {
		for (let batch = 0; batch < BATCHES && performance.now() < untilMs; batch++) {
			const before = slabBytes();
			const first = sockets;
			while (sockets - first < perBatch) {
				const fds = open();
				opened.push(fds);
				sockets += fds.length;
			}
			if (batch > 0) each.push((slabBytes() - before) / (sockets - first));
		}
	} finally {
		for (const fds of opened) close(fds);
	}
	const bytes = median(each) ?? 0;
	const isLikely = bytes >= SOCKET_BYTES_MIN && bytes <= SOCKET_BYTES_MAX;
	return { bytes: isLikely ? Math.round(bytes) : null, sockets };
}

/** What the kernel's own objects take, of the whole machine. */
function slabBytes(): number {
	return Number(/^Slab:\s+(\d+) kB/m.exec(readFileSync("/proc/meminfo", "latin1"))?.[1] ?? 0) * 1_024;
}

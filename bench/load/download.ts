/** Bulk: every connection asks for many bytes and throws them away as fast as they come. */
import type { LinuxKernel } from "../../src/kernel/linux.js";
import { f64 } from "../../src/parts/at.js";
import type { Places } from "../../src/rig/places.js";
import { turn, turnUntilOver } from "../../src/rig/turn.js";
import { received, sendWhole } from "./transfer.js";
import { bulkRequest, REQUEST_BYTES } from "./wire.js";

/** Taken per call; more than a receive buffer ever holds here. */
const TAKE_BYTES = 8 << 20;

const TIMEOUT_MS = 120_000;

/** Downloads `bytesEach` over each connection of `places`. Returns the wall time in ms. */
export function runDownload(kernel: LinuxKernel, places: Places, bytesEach: number): number {
	const totals = new Float64Array(places.count);
	let done = 0;
	ask(kernel, places, bytesEach);
	return turnUntilOver(kernel, places, {
		what: `${places.count} downloads of ${bytesEach} bytes`,
		timeoutMs: TIMEOUT_MS,
		isOver: () => done === places.count,
		progress: () => `${done} are done`,
		hear(place) {
			const total = f64(totals, place) + take(kernel, places.fd(place));
			totals[place] = total;
			if (total > bytesEach) throw new Error(`a download brought ${total} bytes instead of ${bytesEach}`);
			if (total === bytesEach) done++;
		},
	});
}

/** More than is ever downloaded in the time that a row has. */
const ENDLESS_BYTES = 1e15;

/** Downloads over each connection of `places` for so long. Returns how many bytes came. */
export function runDownloadFor(kernel: LinuxKernel, places: Places, ms: number): number {
	const endMs = performance.now() + ms;
	let bytes = 0;
	ask(kernel, places, ENDLESS_BYTES);
	const hear = (place: number): void => {
		bytes += take(kernel, places.fd(place));
	};
	while (performance.now() < endMs) turn(kernel, 100, places, hear);
	return bytes;
}

function ask(kernel: LinuxKernel, places: Places, bytesEach: number): void {
	kernel.memory.set(bulkRequest(bytesEach), 0);
	for (let place = 0; place < places.count; place++)
		sendWhole(kernel, places.fd(place), 0, REQUEST_BYTES, "a bulk request");
}

/** Dropped in the kernel without a copy: the sink should never be what limits a proxy. */
function take(kernel: LinuxKernel, fd: number): number {
	return received(kernel.discard(fd, TAKE_BYTES), "a download");
}

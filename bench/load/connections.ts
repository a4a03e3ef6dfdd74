/** Opening many connections to one port of 127.0.0.1. */
import { EPOLLIN, EPOLLOUT, errorName } from "../../src/kernel/constants.js";
import type { LinuxKernel } from "../../src/kernel/linux.js";
import { loopback } from "../../src/rig/connect.js";
import type { Places } from "../../src/rig/places.js";
import { turnUntilOver } from "../../src/rig/turn.js";

/** Handshakes in flight: well below every backlog here (4096), so that no SYN is dropped and retried a second later. */
const OPENING_MAX = 256;

const OPEN_TIMEOUT_MS = 60_000;

/** Opens connections at places `from` up to, but without, `to`, and returns once all are established. Each is then watched for EPOLLIN. */
export function openConnections(
	kernel: LinuxKernel,
	places: Places,
	port: number,
	from = 0,
	to = places.count,
): void {
	const address = loopback(port);
	const established = new Uint8Array(places.count);
	let started = from;
	let open = from;
	const start = (): void => {
		while (started < to && started - open < OPENING_MAX) places.open(started++, address, EPOLLOUT);
	};
	start();
	turnUntilOver(kernel, places, {
		what: `opening ${to - from} connections to port ${port}`,
		timeoutMs: OPEN_TIMEOUT_MS,
		isOver: () => open === to,
		progress: () => `${open - from} are open`,
		hear(place) {
			if (place < from || established[place] === 1)
				throw new Error("a connection that was opened earlier ended or spoke, unasked");
			const error = kernel.takeError(places.fd(place));
			if (error !== 0) throw new Error(`connecting to port ${port}: ${errorName(error)}`);
			places.watch(place, EPOLLIN);
			established[place] = 1;
			open++;
			start();
		},
	});
}

/** Clients of a listener from which nobody accepts: what this kernel does with them, without any gateway. */
import { setTimeout as sleep } from "node:timers/promises";
import { handshakes } from "../kernel/proc.js";
import { acceptQueue, closeDescriptor, openListener } from "../kernel/sockets.js";
import { Attackers } from "./assault.js";
import type { Attack } from "./attack.js";
import { connecting, halfOpen } from "./kernel-tables.js";

export interface Unaccepted {
	/** Connections in the accept queue, and how many may wait. */
	readonly queue: { readonly depth: number; readonly limit: number };
	readonly established: number;
	/** Clients whose SYN was dropped, and who send it again. */
	readonly retrying: number;
	/** In SYN_RECV. */
	readonly halfOpen: number;
	/** Refused or reset. */
	readonly refused: number;
	/** What the kernel counted meanwhile. */
	readonly counted: HandshakesCounted;
}

export type HandshakesCounted = ReturnType<typeof handshakes>;

/** After the last of them has come: who is to be let in is in by then, and each of the others was dropped once. */
const COUNT_AFTER_MS = 500;

/** So many come at once, as `attack` says but for where to. */
export async function clientsOfNobody(
	attack: Attack,
	connections: number,
	backlog: number,
): Promise<Unaccepted> {
	const { fds, port } = openListener({ address: Uint8Array.of(127, 0, 0, 1), port: 0, backlog }, 1);
	const before = handshakes();
	const clients = new Attackers({
		...attack,
		address: "127.0.0.1",
		port,
		connections,
		opensPerSecond: null,
	});
	try {
		await clients.start();
		await clients.opened(connections);
		await sleep(COUNT_AFTER_MS);
		const retrying = connecting(port);
		const queue = acceptQueue(fds[0] as number); // one was asked for
		const seen = { queue, retrying, halfOpen: halfOpen(port), counted: countedSince(before) };
		const { attackers } = await clients.release();
		return {
			...seen,
			established: attackers.established,
			refused: (attackers.ends.refused ?? 0) + (attackers.ends["reset by the target"] ?? 0),
		};
	} finally {
		await clients.dispose();
		fds.forEach(closeDescriptor);
	}
}

export function countedSince(before: HandshakesCounted): HandshakesCounted {
	const now = handshakes();
	return {
		overflows: now.overflows - before.overflows,
		drops: now.drops - before.drops,
		cookiesSent: now.cookiesSent - before.cookiesSent,
		cookiesFailed: now.cookiesFailed - before.cookiesFailed,
	};
}

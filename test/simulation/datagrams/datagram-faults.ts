/** How the simulated network and kernel mistreat datagrams: probabilities, each of something that real ones do. */
import type { Random } from "../../../src/rig/random.js";

export interface DatagramFaults {
	/** On its way one is lost, doubled, overtaken, or changed so that its sum is wrong. */
	readonly lost: number;
	readonly doubled: number;
	readonly overtaken: number;
	readonly corrupt: number;
	/** Several of one sender are put together (UDP_GRO). */
	readonly merged: number;
	/** What is received is not all of it. */
	readonly cut: number;
	/** A send finds no room (EAGAIN) or no memory (ENOBUFS), or is forbidden by a rule (EPERM). */
	readonly noRoom: number;
	readonly noMemory: number;
	readonly forbidden: number;
	/** Several datagrams in one message cannot be sent so (UDP_SEGMENT). */
	readonly unsegmented: number;
	/** Connecting fails at once. */
	readonly unreachable: number;
	/** A datagram arrives while the reactor is inside a call. */
	readonly meanwhile: number;
}

/** Nothing goes wrong. */
export const DATAGRAM_CALM: DatagramFaults = {
	lost: 0,
	doubled: 0,
	overtaken: 0,
	corrupt: 0,
	merged: 0,
	cut: 0,
	noRoom: 0,
	noMemory: 0,
	forbidden: 0,
	unsegmented: 0,
	unreachable: 0,
	meanwhile: 0,
};

export function randomDatagramFaults(random: Random): DatagramFaults {
	const merged = random.pick([0, 0.5, 1]);
	if (random.chance(0.15)) return { ...DATAGRAM_CALM, merged };
	const rate = (most: number) => (random.chance(0.4) ? 0 : random.fraction() * most);
	return {
		lost: rate(0.2),
		doubled: rate(0.1),
		overtaken: rate(0.5),
		corrupt: rate(0.05),
		merged,
		cut: rate(0.02),
		noRoom: rate(0.1),
		noMemory: rate(0.05),
		forbidden: rate(0.05),
		unsegmented: rate(0.5),
		unreachable: rate(0.1),
		meanwhile: rate(0.3),
	};
}

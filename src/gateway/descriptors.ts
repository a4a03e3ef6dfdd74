/** How many sessions the descriptor limit allows, and the arithmetic to say so. */
import { readdirSync } from "node:fs";

/** A relayed session is a socket on each side. */
const PER_SESSION = 2;
/** epoll, wake-up and what Node opens for a worker thread. */
const PER_REACTOR = 8;
/** Node's own for DNS, timers and files that come and go on the main thread. */
const MAIN_SPARE = 8;

/** Pipes per reactor: enough for bulk, but never more than a small part of a tight limit. */
export function pipesPerReactor(limit: number): number {
	return Math.max(1, Math.min(64, Math.floor(limit / 256)));
}

export interface DescriptorBudget {
	readonly limit: number;
	readonly sessions: number;
	/** `20000 descriptors - 64 reserved - … = 9823 sessions of 2` */
	readonly arithmetic: string;
}

export function descriptorBudget(
	limit: number,
	reserve: number,
	reactors: number,
	listeners: number,
): DescriptorBudget {
	const present = readdirSync("/proc/self/fd").length;
	const fixed = present + reactors * (PER_REACTOR + listeners) + MAIN_SPARE;
	const pipes = 2 * pipesPerReactor(limit) * reactors;
	const left = limit - reserve - fixed - pipes;
	const sessions = Math.max(0, Math.floor(left / PER_SESSION));
	return {
		limit,
		sessions,
		arithmetic: `(${limit} descriptors - ${reserve} fd_reserve - ${fixed} for the process - ${pipes} for pipes) / ${PER_SESSION} = ${sessions} sessions`,
	};
}

/** How many sessions the descriptor limit allows, and the arithmetic to say so. */
import { readdirSync } from "node:fs";
import type { Config } from "../config/config.js";
import { DESCRIPTORS_USED } from "../kernel/sockets.js";
import { StartError } from "./errors.js";

/** A relayed session is a socket on each side. */
const PER_SESSION = 2;
/** epoll, wake-up and what Node opens for a worker thread. */
const PER_REACTOR = 8;
/** Node's own for DNS, timers and files that come and go on the main thread. */
const MAIN_SPARE = 8;

/** What the process has besides sessions is less, with some of it to spare: listeners, reactors' own, pipes. */
const BESIDES_MAX = 131_072;

/** As many descriptors as the gateway makes use of, should its limit allow them: tables are sized by it. */
export function descriptorsWanted({ limits }: Config): number {
	if (limits.connections === null) return DESCRIPTORS_USED;
	return Math.max(DESCRIPTORS_USED, PER_SESSION * limits.connections + limits.fdReserve + BESIDES_MAX);
}

/** Of each reactor. */
const PIPES_MAX = 64;

/** Pipes per reactor: enough for bulk, but never more than a small part of a tight limit. */
export function pipesPerReactor(limit: number): number {
	return Math.max(1, Math.min(PIPES_MAX, Math.floor(limit / 256)));
}

export interface SessionLimit {
	readonly sessions: number;
	/** The most that are open with so many. */
	readonly descriptors: number;
	/** `20000 descriptors - 64 reserved - … = 9823 sessions of 2` */
	readonly arithmetic: string;
}

/** Descriptors that this process has open. */
export function openDescriptors(): number {
	return readdirSync("/proc/self/fd").length;
}

/**
 * Sessions that the process may hold at once: as configured, or as many as the descriptor limit allows. `present`: descriptors that
 * are open without those of the reactors.
 *
 * @throws StartError when that allows fewer than were asked for, or none
 */
export function sessionLimit(
	{ limits, listeners }: Config,
	limit: number,
	reactors: number,
	present: number,
): SessionLimit {
	const budget = descriptorBudget(limit, limits.fdReserve, reactors, listeners.length, present);
	const { sessions, descriptors, arithmetic } = budget;
	const wanted = limits.connections;
	if (wanted !== null && wanted > sessions)
		throw new StartError(
			`limits.connections is ${wanted}, but the descriptor limit allows fewer: ${arithmetic}. Raise the limit (ulimit -n, or LimitNOFILE= in the unit) or lower limits.connections.`,
		);
	if (sessions < 1)
		throw new StartError(
			`the descriptor limit leaves no room for a session: ${arithmetic}. Raise the limit (ulimit -n, or LimitNOFILE= in the unit).`,
		);
	if (wanted === null) return budget;
	return { sessions: wanted, descriptors: descriptors - PER_SESSION * (sessions - wanted), arithmetic };
}

export function descriptorBudget(
	limit: number,
	reserve: number,
	reactors: number,
	listeners: number,
	present = openDescriptors(),
): SessionLimit {
	const fixed = present + reactors * (PER_REACTOR + listeners) + MAIN_SPARE;
	const pipes = 2 * pipesPerReactor(limit) * reactors;
	const left = limit - reserve - fixed - pipes;
	const sessions = Math.max(0, Math.floor(left / PER_SESSION));
	return {
		sessions,
		descriptors: reserve + fixed + pipes + PER_SESSION * sessions,
		arithmetic: `(${limit} descriptors - ${reserve} fd_reserve - ${fixed} for the process - ${pipes} for pipes) / ${PER_SESSION} = ${sessions} sessions`,
	};
}

/** A descriptor limit that allows so many sessions, with all pipes that there may be. */
export function descriptorsFor(
	sessions: number,
	reserve: number,
	reactors: number,
	listeners: number,
	present = openDescriptors(),
): number {
	const pipes = 2 * PIPES_MAX * reactors;
	return (
		reserve + present + reactors * (PER_REACTOR + listeners) + MAIN_SPARE + pipes + PER_SESSION * sessions
	);
}

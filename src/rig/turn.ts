/** The event loop of helpers: one thread, one epoll, and any number of connections. */
import { errorName } from "../kernel/constants.js";
import type { LinuxKernel } from "../kernel/linux.js";
import { type Channel, ORDERS_SLOT } from "./channel.js";
import { Deadline } from "./deadline.js";

/** Descriptors that are watched, by slot. A slot that is given up moves its serial on: news from before are nobody's. */
export interface Row {
	readonly serials: Int32Array;
}

/** `flags`: EPOLL… bits. */
export type Hear = (slot: number, flags: number) => void;

/**
 * Waits for news, up to `waitMs` (-1: for ever), and passes them on: those of standard input to the channel, the others to
 * `hear`. Returns how many there were, those of nobody included.
 */
export function turn(
	kernel: LinuxKernel,
	waitMs: number,
	row: Row,
	hear: Hear,
	channel?: Channel<never, never>,
): number {
	const { readiness } = kernel;
	const events = readiness.wait(waitMs);
	// Whoever only waited again would do so for ever, at once.
	if (events < 0) throw new Error(`epoll_wait: ${errorName(-events)}`);
	for (let event = 0; event < events; event++) {
		const slot = readiness.slotOf(event);
		if (slot === ORDERS_SLOT) channel?.take();
		// Looked up anew for each: what one hears may end another.
		else if (readiness.generationOf(event) === row.serials[slot]) hear(slot, readiness.flagsOf(event));
	}
	return events;
}

export interface Load {
	/** For the error, such as `1000 requests`. */
	readonly what: string;
	readonly timeoutMs: number;
	isOver(): boolean;
	/** How far it got, for the error. */
	progress(): string;
	hear: Hear;
}

/** Turns until a load is over, and throws when its time is over first. Returns how long it took, in ms. */
export function turnUntilOver(kernel: LinuxKernel, row: Row, load: Load): number {
	const deadline = new Deadline(load.what, load.timeoutMs);
	const startMs = performance.now();
	while (!load.isOver()) {
		const { leftMs } = deadline;
		if (leftMs === 0) throw deadline.error(load.progress());
		turn(kernel, leftMs, row, load.hear);
	}
	return performance.now() - startMs;
}

/** One timer for all outboxes in which something waits; none while nothing does. */

/** Deadlines are looked at together: 20 times a second at most, whatever the number of outboxes. */
const TICK_MS = 50;

/** Something with a deadline while it waits. */
export interface Waiting {
	/** When its deadline passes, after a look at what its peer has taken in the meantime. As `performance.now()` counts. */
	dueMs(nowMs: number): number;
	/** It has passed. */
	expire(): void;
}

const waiting = new Set<Waiting>();
let timer: NodeJS.Timeout | undefined;
let timerMs = Number.POSITIVE_INFINITY;

/** It waits from now on. */
export function watch(one: Waiting, nowMs: number): void {
	waiting.add(one);
	arm(one.dueMs(nowMs), nowMs);
}

/** It no longer waits. */
export function unwatch(one: Waiting): void {
	if (waiting.delete(one) && waiting.size === 0) disarm();
}

/** Whether the timer runs: for tests. */
export function isTicking(): boolean {
	return timer !== undefined;
}

function arm(dueMs: number, nowMs: number): void {
	const atMs = Math.ceil(dueMs / TICK_MS) * TICK_MS;
	if (atMs >= timerMs) return;
	disarm();
	timerMs = atMs;
	// A program is kept alive by its sockets, not by the patience with them.
	timer = setTimeout(tick, Math.max(1, atMs - nowMs)).unref();
}

function disarm(): void {
	clearTimeout(timer);
	timer = undefined;
	timerMs = Number.POSITIVE_INFINITY;
}

function tick(): void {
	disarm();
	const nowMs = performance.now();
	const late: Waiting[] = [];
	let nextMs = Number.POSITIVE_INFINITY;
	for (const one of waiting) {
		const dueMs = one.dueMs(nowMs);
		if (dueMs <= nowMs) late.push(one);
		else nextMs = Math.min(nextMs, dueMs);
	}
	if (nextMs < Number.POSITIVE_INFINITY) arm(nextMs, nowMs);
	// After a long turn of the program, or a suspended machine, peers have taken bytes that Node has not been told of yet: the
	// loop asks the kernel between timers and immediates.
	if (late.length > 0) setImmediate(expire, late);
}

function expire(late: readonly Waiting[]): void {
	const nowMs = performance.now();
	const errors: unknown[] = [];
	for (const one of late) {
		if (!waiting.has(one)) continue;
		const dueMs = one.dueMs(nowMs);
		if (dueMs > nowMs) {
			arm(dueMs, nowMs);
			continue;
		}
		try {
			one.expire();
		} catch (error) {
			// What one of them calls must not cost the others their deadline.
			errors.push(error);
		}
	}
	if (errors.length > 0) throw errors[0];
}

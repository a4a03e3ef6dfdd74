/**
 * Times in 32 bits, of which a row has several. All of them come from the reactor's clock, a double that counts milliseconds
 * since the machine was started, and are given back as such.
 *
 * A *stamp* is the clock's millisecond modulo 2^32. Whoever reads it says what time it is: the stamp is of the last 49.7 days
 * then (less `AHEAD_MS`). That is enough for what is measured from now: no deadline is longer than 24.8 days
 * (`config/units.ts`), so that no stamp which still counts is older.
 *
 * An *offset* counts from another time of the same session, and is for the log. It does not wrap.
 */

/** A stamp may be so far ahead of the clock: those of this millisecond are, because they are rounded up. */
const AHEAD_MS = 1_024;

/**
 * The stamp of a time; never 0, which a column says where there is none. It is the end of that millisecond, so that
 * no deadline which is measured from it comes too soon.
 */
export function stamp(ms: number): number {
	return Math.ceil(ms) >>> 0 || 1;
}

/** The time of a stamp, rounded up to its millisecond. */
export function timeOf(stamped: number, nowMs: number): number {
	const endMs = Math.ceil(nowMs) + AHEAD_MS;
	return endMs - ((endMs - stamped) >>> 0);
}

/** Up to here, 9.3 hours, an offset counts in 64ths of a millisecond; a later one in steps of 16 ms, up to 397 days. */
const FINE_MS = 2 ** 25 - 16;
const FINE_PER_MS = 64;
const COARSE_MS = 16;
/** What offsets in steps of 16 ms begin at: those that are finer are below. */
const COARSE = 2 ** 31;
const OFFSET_MAX = 2 ** 32 - 1;

/** How much later `ms` is than `sinceMs`; never 0, which a column says where there is none. What is too late for it is the latest. */
export function offset(sinceMs: number, ms: number): number {
	const passedMs = ms - sinceMs;
	if (passedMs < FINE_MS) return Math.floor(passedMs * FINE_PER_MS) + 1;
	return Math.min(COARSE + Math.floor(passedMs / COARSE_MS), OFFSET_MAX);
}

/** The time of an offset: the one that it was made of, or the last before it that can be told. */
export function timeAfter(sinceMs: number, offset: number): number {
	return sinceMs + (offset < COARSE ? (offset - 1) / FINE_PER_MS : (offset - COARSE) * COARSE_MS);
}

/** The same for a column's cell; 0 where it says that there is none. */
export function timeAfterOr0(sinceMs: number, offset: number): number {
	return offset === 0 ? 0 : timeAfter(sinceMs, offset);
}

/** So much earlier than the time that it was made of may what `timeAfter` tells of an offset be. */
export function stepMs(offset: number): number {
	return offset < COARSE ? 1 / FINE_PER_MS : COARSE_MS;
}

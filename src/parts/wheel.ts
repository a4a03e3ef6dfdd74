/**
 * Deadlines of many rows: a timing wheel threaded through columns that the caller has. Arming, renewing and
 * cancelling are O(1) and allocate nothing.
 *
 *     bucket = tick mod 4096        each bucket is a list of rows, linked by the columns
 *     ┌──┬──┬──┬──┬──┐              `next` and `previous`; `due`, a number of a tick, says
 *     │  │ ●┼─●│  │ ●│ …            in which turn of the wheel a row is due, so a row further
 *     └──┴──┴──┴──┴──┘              ahead than one turn is passed over until its time.
 *
 * A row has at most one deadline. Renewal by traffic does not touch the wheel: the reactor notes the
 * time of the last byte, and when the wheel fires, asks whether the deadline still holds.
 *
 * A row's tick is kept modulo 2^32, which comes round after 4.4 years of uptime: ticks are compared by their difference,
 * and no deadline is further away than `AHEAD_MAX`. The wheel's own ticks are doubles.
 */

import { assert } from "./assert.js";
import { i32, u32 } from "./at.js";
import { NONE } from "./none.js";

/** Precision: a deadline fires within one tick (plus one turn of the loop, if that is not full) after it has passed. */
export const TICK_MS = 32;
/** No deadline lies beyond this: a row without a deadline is not armed. */
const DEADLINE_MAX_MS = 2 ** 52;
const BUCKETS = 4096; // one turn = 131 s: a ten-minute deadline is passed over four times
/** A deadline that is further ahead, by a year, fires so soon; whoever is called looks whether it holds. */
const AHEAD_MAX = 2 ** 30;

/** What the wheel keeps for each row. */
export interface WheelColumns {
	/** The tick in which the wheel fires for the row, modulo 2^32; 0: it is not armed. */
	readonly due: Uint32Array;
	/** The row's neighbours in its bucket. */
	readonly next: Int32Array;
	readonly previous: Int32Array;
}

export class Wheel {
	readonly #table: WheelColumns;
	readonly #heads = new Int32Array(BUCKETS).fill(NONE);
	/** One bit per bucket that is not empty, so that the next deadline is found by words. */
	readonly #occupied = new Int32Array(BUCKETS / 32);
	/** Everything due up to this tick has been fired. */
	#doneTick: number;
	/** No occupied bucket comes round before this tick. */
	#nextTick = Number.POSITIVE_INFINITY;
	/** Where the walk through a bucket goes on. */
	#cursor = NONE;
	/** Rows armed. */
	armed = 0;

	constructor(table: WheelColumns, nowMs: number) {
		this.#table = table;
		this.#doneTick = Math.floor(nowMs / TICK_MS);
	}

	/** Sets or replaces the deadline of a row. */
	arm(slot: number, deadlineMs: number): void {
		assert(deadlineMs < DEADLINE_MAX_MS, "a deadline is a time");
		const { next, previous, due } = this.#table;
		// The first tick that begins at or after the deadline, and never one already done.
		let tick = Math.max(Math.ceil(deadlineMs / TICK_MS), this.#doneTick + 1);
		tick = Math.min(tick, this.#doneTick + AHEAD_MAX);
		// That is what a row says which is not armed: once in 4.4 years a deadline is a tick late.
		if (tick >>> 0 === 0) tick++;
		if (u32(due, slot) === tick >>> 0) return;
		if (u32(due, slot) !== 0) this.#unlink(slot);
		else this.armed++;
		due[slot] = tick;
		const bucket = tick % BUCKETS;
		const head = i32(this.#heads, bucket);
		next[slot] = head;
		previous[slot] = NONE;
		if (head !== NONE) previous[head] = slot;
		this.#heads[bucket] = slot;
		this.#occupied[bucket >> 5] = i32(this.#occupied, bucket >> 5) | (1 << (bucket & 31));
		if (tick < this.#nextTick) this.#nextTick = tick;
	}

	cancel(slot: number): void {
		if (u32(this.#table.due, slot) === 0) return;
		this.#unlink(slot);
		this.#table.due[slot] = 0;
		this.armed--;
	}

	/** When the wheel fires for a row, a multiple of its tick; 0: it is not armed. */
	deadlineOf(slot: number): number {
		const due = u32(this.#table.due, slot);
		return due === 0 ? 0 : (this.#doneTick + ((due - this.#doneTick) | 0)) * TICK_MS;
	}

	/**
	 * Calls `fire` for rows whose deadline has passed, for `most` of them at most; the others are due at once then. The
	 * row is disarmed before; `fire` may arm it again.
	 */
	expire(nowMs: number, fire: (slot: number) => void, most = Number.POSITIVE_INFINITY): void {
		const nowTick = Math.floor(nowMs / TICK_MS);
		if (nowTick <= this.#doneTick) return;
		const first = Math.max(this.#doneTick + 1, this.#nextTick);
		this.#doneTick = nowTick;
		if (nowTick < first) return;
		// After a long pause (a suspended machine) every bucket is visited once, not once per tick missed.
		const count = Math.min(nowTick - first + 1, BUCKETS);
		let left = most;
		for (let i = 0; i < count; i++) {
			left = this.#expireBucket((first + i) % BUCKETS, nowTick, fire, left);
			if (left > 0) continue;
			this.#doneTick = first + i - 1;
			this.#nextTick = first + i;
			return;
		}
		this.#nextTick = this.#findNext(nowTick);
	}

	/** Milliseconds until something may be due; -1 when nothing is armed. */
	delay(nowMs: number): number {
		if (this.#nextTick === Number.POSITIVE_INFINITY) return -1;
		return Math.max(0, Math.ceil(this.#nextTick * TICK_MS - nowMs));
	}

	/** Returns how many more may be fired. */
	#expireBucket(bucket: number, nowTick: number, fire: (slot: number) => void, most: number): number {
		const { due, next } = this.#table;
		let slot = i32(this.#heads, bucket);
		let left = most;
		while (slot !== NONE && left > 0) {
			this.#cursor = i32(next, slot);
			if (((u32(due, slot) - nowTick) | 0) <= 0) {
				this.cancel(slot);
				fire(slot);
				left--;
			}
			slot = this.#cursor;
		}
		return left;
	}

	/**
	 * The next tick at which an occupied bucket comes round. What lies there may belong to a later turn
	 * of the wheel; then the reactor wakes once for nothing.
	 */
	#findNext(nowTick: number): number {
		if (this.armed === 0) return Number.POSITIVE_INFINITY;
		const first = (nowTick + 1) % BUCKETS;
		for (let passed = 0; passed < BUCKETS; ) {
			const bucket = (first + passed) % BUCKETS;
			const word = i32(this.#occupied, bucket >> 5) >>> (bucket & 31);
			if (word !== 0) return nowTick + 1 + passed + 31 - Math.clz32(word & -word);
			passed += 32 - (bucket & 31);
		}
		return Number.POSITIVE_INFINITY;
	}

	#unlink(slot: number): void {
		const { due, next, previous } = this.#table;
		const before = i32(previous, slot);
		const after = i32(next, slot);
		// The walk in #expireBucket goes on behind a row that `fire` closes.
		if (slot === this.#cursor) this.#cursor = after;
		if (after !== NONE) previous[after] = before;
		if (before !== NONE) {
			next[before] = after;
			return;
		}
		const bucket = u32(due, slot) % BUCKETS;
		this.#heads[bucket] = after;
		if (after === NONE)
			this.#occupied[bucket >> 5] = i32(this.#occupied, bucket >> 5) & ~(1 << (bucket & 31));
	}
}

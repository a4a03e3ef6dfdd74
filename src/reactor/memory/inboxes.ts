/**
 * Bytes that were taken from a connection before anybody could use them: TLS decrypts a record at a time, and an
 * answer is taken whole before it is known to be whole. Each connection has one chunk for them at most, and whoever
 * reads gets these first.
 */

import { assert } from "../../parts/assert.js";
import { i32 } from "../../parts/at.js";
import { CONNECTION, Columns } from "../../parts/columns.js";
import type { Slot } from "../table/numbers.js";

export class Inboxes extends Columns {
	/** The chunk's number plus one; 0: none. */
	readonly chunk = this.i32(CONNECTION);
	/** Where the bytes lie in it. */
	readonly start = this.i32(CONNECTION);
	readonly end = this.i32(CONNECTION);
	/** The error that was met behind them, which the next read is told. Rows that are not ENDING have none. */
	readonly failure = this.i32(CONNECTION);
	/** When the message began that they are the unfinished head of; 0: of none. */
	readonly sinceMs = this.f64(CONNECTION);

	has(slot: Slot): boolean {
		return i32(this.chunk, slot) !== 0;
	}

	/** Bytes in it. */
	length(slot: Slot): number {
		return this.has(slot) ? i32(this.end, slot) - i32(this.start, slot) : 0;
	}

	open(slot: Slot, chunk: number, sinceMs: number): void {
		assert(!this.has(slot), "a connection has one inbox");
		this.chunk[slot] = chunk + 1;
		this.sinceMs[slot] = sinceMs;
		this.start[slot] = 0;
		this.end[slot] = 0;
	}
}

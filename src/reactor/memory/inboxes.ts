/**
 * Bytes that were taken from a connection before anybody could use them: TLS decrypts a record at a time, and an
 * answer is taken whole before it is known to be whole. Each connection has one chunk for them at most, and whoever
 * reads gets these first.
 */
import { at } from "../../parts/at.js";

export class Inboxes {
	// By row, clients' and upstreams'.
	/** The chunk's number plus one; 0: none. */
	readonly chunk: Int32Array;
	/** Where the bytes lie in it. */
	readonly start: Int32Array;
	readonly end: Int32Array;
	/** The error that was met behind them, which the next read is told. Rows that are not ENDING have none. */
	readonly failure: Int32Array;

	constructor(sessions: number) {
		const rows = 2 * sessions;
		this.chunk = new Int32Array(rows);
		this.start = new Int32Array(rows);
		this.end = new Int32Array(rows);
		this.failure = new Int32Array(rows);
	}

	has(slot: number): boolean {
		return at(this.chunk, slot) !== 0;
	}

	/** Bytes in it. */
	length(slot: number): number {
		return this.has(slot) ? at(this.end, slot) - at(this.start, slot) : 0;
	}

	open(slot: number, chunk: number): void {
		this.chunk[slot] = chunk + 1;
		this.start[slot] = 0;
		this.end[slot] = 0;
	}
}

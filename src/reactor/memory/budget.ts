/** How much a reactor may hold, and how much it may move before others have their turn. */
import { assert } from "../../parts/assert.js";
import { type Counters, scalarIndex } from "../records/counters.js";

/**
 * What connections move in a turn, all together, for news and once more for those that wait in the queue: a quarter
 * of a millisecond of copying each. The rest waits for the next turn, behind news that has just come: a thousand bulk
 * transfers that begin at once must not make a small request wait for all of them.
 */
export const TURN_BYTES = 512 << 10;

export class Budget {
	/** Bytes that may still be moved in this turn. Below zero, the turn goes on with what it must only. */
	turnBytes = TURN_BYTES;
	readonly #counters: Counters;
	readonly #most: number;
	#now = 0;

	/** `most`: bytes in chunks and pipes. */
	constructor(counters: Counters, most: number) {
		this.#counters = counters;
		this.#most = most;
	}

	/** A turn's share begins. */
	begin(): void {
		this.turnBytes = TURN_BYTES;
	}

	/** Bytes in chunks and pipes changed. */
	buffered(delta: number): void {
		this.#now += delta;
		assert(this.#now >= 0, "no more bytes are given back than were taken");
		this.#counters.set(BUFFERED_BYTES, this.#now);
	}

	/** Bytes that may still be taken without knowing whether their receiver takes them. */
	get room(): number {
		return this.#most - this.#now;
	}
}

const BUFFERED_BYTES = scalarIndex("bufferedBytes");

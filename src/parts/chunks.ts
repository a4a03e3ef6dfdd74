/**
 * Buffers for bytes that one side has sent and the other does not take yet: equal pieces of the arena,
 * lent and given back. Their number bounds what the reactor can hold.
 */

import { i32 } from "./at.js";
import { NONE } from "./none.js";

export class Chunks {
	readonly count: number;
	readonly bytes: number;
	readonly #arenaOffset: number;
	readonly #free: Int32Array;
	/** 1: the chunk is lent. */
	readonly #lent: Uint8Array;
	#freeCount = 0;
	/** Chunks above this one have never been used, so their memory has never been touched. */
	#top = 0;
	lent = 0;

	constructor(arenaOffset: number, chunkBytes: number, count: number) {
		this.#arenaOffset = arenaOffset;
		this.bytes = chunkBytes;
		this.count = count;
		this.#free = new Int32Array(count);
		this.#lent = new Uint8Array(count);
	}

	get available(): number {
		return this.count - this.lent;
	}

	/** A chunk, or NONE. */
	take(): number {
		let chunk = NONE;
		if (this.#freeCount > 0) chunk = i32(this.#free, --this.#freeCount);
		else if (this.#top < this.count) chunk = this.#top++;
		else return NONE;
		this.lent++;
		this.#lent[chunk] = 1;
		return chunk;
	}

	give(chunk: number): void {
		if (this.#lent[chunk] !== 1) throw new Error(`chunk ${chunk} was not lent`);
		this.#lent[chunk] = 0;
		this.#free[this.#freeCount++] = chunk;
		this.lent--;
	}

	/** Where a chunk begins in the arena. */
	offsetOf(chunk: number): number {
		return this.#arenaOffset + chunk * this.bytes;
	}
}

/** Bytes that come piece by piece, of which the first so many are kept, in memory that is counted. */

/** Where memory is asked for, and given back. */
export interface Room {
	/** False: there is none. */
	reserve(bytes: number): boolean;
	release(bytes: number): void;
}

const NOTHING = Buffer.alloc(0);

/** Of small bodies so much is taken at first; it doubles from there. */
const LEAST_BYTES = 512;

export class Kept {
	readonly #room: Room;
	readonly #most: number;
	#memory = NOTHING;
	#length = 0;
	#isFull = false;
	/** All that came, kept or not. */
	total = 0;

	constructor(room: Room, most: number) {
		this.#room = room;
		this.#most = most;
	}

	/** What is kept: the first bytes of all. */
	get bytes(): Buffer {
		return this.#memory.subarray(0, this.#length);
	}

	get isWhole(): boolean {
		return this.total === this.#length;
	}

	/** Takes bytes[start, end), by a copy: the array belongs to a socket, and is larger than what is kept of it. */
	append(bytes: Uint8Array, start: number, end: number): void {
		this.total += end - start;
		if (this.#isFull) return;
		const count = Math.min(end - start, this.#most - this.#length);
		if (!this.#hasRoomFor(this.#length + count)) {
			this.#isFull = true;
			return;
		}
		this.#memory.set(bytes.subarray(start, start + count), this.#length);
		this.#length += count;
		// What comes later must not stand behind a gap.
		this.#isFull = this.#length === this.#most;
	}

	#hasRoomFor(length: number): boolean {
		const { length: capacity } = this.#memory;
		if (length <= capacity) return true;
		const larger = Math.min(this.#most, Math.max(length, 2 * capacity, LEAST_BYTES));
		if (!this.#room.reserve(larger - capacity)) return false;
		// Whoever made room may have let go of this, too.
		if (this.#isFull) {
			this.#room.release(larger - capacity);
			return false;
		}
		const memory = Buffer.allocUnsafeSlow(larger);
		this.#memory.copy(memory, 0, 0, this.#length);
		this.#memory = memory;
		return true;
	}

	/** Keeps nothing any more, and goes on counting. */
	forget(): void {
		this.#room.release(this.#memory.length);
		this.#memory = NOTHING;
		this.#length = 0;
		this.#isFull = true;
	}
}

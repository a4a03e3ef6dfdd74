/**
 * To which row or pipe a descriptor was given last, by its number: a word each, in shared memory. Opening a descriptor writes
 * it down here. Entries are never erased, so the last owner of a leaked descriptor is known.
 */
import { i32, u32 } from "../../parts/at.js";

// One word: reactor (8 bits), pipe or connection (1), and the slot of the row or pipe (22).
const SLOT_BITS = 22;
const SLOT_MASK = (1 << SLOT_BITS) - 1;
const PIPE = 1 << SLOT_BITS;
const REACTOR_SHIFT = SLOT_BITS + 1;

export interface Owner {
	readonly reactor: number;
	readonly kind: "connection" | "pipe";
	/** Row of the table, or index of the pipe. */
	readonly slot: number;
	/** All of the above in one number. */
	readonly word: number;
	/** Whole seconds on the kernel's clock. */
	readonly sinceSeconds: number;
}

export class Owners {
	readonly buffer: SharedArrayBuffer;
	readonly limit: number;
	/** The word above plus one; 0: never given to a reactor. */
	readonly #words: Int32Array;
	readonly #since: Uint32Array;

	/** For descriptors below `limit`; with a buffer: another thread's view. */
	constructor(limit: number, buffer = new SharedArrayBuffer(8 * limit)) {
		this.buffer = buffer;
		this.limit = limit;
		this.#words = new Int32Array(buffer, 0, limit);
		this.#since = new Uint32Array(buffer, 4 * limit, limit);
	}

	connectionOpened(fd: number, reactor: number, slot: number, nowMs: number): void {
		this.#words[fd] = ((reactor << REACTOR_SHIFT) | slot) + 1;
		this.#since[fd] = nowMs / 1_000;
	}

	pipeOpened(fd: number, reactor: number, pipe: number, nowMs: number): void {
		this.#words[fd] = ((reactor << REACTOR_SHIFT) | PIPE | pipe) + 1;
		this.#since[fd] = nowMs / 1_000;
	}

	/** `undefined` for a descriptor that no reactor ever had. */
	of(fd: number): Owner | undefined {
		if (fd >= this.#words.length || this.#words[fd] === 0) return undefined;
		const word = i32(this.#words, fd) - 1;
		return {
			word,
			reactor: word >>> REACTOR_SHIFT,
			kind: (word & PIPE) !== 0 ? "pipe" : "connection",
			slot: word & SLOT_MASK,
			sinceSeconds: u32(this.#since, fd),
		};
	}
}

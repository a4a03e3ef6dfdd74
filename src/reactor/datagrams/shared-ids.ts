/**
 * Which reactor has the session that a connection ID is of: in memory that all reactors share, because the kernel shares datagrams by
 * the addresses and ports of both ends, and so a client that has got another address may come to another reactor.
 *
 *     set = hash(ID)        a word each: some bits of the hash, and the reactor. What is said here may be wrong, when two IDs
 *     ┌────┬────┬────┬────┐ have the same bits, or missing, when a set is full: the reactor that is asked looks it up in its
 *     │ A·0│    │ B·1│    │ own index, which says the truth, and who is not found is dropped as one that nobody knows.
 *     └────┴────┴────┴────┘
 *
 * Words are written by one instruction, and nothing is locked.
 */
import { i32 } from "../../parts/at.js";
import { CONNECTION_ID_MAX_BYTES } from "../../protocol/quic/long-packet.js";
import { finish, mixBytes, newSeed } from "./mix.js";

const WAYS = 4;
/** Words for each session: two IDs of each are common, and half of the words stay empty. */
const WORDS_EACH = 4;
/** The seed, and how many IDs there are of each length. */
const HEADER_WORDS = 1 + CONNECTION_ID_MAX_BYTES + 1;
/** A word's lower bits: its reactor, plus one; above them is what is left of the hash. */
const REACTOR_BITS = 10;
const REACTOR_MASK = 2 ** REACTOR_BITS - 1;

/** Nobody's. */
export const NOBODY = -1;

/** Words for so many sessions: a power of two. */
function wordsFor(sessions: number): number {
	return 2 ** Math.ceil(Math.log2(Math.max(1_024, WORDS_EACH * sessions)));
}

export class SharedIds {
	readonly buffer: SharedArrayBuffer;
	readonly #header: Int32Array;
	readonly #words: Int32Array;
	readonly #mask: number;

	/** For so many sessions of all reactors; with a buffer: another thread's view. */
	constructor(sessions: number, buffer = new SharedArrayBuffer(4 * (HEADER_WORDS + wordsFor(sessions)))) {
		this.buffer = buffer;
		this.#header = new Int32Array(buffer, 0, HEADER_WORDS);
		this.#words = new Int32Array(buffer, 4 * HEADER_WORDS);
		this.#mask = this.#words.length / WAYS - 1;
		Atomics.compareExchange(this.#header, 0, 0, newSeed() | 1);
	}

	/** A session of this reactor is known by it. */
	add(reactor: number, bytes: Uint8Array, at: number, length: number): void {
		Atomics.add(this.#header, 1 + length, 1);
		const hash = this.#hash(bytes, at, length);
		const first = (hash & this.#mask) * WAYS;
		const word = wordOf(hash, reactor);
		for (let place = first; place < first + WAYS; place++)
			if (Atomics.compareExchange(this.#words, place, 0, word) === 0) return;
	}

	/** It is not any more. */
	remove(reactor: number, bytes: Uint8Array, at: number, length: number): void {
		Atomics.sub(this.#header, 1 + length, 1);
		const hash = this.#hash(bytes, at, length);
		const first = (hash & this.#mask) * WAYS;
		const word = wordOf(hash, reactor);
		for (let place = first; place < first + WAYS; place++)
			if (Atomics.compareExchange(this.#words, place, word, 0) === word) return;
	}

	/** The reactor that may have the session of the ID; NOBODY: none has. */
	find(bytes: Uint8Array, at: number, length: number): number {
		const hash = this.#hash(bytes, at, length);
		const first = (hash & this.#mask) * WAYS;
		for (let place = first; place < first + WAYS; place++) {
			const word = i32(this.#words, place);
			if (word !== 0 && ((word ^ hash) & ~REACTOR_MASK) === 0) return (word & REACTOR_MASK) - 1;
		}
		return NOBODY;
	}

	/** The same by the ID with which bytes[at, end) begins, whatever its length. */
	findShort(bytes: Uint8Array, at: number, end: number): number {
		for (let length = Math.min(CONNECTION_ID_MAX_BYTES, end - at); length > 0; length--) {
			if (i32(this.#header, 1 + length) <= 0) continue;
			const reactor = this.find(bytes, at, length);
			if (reactor !== NOBODY) return reactor;
		}
		return NOBODY;
	}

	#hash(bytes: Uint8Array, at: number, length: number): number {
		return finish(mixBytes(i32(this.#header, 0) ^ length, bytes, at, length));
	}
}

function wordOf(hash: number, reactor: number): number {
	return (hash & ~REACTOR_MASK) | (reactor + 1);
}

/**
 * Datagrams that have come to one reactor, and belong to a session of another: a ring for each reactor, which the others write to. What
 * finds no room is lost, as it may be on any way. There are few: a client that has moved is heard at once by the reactor that has
 * its session (`modes/datagram/ear.ts`).
 *
 *     reactor's ring    ┌──────┬──────┬──────┬───      lock, written, read
 *                       │ cell │ cell │ cell │ …       cell: listener, length, congestion bits, sender, …
 *                       └──────┴──────┴──────┴───
 */
import { LOCAL_BYTES, SENDER_BYTES } from "../../kernel/datagrams.js";
import { i32 } from "../../parts/at.js";
import { lock, unlock } from "../../parts/lock.js";

const CELLS = 64;
/** Of QUIC, which is what moves: longer ones are of local networks, and are lost here. */
export const STRAY_BYTES_MAX = 2_048;
const HEADER_BYTES = 12;
const CELL_BYTES = HEADER_BYTES + SENDER_BYTES + LOCAL_BYTES + STRAY_BYTES_MAX;

// The first words of a ring.
const LOCK = 0;
const WRITTEN = 1;
const READ = 2;
const RING_HEADER_BYTES = 16;
const RING_BYTES = RING_HEADER_BYTES + CELLS * CELL_BYTES;

/** A datagram with its sender and our address for it, where they lie. */
export interface Stray {
	readonly listener: number;
	readonly length: number;
	/** Its bits of congestion notification. */
	readonly ecn: number;
	/** Of `bytes`. */
	readonly senderAt: number;
	readonly localAt: number;
	readonly dataAt: number;
}

/** Bytes for the rings of so many reactors. */
export function strayBytes(reactors: number): number {
	return reactors * RING_BYTES;
}

export class Strays {
	readonly #bytes: Uint8Array;
	readonly #words: Int32Array;

	constructor(buffer: SharedArrayBuffer) {
		this.#bytes = new Uint8Array(buffer);
		this.#words = new Int32Array(buffer);
	}

	/** What the rings hold. */
	get bytes(): Uint8Array {
		return this.#bytes;
	}

	/** Gives a datagram to a reactor. False: its ring is full, or it is too long. */
	give(
		reactor: number,
		listener: number,
		senders: Uint8Array,
		senderAt: number,
		locals: Uint8Array,
		localAt: number,
		memory: Uint8Array,
		start: number,
		end: number,
		ecn: number,
	): boolean {
		if (end - start > STRAY_BYTES_MAX || !this.#hasRing(reactor)) return false;
		const ring = (reactor * RING_BYTES) / 4;
		lock(this.#words, ring + LOCK);
		const written = i32(this.#words, ring + WRITTEN);
		const hasRoom = ((written - Atomics.load(this.#words, ring + READ)) | 0) < CELLS;
		if (hasRoom) {
			const cell = this.#cell(reactor, written);
			this.#words[cell / 4] = listener;
			this.#words[cell / 4 + 1] = end - start;
			this.#words[cell / 4 + 2] = ecn;
			const at = cell + HEADER_BYTES;
			this.#bytes.set(senders.subarray(senderAt, senderAt + SENDER_BYTES), at);
			this.#bytes.set(locals.subarray(localAt, localAt + LOCAL_BYTES), at + SENDER_BYTES);
			this.#bytes.set(memory.subarray(start, end), at + SENDER_BYTES + LOCAL_BYTES);
			Atomics.store(this.#words, ring + WRITTEN, (written + 1) | 0);
		}
		unlock(this.#words, ring + LOCK);
		return hasRoom;
	}

	/** Calls `each` for what has been given to a reactor. It is there until the call returns. */
	take(reactor: number, each: (stray: Stray) => void): void {
		if (!this.#hasRing(reactor)) return;
		const ring = (reactor * RING_BYTES) / 4;
		let read = i32(this.#words, ring + READ);
		for (; read !== Atomics.load(this.#words, ring + WRITTEN); ) {
			const cell = this.#cell(reactor, read);
			const senderAt = cell + HEADER_BYTES;
			each({
				listener: i32(this.#words, cell / 4),
				length: i32(this.#words, cell / 4 + 1),
				ecn: i32(this.#words, cell / 4 + 2),
				...{ senderAt, localAt: senderAt + SENDER_BYTES, dataAt: senderAt + SENDER_BYTES + LOCAL_BYTES },
			});
			read = (read + 1) | 0;
			Atomics.store(this.#words, ring + READ, read);
		}
	}

	#hasRing(reactor: number): boolean {
		return (reactor + 1) * RING_BYTES <= this.#bytes.length;
	}

	#cell(reactor: number, position: number): number {
		return reactor * RING_BYTES + RING_HEADER_BYTES + (position & (CELLS - 1)) * CELL_BYTES;
	}
}

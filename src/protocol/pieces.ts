/**
 * Messages that come in pieces, in any order, some of them twice: CRYPTO frames of QUIC, fragments of DTLS. Many messages at a
 * time, each with a place of its own; all memory is taken once.
 *
 *     offset   0        60       126            300
 *     bytes    ├ piece ─┤        ├──── piece ───┤
 *     ranges   [0, 60)           [126, 300)           sorted, and never touching each other
 *
 * A byte that comes twice must be the same both times. Who sends two versions of one piece wants one of them to be read here,
 * and the other one by the server.
 */
import { at } from "./bytes.js";

/** Ranges of one message at a time. Chromium was seen to cut a hello into 24 pieces, twelve in each of two datagrams. */
const RANGES = 64;

export const PIECE_KNOWN = 0;
export const PIECE_NEW = 1;
/** Its bytes are others than those that came before. */
export const PIECE_CONFLICT = 2;
/** It goes beyond what a message may have. */
export const PIECE_TOO_FAR = 3;
/** There are too many gaps. */
export const PIECE_TOO_MANY = 4;

export class Pieces {
	/** The message at a place begins at `place * bytesEach`. */
	readonly memory: Uint8Array;
	readonly bytesEach: number;
	/** Pairs of a start and an end. */
	readonly #ranges: Uint16Array;
	readonly #counts: Uint8Array;

	/** `bytesEach`: of the longest message, at most 65,535. */
	constructor(places: number, bytesEach: number) {
		if (bytesEach > 0xffff)
			throw new RangeError(`a message of ${bytesEach} bytes; at most 65535 can be told apart`);
		this.bytesEach = bytesEach;
		this.memory = new Uint8Array(places * bytesEach);
		this.#ranges = new Uint16Array(places * RANGES * 2);
		this.#counts = new Uint8Array(places);
	}

	clear(place: number): void {
		this.#counts[place] = 0;
	}

	/** How many bytes there are from the beginning on, without a gap. */
	prefix(place: number): number {
		const first = place * RANGES * 2;
		return at(this.#counts, place) === 0 || this.#at(first) !== 0 ? 0 : this.#at(first + 1);
	}

	/** Where the last byte ends that is there. */
	reach(place: number): number {
		const count = at(this.#counts, place);
		return count === 0 ? 0 : this.#at((place * RANGES + count - 1) * 2 + 1);
	}

	/** Adds bytes[start, end), which belong at `offset`. PIECE_NEW: not all of them were there. */
	add(place: number, offset: number, bytes: Uint8Array, start: number, end: number): number {
		const pieceEnd = offset + end - start;
		if (pieceEnd > this.bytesEach) return PIECE_TOO_FAR;
		if (start === end) return PIECE_KNOWN;
		const base = place * RANGES * 2;
		const count = at(this.#counts, place);
		// Ranges before `from` end before the piece, those from `to` on begin behind it; all between become one with it.
		let from = 0;
		while (from < count && this.#at(base + 2 * from + 1) < offset) from++;
		let to = from;
		while (to < count && this.#at(base + 2 * to) <= pieceEnd) to++;
		if (from === to && count === RANGES) return PIECE_TOO_MANY;
		const mergedStart = from < to ? Math.min(offset, this.#at(base + 2 * from)) : offset;
		const mergedEnd = from < to ? Math.max(pieceEnd, this.#at(base + 2 * (to - 1) + 1)) : pieceEnd;
		const shift = start - offset;
		let isNew = false;
		let position = offset;
		for (let i = from; i < to; i++) {
			const knownStart = Math.min(this.#at(base + 2 * i), pieceEnd);
			const knownEnd = Math.min(this.#at(base + 2 * i + 1), pieceEnd);
			if (position < knownStart) {
				this.#copy(place, position, knownStart, bytes, shift);
				isNew = true;
				position = knownStart;
			}
			if (!this.#isSame(place, position, knownEnd, bytes, shift)) return PIECE_CONFLICT;
			position = Math.max(position, knownEnd);
		}
		if (position < pieceEnd) {
			this.#copy(place, position, pieceEnd, bytes, shift);
			isNew = true;
		}
		if (isNew) this.#merge(place, from, to, mergedStart, mergedEnd);
		return isNew ? PIECE_NEW : PIECE_KNOWN;
	}

	#copy(place: number, start: number, end: number, bytes: Uint8Array, shift: number): void {
		const { memory } = this;
		const base = place * this.bytesEach;
		for (let i = start; i < end; i++) memory[base + i] = at(bytes, i + shift);
	}

	#isSame(place: number, start: number, end: number, bytes: Uint8Array, shift: number): boolean {
		const base = place * this.bytesEach;
		for (let i = start; i < end; i++) if (at(this.memory, base + i) !== at(bytes, i + shift)) return false;
		return true;
	}

	/** Puts one range in the place of those in [from, to). */
	#merge(place: number, from: number, to: number, start: number, end: number): void {
		const base = place * RANGES * 2;
		const count = at(this.#counts, place);
		this.#ranges.copyWithin(base + 2 * (from + 1), base + 2 * to, base + 2 * count);
		this.#ranges[base + 2 * from] = start;
		this.#ranges[base + 2 * from + 1] = end;
		this.#counts[place] = count + 1 - (to - from);
	}

	#at(index: number): number {
		return this.#ranges[index] as number;
	}
}

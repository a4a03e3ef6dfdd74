/**
 * The bytes of one direction, never stored: each byte follows from its position. First comes what a client
 * begins with, then a random pattern from a place of the stream's own, so that a byte that is lost, doubled,
 * moved or of another stream is a byte that differs.
 */
import { at } from "../../src/reactor/at.js";
import { Random } from "./random.js";

const PATTERN_BYTES = 1 << 20;
const PATTERN = pattern();

/** Below this many bytes a loop is faster than a call. */
const LOOP_BYTES = 48;

export class Stream {
	/** Bytes that have arrived at the reactor's kernel. */
	arrived = 0;
	readonly prologue: Uint8Array;
	readonly #start: number;

	constructor(prologue: Uint8Array, start: number) {
		this.prologue = prologue;
		this.#start = start;
	}

	/** Copies the bytes from `position` on into memory. */
	copy(position: number, memory: Uint8Array, offset: number, length: number): void {
		let done = 0;
		for (; done < length && position + done < this.prologue.length; done++)
			memory[offset + done] = at(this.prologue, position + done);
		while (done < length) {
			const from = (this.#start + position + done) & (PATTERN_BYTES - 1);
			const count = Math.min(length - done, PATTERN_BYTES - from);
			PATTERN.copy(memory, offset + done, from, from + count);
			done += count;
		}
	}

	/** True when memory holds exactly the bytes from `position` on. */
	equals(position: number, memory: Uint8Array, offset: number, length: number): boolean {
		let done = 0;
		for (; done < length && position + done < this.prologue.length; done++)
			if (memory[offset + done] !== this.prologue[position + done]) return false;
		while (done < length) {
			const from = (this.#start + position + done) & (PATTERN_BYTES - 1);
			const count = Math.min(length - done, PATTERN_BYTES - from);
			if (!equalsPattern(from, memory, offset + done, count)) return false;
			done += count;
		}
		return true;
	}
}

function equalsPattern(from: number, memory: Uint8Array, offset: number, length: number): boolean {
	if (length > LOOP_BYTES) return PATTERN.compare(memory, offset, offset + length, from, from + length) === 0;
	for (let i = 0; i < length; i++) if (PATTERN[from + i] !== memory[offset + i]) return false;
	return true;
}

function pattern(): Buffer {
	const random = new Random(0x51);
	const words = new Int32Array(PATTERN_BYTES / 4);
	for (let i = 0; i < words.length; i++) words[i] = random.word();
	return Buffer.from(words.buffer);
}

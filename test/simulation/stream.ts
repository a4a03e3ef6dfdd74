/**
 * The bytes of one direction, as they come to the reactor. First comes what is scripted: a hello, requests,
 * answers. What follows is never stored: a random pattern from a place of the stream's own, so that a byte that is
 * lost, doubled, moved or of another stream is a byte that differs.
 */
import { Random } from "../../src/rig/random.js";

const PATTERN_BYTES = 1 << 20;
const PATTERN = pattern();

/** Below this many bytes a loop is faster than a call. */
const LOOP_BYTES = 48;

export class Stream {
	/** Bytes that have arrived at the reactor's kernel. */
	arrived = 0;
	/** Bytes of the script; the pattern begins behind them. */
	scripted: number;
	#script: Uint8Array;
	readonly #start: number;

	constructor(script: Uint8Array, start: number) {
		this.#script = script;
		this.scripted = script.length;
		this.#start = start;
	}

	/** Goes on with the script, of which the reactor has seen nothing that follows. */
	append(bytes: Uint8Array): void {
		const length = this.scripted + bytes.length;
		if (length > this.#script.length) {
			const larger = new Uint8Array(Math.max(length, 2 * this.#script.length));
			larger.set(this.#script.subarray(0, this.scripted));
			this.#script = larger;
		}
		this.#script.set(bytes, this.scripted);
		this.scripted = length;
	}

	/** Copies the bytes from `position` on into memory. */
	copy(position: number, memory: Uint8Array, offset: number, length: number): void {
		let done = Math.max(0, Math.min(length, this.scripted - position));
		memory.set(this.#script.subarray(position, position + done), offset);
		while (done < length) {
			const from = (this.#start + position + done) & (PATTERN_BYTES - 1);
			const count = Math.min(length - done, PATTERN_BYTES - from);
			PATTERN.copy(memory, offset + done, from, from + count);
			done += count;
		}
	}

	/** True when memory holds exactly the bytes from `position` on. */
	equals(position: number, memory: Uint8Array, offset: number, length: number): boolean {
		let done = Math.max(0, Math.min(length, this.scripted - position));
		const script = this.#script.subarray(position, position + done);
		if (Buffer.compare(script, memory.subarray(offset, offset + done)) !== 0) return false;
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

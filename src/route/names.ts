/**
 * Host names to numbers, looked up by bytes: no string is made for a connection. One pass over a name,
 * from its end, hashes all its suffixes on the way, so ten thousand names cost what ten cost.
 */

import type { Pieces } from "./pieces.js";

/** Names that are encoded and put into their cells in a piece. */
const NAMES_PER_PIECE = 64;

const ENCODER = new TextEncoder();

export class NameTable {
	readonly #mask: number;
	/** Open addressing: index of an entry plus one, 0 = empty. */
	readonly #cells: Int32Array;
	readonly #hashes: Int32Array;
	readonly #starts: Int32Array;
	readonly #bytes: Uint8Array;

	/** Room for so many names, of so many bytes all together. */
	private constructor(names: number, bytes: number) {
		let size = 8;
		// At most a quarter full: probes stay short whatever the names.
		while (size < names * 4) size *= 2;
		this.#mask = size - 1;
		this.#cells = new Int32Array(size);
		this.#hashes = new Int32Array(names);
		this.#starts = new Int32Array(names + 1);
		this.#bytes = new Uint8Array(bytes);
	}

	/** `names` in lower case; their index is what `find` returns. */
	static *build(names: readonly string[]): Pieces<NameTable> {
		const encoded: Uint8Array[] = [];
		let total = 0;
		for (const name of names) {
			const bytes = ENCODER.encode(name);
			total += bytes.length;
			if (encoded.push(bytes) % NAMES_PER_PIECE === 0) yield;
		}
		const table = new NameTable(names.length, total);
		let offset = 0;
		for (const [index, bytes] of encoded.entries()) {
			table.#bytes.set(bytes, offset);
			table.#starts[index] = offset;
			offset += bytes.length;
			table.#starts[index + 1] = offset;
			table.#insert(index, bytes);
			if (index % NAMES_PER_PIECE === NAMES_PER_PIECE - 1) yield;
		}
		return table;
	}

	/** Index of the name that equals `name[start, end)`, whose hash from the end is `hash`, or -1. */
	find(name: Uint8Array, start: number, end: number, hash: number): number {
		let cell = hash & this.#mask;
		for (;;) {
			const index = (this.#cells[cell] as number) - 1;
			if (index < 0) return -1;
			if (this.#hashes[index] === hash && this.#equals(index, name, start, end)) return index;
			cell = (cell + 1) & this.#mask;
		}
	}

	#insert(index: number, bytes: Uint8Array): void {
		let hash = HASH_START;
		for (let i = bytes.length - 1; i >= 0; i--) hash = hashStep(hash, bytes[i] as number);
		this.#hashes[index] = hash;
		let cell = hash & this.#mask;
		while (this.#cells[cell] !== 0) cell = (cell + 1) & this.#mask;
		this.#cells[cell] = index + 1;
	}

	#equals(index: number, name: Uint8Array, start: number, end: number): boolean {
		const from = this.#starts[index] as number;
		const length = (this.#starts[index + 1] as number) - from;
		if (length !== end - start) return false;
		for (let i = 0; i < length; i++) if (this.#bytes[from + i] !== name[start + i]) return false;
		return true;
	}
}

/** FNV-1a, byte by byte from the end of a name. */
export const HASH_START = 0x811c9dc5 | 0;

export function hashStep(hash: number, byte: number): number {
	return Math.imul(hash ^ byte, 0x01000193);
}

/** Which certificate a client is shown: by the name in its hello, before anything is decrypted. */
import { HASH_START, hashStep, NameTable } from "./names.js";
import type { Pieces } from "./pieces.js";

const DOT = 0x2e;

/** Entries that are sorted by their names in a piece. */
const ENTRIES_PER_PIECE = 16;

export class CertificateNames {
	readonly #exact: NameTable;
	readonly #exactValues: readonly number[];
	readonly #wild: NameTable;
	readonly #wildValues: readonly number[];
	readonly #any: number;

	/**
	 * `names`: lower case; `*.example.com` stands for exactly one label, as in certificates (RFC 6125, section 6.4.3),
	 * and `*` for whatever no other entry names, and for who names nothing. The first of equal ones wins.
	 */
	static *build(
		entries: readonly { readonly names: readonly string[]; readonly value: number }[],
	): Pieces<CertificateNames> {
		const exact = new Map<string, number>();
		const wild = new Map<string, number>();
		let any = -1;
		for (const [index, { names, value }] of entries.entries()) {
			for (const name of names) {
				if (name === "*") any = any < 0 ? value : any;
				else if (name.startsWith("*.")) keepFirst(wild, name.slice(2), value);
				else keepFirst(exact, name, value);
			}
			if (index % ENTRIES_PER_PIECE === ENTRIES_PER_PIECE - 1) yield;
		}
		return new CertificateNames(
			yield* NameTable.build([...exact.keys()]),
			[...exact.values()],
			yield* NameTable.build([...wild.keys()]),
			[...wild.values()],
			any,
		);
	}

	private constructor(
		exact: NameTable,
		exactValues: readonly number[],
		wild: NameTable,
		wildValues: readonly number[],
		any: number,
	) {
		this.#exact = exact;
		this.#exactValues = exactValues;
		this.#wild = wild;
		this.#wildValues = wildValues;
		this.#any = any;
	}

	/** The value of the entry for a name, or -1: nobody terminates it here. */
	find(name: Uint8Array, length: number): number {
		return this.#find(name, length, false);
	}

	/**
	 * The same for the Host of a request, for which routes let a wildcard stand for any number of labels: what is asked
	 * of clients of `*.example.com` is asked of those of `a.b.example.com`, too.
	 */
	findForHost(name: Uint8Array, length: number): number {
		return this.#find(name, length, true);
	}

	#find(name: Uint8Array, length: number, anyDepth: boolean): number {
		if (length === 0) return this.#any;
		let hash = HASH_START;
		// Suffixes are met from the shortest on, so the last one that has an entry is the nearest.
		let wild = -1;
		for (let i = length - 1; i >= 0; i--) {
			const byte = name[i] as number;
			if (byte === DOT && i > 0) {
				const index = this.#wild.find(name, i + 1, length, hash);
				if (index >= 0 || !anyDepth) wild = index;
			}
			hash = hashStep(hash, byte);
		}
		const exact = this.#exact.find(name, 0, length, hash);
		if (exact >= 0) return this.#exactValues[exact] as number;
		return wild >= 0 ? (this.#wildValues[wild] as number) : this.#any;
	}
}

function keepFirst(map: Map<string, number>, key: string, value: number): void {
	if (!map.has(key)) map.set(key, value);
}

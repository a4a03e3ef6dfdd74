/**
 * HKDF with SHA-256 (RFC 5869) for short messages, as QUIC derives its keys: each HMAC is four blocks, and two of them depend on its
 * key alone, and are kept (RFC 2104, section 4).
 */
import * as libc from "../libc.js";
import { sha256Transform } from "./ciphers.js";

const BLOCK_BYTES = 64;
export const DIGEST_BYTES = 32;
const WORDS = 8;

/** A message shares its block with a bit of padding and its own length. */
export const MESSAGE_MAX_BYTES = BLOCK_BYTES - 9;

/** `SHA256_CTX` of sha.h: the words of the state come first. */
const CONTEXT_BYTES = 112;

/** FIPS 180-4, section 5.3.3. */
const INITIAL_STATE = Uint32Array.of(
	0x6a09e667,
	0xbb67ae85,
	0x3c6ef372,
	0xa54ff53a,
	0x510e527f,
	0x9b05688c,
	0x1f83d9ab,
	0x5be0cd19,
);

const INNER_PAD = 0x36;
const OUTER_PAD = 0x5c;

/** What the hash has come to behind a key: the inner state, then the outer one. */
export type MacKey = Uint32Array;

export function newMacKey(): MacKey {
	return new Uint32Array(2 * WORDS);
}

export class Hkdf {
	readonly #block = new Uint8Array(new ArrayBuffer(BLOCK_BYTES));
	readonly #state = new Uint32Array(new ArrayBuffer(CONTEXT_BYTES));
	readonly #blockAt = libc.addressOf(this.#block);
	readonly #stateAt = libc.addressOf(this.#state);

	/** Prepares bytes[at, at + length), at most 64, as the key of what follows. */
	setKey(key: MacKey, bytes: Uint8Array, at: number, length: number): void {
		this.#padKey(INNER_PAD, bytes, at, length);
		for (let i = 0; i < WORDS; i++) key[i] = this.#state[i] as number;
		this.#padKey(OUTER_PAD, bytes, at, length);
		for (let i = 0; i < WORDS; i++) key[WORDS + i] = this.#state[i] as number;
	}

	#padKey(pad: number, bytes: Uint8Array, at: number, length: number): void {
		this.#block.fill(pad);
		for (let i = 0; i < length; i++) this.#block[i] = pad ^ (bytes[at + i] as number);
		this.#load(INITIAL_STATE, 0);
		sha256Transform(this.#stateAt, this.#blockAt);
	}

	/** The first `count` bytes of the HMAC of bytes[at, at + length), at most MESSAGE_MAX_BYTES, to `out` at `outAt`. */
	mac(
		key: MacKey,
		bytes: Uint8Array,
		at: number,
		length: number,
		out: Uint8Array,
		outAt: number,
		count = DIGEST_BYTES,
	): void {
		if (length > MESSAGE_MAX_BYTES)
			throw new RangeError(`a message of ${length} bytes takes more than a block`);
		for (let i = 0; i < length; i++) this.#block[i] = bytes[at + i] as number;
		this.#digest(key, 0, length);
		for (let i = 0; i < DIGEST_BYTES; i++) this.#block[i] = this.#byte(i);
		this.#digest(key, WORDS, DIGEST_BYTES);
		for (let i = 0; i < count; i++) out[outAt + i] = this.#byte(i);
	}

	/** Ends a hash that has seen the key's block, and the first `length` bytes of this one. */
	#digest(key: MacKey, from: number, length: number): void {
		const bits = (BLOCK_BYTES + length) * 8;
		this.#block.fill(0, length);
		this.#block[length] = 0x80;
		this.#block[BLOCK_BYTES - 2] = bits >> 8;
		this.#block[BLOCK_BYTES - 1] = bits & 0xff;
		this.#load(key, from);
		sha256Transform(this.#stateAt, this.#blockAt);
	}

	#load(words: Uint32Array, from: number): void {
		for (let i = 0; i < WORDS; i++) this.#state[i] = words[from + i] as number;
	}

	/** Of the digest, which is big-endian; words are as the processor has them, little-endian on all that run this. */
	#byte(index: number): number {
		return ((this.#state[index >> 2] as number) >>> (24 - 8 * (index & 3))) & 0xff;
	}
}

/** `HkdfLabel` of RFC 8446, section 7.1, without a context, and the counter of RFC 5869 for the first block. */
export function expandLabel(label: string, bytes: number): Uint8Array {
	const full = new TextEncoder().encode(`tls13 ${label}`);
	return Uint8Array.of(0, bytes, full.length, ...full, 0, 1);
}

/** A hash of bytes, seeded, so that nobody can choose addresses or connection IDs that share a chain. */
import { u8 } from "../../parts/at.js";

export function mixBytes(hash: number, bytes: Uint8Array, start: number, length: number): number {
	let mixed = hash;
	for (let i = start; i < start + length; i++) {
		mixed = Math.imul(mixed ^ u8(bytes, i), 0x85ebca6b);
		mixed ^= mixed >>> 15;
	}
	return mixed;
}

/** The end of murmur3's mixing. */
export function finish(hash: number): number {
	let mixed = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
	mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
	return (mixed ^ (mixed >>> 16)) >>> 0;
}

/** Another one for each table. */
export function newSeed(): number {
	return (Math.random() * 2 ** 32) | 0;
}

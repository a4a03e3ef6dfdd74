/** The smallest steps over bytes, shared by every parser in this folder. */

/**
 * The byte at `index`, which the caller has checked to be inside the array.
 *
 * `noUncheckedIndexedAccess` types every `bytes[i]` as possibly undefined. The parsers compare positions with
 * their `end` before they read, so the one assertion lives here, and the JIT inlines it to a plain load.
 */
export function at(bytes: Uint8Array, index: number): number {
	return bytes[index] as number;
}

/** Two bytes, big-endian. */
export function u16(bytes: Uint8Array, index: number): number {
	return (at(bytes, index) << 8) | at(bytes, index + 1);
}

/** `A`–`Z` to `a`–`z`; every other byte stays what it is. */
export function toLower(byte: number): number {
	return byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte;
}

export function isDigit(byte: number): boolean {
	return byte >= 0x30 && byte <= 0x39;
}

/** Whether bytes[start, end) are exactly `expected`. */
export function equals(bytes: Uint8Array, start: number, end: number, expected: Uint8Array): boolean {
	return end - start === expected.length && commonPrefix(bytes, start, end, expected) === expected.length;
}

/** Whether bytes[start, end) are `lowerCased`, upper-case ASCII counting as lower-case. */
export function equalsIgnoringCase(
	bytes: Uint8Array,
	start: number,
	end: number,
	lowerCased: Uint8Array,
): boolean {
	if (end - start !== lowerCased.length) return false;
	for (let i = 0; i < lowerCased.length; i++) {
		if (toLower(at(bytes, start + i)) !== at(lowerCased, i)) return false;
	}
	return true;
}

/** How many bytes of `expected` stand at `start`, at most up to `end`. */
export function commonPrefix(bytes: Uint8Array, start: number, end: number, expected: Uint8Array): number {
	const limit = Math.min(end - start, expected.length);
	let i = 0;
	while (i < limit && at(bytes, start + i) === at(expected, i)) i++;
	return i;
}

/** Bytes for a constant written as ASCII text. Allocates: for module constants only. */
export function ascii(text: string): Uint8Array {
	return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/** One character per byte (Latin-1). Allocates: for people, logs and tests. */
export function textOf(bytes: Uint8Array, start: number, end: number): string {
	let text = "";
	for (let i = start; i < end; i++) text += String.fromCharCode(at(bytes, i));
	return text;
}

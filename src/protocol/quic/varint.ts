/** Numbers of QUIC (RFC 9000, section 16): the first two bits say whether 1, 2, 4 or 8 bytes hold the rest. */
import { at } from "../bytes.js";

/** What `varint` says when the bytes end before the number does. */
export const CUT_SHORT = -1;

/** How many bytes the number takes that begins with this one. */
export function varintBytes(first: number): number {
	return 1 << (first >> 6);
}

/**
 * The number at bytes[start, end), or CUT_SHORT. Numbers go up to 2^62: those above 2^53 lose their last bits here, and are above
 * every limit without them.
 */
export function varint(bytes: Uint8Array, start: number, end: number): number {
	if (start >= end) return CUT_SHORT;
	const first = at(bytes, start);
	const length = varintBytes(first);
	if (start + length > end) return CUT_SHORT;
	let value = first & 0x3f;
	for (let i = 1; i < length; i++) value = value * 256 + at(bytes, start + i);
	return value;
}

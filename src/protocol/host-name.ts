/** Host names as they stand in SNI, Host and authorities: one grammar, so that one name means one route. */
import { readIpv6, writeAddressText } from "./address.js";
import { at, isDigit, toLower } from "./bytes.js";

/** Room for any name: a DNS name has at most 253 characters without its final dot (RFC 1035, 2.3.4). */
export const HOST_NAME_CAPACITY_BYTES = 255;

/** What the functions of this file return instead of a length. */
export const INVALID_HOST_NAME = -1;

const NAME_LIMIT_BYTES = 253;
const LABEL_LIMIT_BYTES = 63;
const DOT = 0x2e;

const ipv6Scratch = new Uint8Array(16);

/**
 * Copies the name bytes[start, end) to `out`, lower-cased and without a final dot, and returns its length.
 *
 * Letters, digits, `-` and `_` in labels of 1 to 63 are taken: what DNS resolvers meet in practice, wider than
 * RFC 952's host names (`_`, hyphens at either end), and without any byte that two readers could take
 * differently (percent-encoding, spaces, NUL, anything beyond ASCII).
 */
export function copyHostName(bytes: Uint8Array, start: number, end: number, out: Uint8Array): number {
	const last = end > start && at(bytes, end - 1) === DOT ? end - 1 : end;
	const length = last - start;
	if (length < 1 || length > NAME_LIMIT_BYTES) return INVALID_HOST_NAME;
	let label = 0;
	for (let i = 0; i < length; i++) {
		const byte = toLower(at(bytes, start + i));
		if (byte === DOT) {
			if (label === 0) return INVALID_HOST_NAME;
			label = 0;
		} else {
			label++;
			if (label > LABEL_LIMIT_BYTES || !isNameByte(byte)) return INVALID_HOST_NAME;
		}
		out[i] = byte;
	}
	return label === 0 ? INVALID_HOST_NAME : length;
}

/** `byte` is already lower-case. */
function isNameByte(byte: number): boolean {
	return (byte >= 0x61 && byte <= 0x7a) || isDigit(byte) || byte === 0x2d || byte === 0x5f;
}

/**
 * Writes the IPv6 address bytes[start, end) in the one spelling of RFC 5952, and returns how long that is: an address
 * has many spellings, and a route must not be evaded by another.
 */
export function writeIpv6Literal(bytes: Uint8Array, start: number, end: number, out: Uint8Array): number {
	if (!readIpv6(bytes, start, end, ipv6Scratch, 0)) return INVALID_HOST_NAME;
	return writeAddressText(out, 0, 6, ipv6Scratch, 0);
}

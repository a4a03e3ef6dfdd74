/**
 * The hello of SSL 2, which clients that could speak SSL 2 also sent to servers of SSL 3 and TLS. It is recognised only
 * to be told that its time is over (RFC 6176); it carries no name to route by.
 *
 *     record header     2   0x80 | length, high byte; low byte        RFC 5246, E.2
 *     message type      1   1
 *     version           2   0.2, or the highest that the client speaks, 3.x
 *     lengths         3 × 2   of cipher specs (3 bytes each), session id (0 or 16), challenge (16 to 32)
 */
import { at, u16 } from "./bytes.js";
import { COMPLETE, MALFORMED, NEED_MORE, type Verdict } from "./verdict.js";

const HEADER_BYTES = 2;
const LENGTHS_BYTES = 9;
const NEEDED_BYTES = HEADER_BYTES + LENGTHS_BYTES;

/** The first byte of a record of SSL 2: the header has two bytes, and no padding follows. */
export function beginsSsl2Record(byte: number): boolean {
	return (byte & 0x80) !== 0;
}

/**
 * Whether bytes[start, end) begin with such a hello. Its lengths have to agree to the byte: other protocols begin with a
 * set bit, too. NEED_MORE: they may; eleven bytes decide.
 */
export function recognizeSsl2Hello(bytes: Uint8Array, start: number, end: number): Verdict {
	if (end > start && !beginsSsl2Record(at(bytes, start))) return MALFORMED;
	if (end > start + 2 && at(bytes, start + 2) !== 1) return MALFORMED;
	if (end > start + 3 && at(bytes, start + 3) !== 0 && at(bytes, start + 3) !== 3) return MALFORMED;
	if (end > start + 4 && at(bytes, start + 3) === 0 && at(bytes, start + 4) !== 2) return MALFORMED;
	if (end < start + NEEDED_BYTES) return NEED_MORE;
	const length = u16(bytes, start) & 0x7fff;
	const cipherBytes = u16(bytes, start + 5);
	const sessionBytes = u16(bytes, start + 7);
	const challengeBytes = u16(bytes, start + 9);
	const fits =
		cipherBytes > 0 &&
		cipherBytes % 3 === 0 &&
		(sessionBytes === 0 || sessionBytes === 16) &&
		challengeBytes >= 16 &&
		challengeBytes <= 32 &&
		length === LENGTHS_BYTES + cipherBytes + sessionBytes + challengeBytes;
	return fits ? COMPLETE : MALFORMED;
}

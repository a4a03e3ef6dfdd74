/**
 * Datagrams on a line: docs/tunnel-wire.md, "Datagrams". Each is a frame:
 *
 *     length, 2 bytes, big-endian │ the datagram
 *
 * A line keeps the bounds of datagrams, and nothing else of what UDP says with them.
 */
import { at, u16 } from "../bytes.js";

export const LENGTH_BYTES = 2;

/** A frame fits the 32 KiB that either side receives at once, and keeps of what the other does not take. */
export const LINE_FRAME_MAX_BYTES = 32_768;

/** The longest datagram that a line carries. UDP has longer ones, of which next to nobody makes use: they would be cut into 45 packets. */
export const LINE_DATAGRAM_MAX_BYTES = LINE_FRAME_MAX_BYTES - LENGTH_BYTES;

/** Some of the frame is still to come. */
export const FRAME_CUT = -1;
/** No frame is so long: the two do not understand each other. */
export const FRAME_TOO_LONG = -2;

/** The length of the datagram whose frame bytes[start, end) begins with: 0 is one, too. Or FRAME_CUT, or FRAME_TOO_LONG. */
export function datagramOfFrame(bytes: Uint8Array, start: number, end: number): number {
	if (end - start < LENGTH_BYTES) {
		// The first byte alone may say it.
		const leads = end - start === 1 && at(bytes, start) << 8 > LINE_DATAGRAM_MAX_BYTES;
		return leads ? FRAME_TOO_LONG : FRAME_CUT;
	}
	const length = u16(bytes, start);
	if (length > LINE_DATAGRAM_MAX_BYTES) return FRAME_TOO_LONG;
	return end - start < LENGTH_BYTES + length ? FRAME_CUT : length;
}

/** Writes what stands before a datagram of that length. Returns where the datagram begins. */
export function writeFrameLength(out: Uint8Array, offset: number, length: number): number {
	if (length > LINE_DATAGRAM_MAX_BYTES) throw new RangeError(`no frame holds ${length} bytes`);
	out[offset] = length >> 8;
	out[offset + 1] = length & 0xff;
	return offset + LENGTH_BYTES;
}

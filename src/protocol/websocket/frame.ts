/**
 * Frames of WebSocket as clients send them (RFC 6455, section 5.2), read strictly:
 *
 *     1 byte     FIN, three reserved bits, opcode
 *     1 byte     MASK (always, from a client), length: up to 125, or 126 and 127 for two and eight bytes that follow
 *     4 bytes    masking key
 *     …          payload
 *
 * A pure function over bytes: what is not whole yet is looked at again when more has come, so that nothing has to be kept for a frame
 * that is under way.
 */
import { at } from "../bytes.js";
import { COMPLETE, MALFORMED, NEED_MORE, type Verdict } from "../verdict.js";
import { CLOSE_PROTOCOL_ERROR, CLOSE_TOO_LARGE } from "./close-codes.js";

export const OPCODE_CONTINUATION = 0x0;
export const OPCODE_TEXT = 0x1;
export const OPCODE_BINARY = 0x2;
export const OPCODE_CLOSE = 0x8;
export const OPCODE_PING = 0x9;
export const OPCODE_PONG = 0xa;

const FIN = 0x80;
const RESERVED_BITS = 0x70;
const OPCODE_BITS = 0x0f;
const CONTROL = 0x08;
const MASK = 0x80;
const LENGTH_BITS = 0x7f;

/** The lengths that say: the length follows. */
const LENGTH_IN_2 = 126;
const LENGTH_IN_8 = 127;

/** RFC 6455, section 5.5 */
export const CONTROL_MAX_BYTES = 125;

const KEY_BYTES = 4;

/** From a client's first byte to its payload: at most so many. */
export const HEADER_MAX_BYTES = 14;

/** The closed list of causes for MALFORMED. */
export type FrameFault =
	| "reserved_bits"
	| "opcode"
	| "control_fragmented"
	| "control_too_long"
	| "not_masked"
	| "length_not_shortest"
	| "length_too_great"
	| "frame_too_large"
	| "continuation_of_nothing"
	| "message_interrupted";

/** One frame. Positions are of the bytes that were parsed. */
export class Frame {
	opcode = OPCODE_CONTINUATION;
	/** It is the last one of its message. */
	isFinal = false;
	keyAt = 0;
	payloadAt = 0;
	/** Behind its last byte: the next frame begins there. */
	end = 0;
	/** With NEED_MORE: at least so many bytes, counted from `start`, make up this frame. */
	needBytes = 0;
	/** With MALFORMED: what was wrong, and the code to close with. */
	cause: FrameFault | "" = "";
	closeCode = 0;

	get payloadBytes(): number {
		return this.end - this.payloadAt;
	}

	get isControl(): boolean {
		return (this.opcode & CONTROL) !== 0;
	}
}

/**
 * Reads the frame at bytes[start, end). `isAmid`: a message has begun, and its end has not come: a frame of data must go on with it.
 * `most`: bytes that a payload may have.
 */
export function parseFrame(
	bytes: Uint8Array,
	start: number,
	end: number,
	isAmid: boolean,
	most: number,
	out: Frame,
): Verdict {
	out.cause = "";
	out.closeCode = 0;
	if (end - start < 2) {
		// The first byte alone may be wrong already.
		if (end > start && !readFirst(at(bytes, start), isAmid, out)) return MALFORMED;
		return needMore(out, 2);
	}
	if (!readFirst(at(bytes, start), isAmid, out)) return MALFORMED;
	const second = at(bytes, start + 1);
	if ((second & MASK) === 0) return fail(out, "not_masked");
	const short = second & LENGTH_BITS;
	if (out.isControl && short > CONTROL_MAX_BYTES) return fail(out, "control_too_long");
	const lengthBytes = short === LENGTH_IN_2 ? 2 : short === LENGTH_IN_8 ? 8 : 0;
	const headerBytes = 2 + lengthBytes + KEY_BYTES;
	if (end - start < 2 + lengthBytes) return needMore(out, headerBytes);
	const length = lengthBytes === 0 ? short : longLength(bytes, start + 2, lengthBytes, out);
	if (length < 0) return MALFORMED;
	if (length > most) return fail(out, "frame_too_large", CLOSE_TOO_LARGE);
	out.keyAt = start + 2 + lengthBytes;
	out.payloadAt = start + headerBytes;
	out.end = out.payloadAt + length;
	return out.end > end ? needMore(out, out.end - start) : COMPLETE;
}

function readFirst(first: number, isAmid: boolean, out: Frame): boolean {
	out.isFinal = (first & FIN) !== 0;
	out.opcode = first & OPCODE_BITS;
	const fault = faultOf(first, isAmid, out);
	if (fault !== "") fail(out, fault);
	return fault === "";
}

function faultOf(first: number, isAmid: boolean, { opcode, isFinal, isControl }: Frame): FrameFault | "" {
	// RFC 6455, section 5.2: no extension has been agreed on.
	if ((first & RESERVED_BITS) !== 0) return "reserved_bits";
	if (isControl) {
		if (opcode > OPCODE_PONG) return "opcode";
		return isFinal ? "" : "control_fragmented";
	}
	if (opcode > OPCODE_BINARY) return "opcode";
	if (opcode === OPCODE_CONTINUATION) return isAmid ? "" : "continuation_of_nothing";
	return isAmid ? "message_interrupted" : "";
}

/** Below 0: it is malformed. */
function longLength(bytes: Uint8Array, start: number, lengthBytes: number, out: Frame): number {
	let length = 0;
	for (let i = 0; i < lengthBytes; i++) length = length * 256 + at(bytes, start + i);
	// RFC 6455, section 5.2: the first bit of eight bytes is 0.
	if (lengthBytes === 8 && (at(bytes, start) & 0x80) !== 0) return failed(out, "length_too_great");
	const isShortest = lengthBytes === 2 ? length > CONTROL_MAX_BYTES : length > 0xffff;
	return isShortest ? length : failed(out, "length_not_shortest");
}

/** Takes the mask off the payload, where it lies. */
export function unmask(bytes: Uint8Array, { keyAt, payloadAt, end }: Frame): void {
	for (let i = payloadAt; i < end; i++)
		bytes[i] = at(bytes, i) ^ at(bytes, keyAt + ((i - payloadAt) & (KEY_BYTES - 1)));
}

/** The header of a frame that a server sends, unmasked: written to out[offset]. Returns its length. */
export function writeFrameHeader(
	out: Uint8Array,
	offset: number,
	opcode: number,
	payloadBytes: number,
): number {
	out[offset] = FIN | opcode;
	if (payloadBytes <= CONTROL_MAX_BYTES) {
		out[offset + 1] = payloadBytes;
		return 2;
	}
	if (payloadBytes <= 0xffff) {
		out[offset + 1] = LENGTH_IN_2;
		out[offset + 2] = payloadBytes >> 8;
		out[offset + 3] = payloadBytes & 0xff;
		return 4;
	}
	out[offset + 1] = LENGTH_IN_8;
	let rest = payloadBytes;
	for (let i = 7; i >= 0; i--) {
		out[offset + 2 + i] = rest % 256;
		rest = Math.floor(rest / 256);
	}
	return 10;
}

function needMore(out: Frame, needBytes: number): Verdict {
	out.needBytes = needBytes;
	return NEED_MORE;
}

function fail(out: Frame, cause: FrameFault, closeCode: number = CLOSE_PROTOCOL_ERROR): Verdict {
	out.cause = cause;
	out.closeCode = closeCode;
	return MALFORMED;
}

function failed(out: Frame, cause: FrameFault): number {
	fail(out, cause);
	return -1;
}

/** What a close frame says (RFC 6455, section 5.5.1): nothing, or a code and a reason. */
import { at } from "../bytes.js";
import { CLOSE_NONE, CLOSE_NOT_UTF8, CLOSE_PROTOCOL_ERROR, mayBeSent } from "./close-codes.js";
import { CONTROL_MAX_BYTES, OPCODE_CLOSE, writeFrameHeader } from "./frame.js";
import { isUtf8 } from "./utf8.js";

/** The code that the payload bytes[start, end), without its mask, is answered with: its own, CLOSE_NONE for none, or that of its fault. */
export function answerToClose(bytes: Uint8Array, start: number, end: number): number {
	if (start === end) return CLOSE_NONE;
	const code = codeAt(bytes, start, end);
	if (!mayBeSent(code)) return CLOSE_PROTOCOL_ERROR;
	return isUtf8(bytes, start + 2, end) ? code : CLOSE_NOT_UTF8;
}

/** 0, which nobody may send, where it is cut short. */
function codeAt(bytes: Uint8Array, start: number, end: number): number {
	return end - start < 2 ? 0 : at(bytes, start) * 256 + at(bytes, start + 1);
}

const ENCODER = new TextEncoder();

/** Writes a close frame to out[offset], its reason cut to what fits, between two characters. CLOSE_NONE: without a code. Returns its length. */
export function writeClose(out: Uint8Array, offset: number, code: number, reason = ""): number {
	if (code === CLOSE_NONE) return writeFrameHeader(out, offset, OPCODE_CLOSE, 0);
	// The header of a frame that is as short takes two bytes, and the code another two.
	const { written } = ENCODER.encodeInto(reason, out.subarray(offset + 4, offset + 2 + CONTROL_MAX_BYTES));
	writeFrameHeader(out, offset, OPCODE_CLOSE, 2 + written);
	out[offset + 2] = code >> 8;
	out[offset + 3] = code & 0xff;
	return 4 + written;
}

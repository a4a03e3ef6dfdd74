/** What a client's frames come to, one after the other (RFC 6455, section 5.4): messages, of one frame or of fragments, and control frames between. */
import { CLOSE_NOT_UTF8, CLOSE_TOO_LARGE } from "./close-codes.js";
import {
	type Frame,
	OPCODE_CLOSE,
	OPCODE_CONTINUATION,
	OPCODE_PING,
	OPCODE_PONG,
	OPCODE_TEXT,
} from "./frame.js";
import { UTF8_WHOLE, UTF8_WRONG, utf8 } from "./utf8.js";

/** What is kept of a connection between two frames: a few numbers. */
export interface IncomingState {
	/** OPCODE_TEXT or OPCODE_BINARY while a message is under way that came in part; 0: none is. */
	opcode: number;
	/** Bytes of it so far, and where its text stands between two characters. */
	bytes: number;
	utf8: number;
}

export const INCOMING_FRAGMENT = 0;
/** A message ends with this frame; `wasText` says of which kind it is. */
export const INCOMING_MESSAGE = 1;
export const INCOMING_PING = 2;
export const INCOMING_PONG = 3;
export const INCOMING_CLOSE = 4;
/** It ends the connection, with `closeCode`. */
export const INCOMING_FAULT = 5;

/** What the last frame came to. One object serves one reactor. */
export class Incoming {
	wasText = false;
	closeCode = 0;
}

export function newIncoming(): IncomingState {
	return { opcode: 0, bytes: 0, utf8: UTF8_WHOLE };
}

/** Whether a message is under way: `parseFrame` asks. */
export function isAmidMessage(state: IncomingState): boolean {
	return state.opcode !== 0;
}

/** Takes a frame that is whole, and whose payload has no mask any more. `most`: bytes that a message may have. */
export function takeFrame(
	bytes: Uint8Array,
	frame: Frame,
	state: IncomingState,
	most: number,
	out: Incoming,
): number {
	switch (frame.opcode) {
		case OPCODE_PING:
			return INCOMING_PING;
		case OPCODE_PONG:
			return INCOMING_PONG;
		case OPCODE_CLOSE:
			return INCOMING_CLOSE;
		default:
			return takeData(bytes, frame, state, most, out);
	}
}

function takeData(
	bytes: Uint8Array,
	frame: Frame,
	state: IncomingState,
	most: number,
	out: Incoming,
): number {
	if (frame.opcode !== OPCODE_CONTINUATION) {
		state.opcode = frame.opcode;
		state.bytes = 0;
		state.utf8 = UTF8_WHOLE;
	}
	state.bytes += frame.payloadBytes;
	if (state.bytes > most) return fault(out, CLOSE_TOO_LARGE);
	out.wasText = state.opcode === OPCODE_TEXT;
	if (out.wasText) state.utf8 = utf8(state.utf8, bytes, frame.payloadAt, frame.end);
	if (state.utf8 === UTF8_WRONG) return fault(out, CLOSE_NOT_UTF8);
	if (!frame.isFinal) return INCOMING_FRAGMENT;
	state.opcode = 0;
	return state.utf8 === UTF8_WHOLE ? INCOMING_MESSAGE : fault(out, CLOSE_NOT_UTF8);
}

function fault(out: Incoming, closeCode: number): number {
	out.closeCode = closeCode;
	return INCOMING_FAULT;
}

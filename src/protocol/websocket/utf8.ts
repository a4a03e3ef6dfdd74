/**
 * Whether bytes are UTF-8 (RFC 3629), also when they come in pieces: a small number says where the last piece ended, so that a message
 * whose fragments are cut within a character is judged as a whole, and a fault is found as soon as it is there.
 */
import { at } from "../bytes.js";

/** Between two characters: here a text begins, and may end. */
export const UTF8_WHOLE = 0;
/** No bytes can make it good. */
export const UTF8_WRONG = 8;

// Within a character: how many bytes follow, and what the next one may be.
const ONE = 1;
const TWO = 2;
const THREE = 3;
/** E0: no overlong form. ED: no surrogate. F0: no overlong form. F4: nothing above U+10FFFF. */
const TWO_FROM_A0 = 4;
const TWO_TO_9F = 5;
const THREE_FROM_90 = 6;
const THREE_TO_8F = 7;

/** Goes on from `state` with bytes[start, end). Returns the state behind them. */
export function utf8(state: number, bytes: Uint8Array, start: number, end: number): number {
	let now = state;
	for (let i = start; i < end && now !== UTF8_WRONG; i++) {
		const byte = at(bytes, i);
		if (now === UTF8_WHOLE && byte < 0x80) continue;
		now = now === UTF8_WHOLE ? first(byte) : next(now, byte);
	}
	return now;
}

/** Whether bytes[start, end) are a text, complete. */
export function isUtf8(bytes: Uint8Array, start: number, end: number): boolean {
	return utf8(UTF8_WHOLE, bytes, start, end) === UTF8_WHOLE;
}

function first(byte: number): number {
	if (byte < 0xc2) return UTF8_WRONG;
	if (byte < 0xe0) return ONE;
	if (byte < 0xf0) return byte === 0xe0 ? TWO_FROM_A0 : byte === 0xed ? TWO_TO_9F : TWO;
	if (byte > 0xf4) return UTF8_WRONG;
	return byte === 0xf0 ? THREE_FROM_90 : byte === 0xf4 ? THREE_TO_8F : THREE;
}

function next(state: number, byte: number): number {
	if (byte < 0x80 || byte > 0xbf) return UTF8_WRONG;
	switch (state) {
		case ONE:
			return UTF8_WHOLE;
		case TWO:
			return ONE;
		case THREE:
			return TWO;
		case TWO_FROM_A0:
			return byte >= 0xa0 ? ONE : UTF8_WRONG;
		case TWO_TO_9F:
			return byte <= 0x9f ? ONE : UTF8_WRONG;
		case THREE_FROM_90:
			return byte >= 0x90 ? TWO : UTF8_WRONG;
		default:
			return byte <= 0x8f ? TWO : UTF8_WRONG;
	}
}

/** The bytes that HTTP/1.1 is made of, and the lists inside its values (RFC 9110, 5.5 and 5.6). */
import { at, toLower } from "../bytes.js";

export const HT = 0x09;
export const LF = 0x0a;
export const CR = 0x0d;
export const SP = 0x20;
export const QUOTE = 0x22;
export const ASTERISK = 0x2a;
export const COMMA = 0x2c;
const HYPHEN = 0x2d;
export const SLASH = 0x2f;
export const ZERO = 0x30;
export const COLON = 0x3a;
export const SEMICOLON = 0x3b;
export const EQUALS = 0x3d;
export const QUESTION = 0x3f;
export const BACKSLASH = 0x5c;

/** RFC 9110, 5.6.2: what methods, field names and list members are made of. */
export const IS_TOKEN = byteClass((byte) => /[!#$%&'*+\-.^_`|~0-9A-Za-z]/.test(String.fromCharCode(byte)));

/** Visible ASCII; `#` is refused because a fragment is never sent, and readers differ on what it would mean. */
export const IS_TARGET = byteClass((byte) => byte > 0x20 && byte < 0x7f && byte !== 0x23);

/** RFC 9110, 5.5: tab, space, visible ASCII, and obs-text. */
export const IS_VALUE = byteClass((byte) => byte === HT || (byte >= 0x20 && byte !== 0x7f));

/** Whatever does not end a line. */
export const IS_WITHIN_LINE = byteClass((byte) => byte !== CR && byte !== LF);

function byteClass(contains: (byte: number) => boolean): Uint8Array {
	return Uint8Array.from({ length: 256 }, (_, byte) => (contains(byte) ? 1 : 0));
}

/**
 * The first position in bytes[start, limit) that holds no byte of `contains` (one of the classes above). Four at a
 * time: a head is mostly this loop, and one branch for four bytes takes a quarter off it.
 */
export function skip(bytes: Uint8Array, start: number, limit: number, contains: Uint8Array): number {
	let position = start;
	for (const last = limit - 4; position <= last; position += 4) {
		const a = at(contains, at(bytes, position)) & at(contains, at(bytes, position + 1));
		const b = at(contains, at(bytes, position + 2)) & at(contains, at(bytes, position + 3));
		if ((a & b) === 0) break;
	}
	while (position < limit && at(contains, at(bytes, position)) === 1) position++;
	return position;
}

/** The array that was looked at last: nearly always the same as before. */
let viewed: Uint8Array = new Uint8Array(0);
let view = new DataView(viewed.buffer);

/** The same bytes, to be read four at a time. */
export function viewOf(bytes: Uint8Array): DataView {
	if (bytes !== viewed) {
		viewed = bytes;
		view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
	}
	return view;
}

/**
 * `skip` for IS_VALUE, of which most of a head is. Four bytes are compared at once: what is below 0x20 borrows in the
 * first term, what is beyond ASCII shows in the second, and 0x7f borrows in the third. A borrow can make the byte behind
 * it look so, too, but never one before it, so the first that shows is one. Of these the table says which may pass.
 */
export function skipValue(view: DataView, bytes: Uint8Array, start: number, limit: number): number {
	let position = start;
	for (const last = limit - 4; position <= last; ) {
		const four = view.getInt32(position, true);
		const shown = ((four - 0x20202020) | four | ((four ^ 0x7f7f7f7f) - 0x01010101)) & 0x80808080;
		if (shown === 0) {
			position += 4;
			continue;
		}
		position += (31 - Math.clz32(shown & -shown)) >> 3;
		if (at(IS_VALUE, at(bytes, position)) === 0) return position;
		position++;
	}
	while (position < limit && at(IS_VALUE, at(bytes, position)) === 1) position++;
	return position;
}

/** Whether a line ends (CR or LF) within bytes[start, end). */
export function hasLineEnd(bytes: Uint8Array, start: number, end: number): boolean {
	for (let i = start; i < end; i++) if (at(bytes, i) === CR || at(bytes, i) === LF) return true;
	return false;
}

export function isSpace(byte: number): boolean {
	return byte === SP || byte === HT;
}

/**
 * One member of the comma-separated list bytes[from, end) (RFC 9110, 5.6.1): `start` and `end` without the white
 * space around it. Empty members, which the RFC tells recipients to skip, are found as empty.
 */
export class ListMember {
	start = 0;
	end = 0;
	/** Where the next member begins; beyond the list's end after the last. */
	next = 0;

	/** Moves to the member that begins at `from`; false once the list is over. */
	read(bytes: Uint8Array, from: number, end: number): boolean {
		if (from > end) return false;
		let comma = from;
		while (comma < end && at(bytes, comma) !== COMMA) comma++;
		let first = from;
		let last = comma;
		while (first < last && isSpace(at(bytes, first))) first++;
		while (last > first && isSpace(at(bytes, last - 1))) last--;
		this.start = first;
		this.end = last;
		this.next = comma + 1;
		return true;
	}
}

/** Whether bytes[start, end) is a token: at least one byte, and nothing else. */
export function isToken(bytes: Uint8Array, start: number, end: number): boolean {
	let position = start;
	while (position < end && at(IS_TOKEN, at(bytes, position)) === 1) position++;
	return position === end && end > start;
}

/** Whether two spans hold the same ASCII, upper case counting as lower. */
export function isSameIgnoringCase(
	bytes: Uint8Array,
	start: number,
	end: number,
	otherStart: number,
	otherEnd: number,
): boolean {
	if (end - start !== otherEnd - otherStart) return false;
	for (let i = start, j = otherStart; i < end; i++, j++) {
		if (toLower(at(bytes, i)) !== toLower(at(bytes, j))) return false;
	}
	return true;
}

/** Letters in lower case, digits, and `-` for all others. */
const SPELT = Uint8Array.from({ length: 256 }, (_, byte) =>
	/[0-9A-Za-z]/.test(String.fromCharCode(byte)) ? toLower(byte) : HYPHEN,
);

/** Whether a byte of a field name stands for `-` to some servers, and is another one. */
export function isOtherHyphen(byte: number): boolean {
	return byte !== HYPHEN && at(SPELT, byte) === HYPHEN;
}

/**
 * Whether bytes[start, end) are the field name `lowerCased`, all but letters and digits counting as `-`. Servers that
 * hand fields on as variables (CGI, WSGI, PHP) make HTTP_X_USER of `X-User` and of `X_User` alike, some of `X.User` as
 * well, so a name that this gateway owns must not be sayable in a second spelling. `lowerCased` is written with `-`.
 */
export function isSpellingOf(bytes: Uint8Array, start: number, end: number, lowerCased: Uint8Array): boolean {
	if (end - start !== lowerCased.length) return false;
	for (let i = 0; i < lowerCased.length; i++) {
		if (at(SPELT, at(bytes, start + i)) !== at(lowerCased, i)) return false;
	}
	return true;
}

/**
 * The normal form of a path (RFC 3986, 6.2.2): one spelling for all that servers take for one path, so that a route
 * which is to keep something out is not passed by writing it in another way.
 *
 *     /%61dmin/            unreserved characters decoded        /admin/
 *     /x/../admin/./       dot segments resolved                /admin/
 *     //admin\x%2fy        slashes: runs, backslashes, encoded  /admin/x/y
 *     /x/..;a=b/admin/     whatever parameters they have        /admin/
 *
 * Everything else stays as it is, hexadecimal digits in upper case. Parameters of other segments (`/a;v=1`) belong to
 * the normal form, and are left out where routes are matched: some servers take them for a part of the name, others
 * cut them off before they look for it. What RFC 3986 reserves (`%40` for `@`) stays encoded in the normal form, and is
 * decoded where routes are matched, because nearly all servers decode it before they look for a name.
 */
import { at } from "../bytes.js";
import { BACKSLASH, QUESTION, SEMICOLON, SLASH, ZERO } from "./grammar.js";
import { HEAD_LIMIT_BYTES } from "./head-end.js";

const PERCENT = 0x25;
const DOT = 0x2e;
const HASH = 0x23;

/** Where a path may differ from its normal form, or be matched in another: 1; a slash, which decides with what follows it: 2. */
const TELLING = new Uint8Array(256);
for (const byte of [PERCENT, BACKSLASH, SEMICOLON]) TELLING[byte] = 1;
TELLING[SLASH] = 2;

/** RFC 3986, 2.3. */
const IS_UNRESERVED = Uint8Array.from({ length: 256 }, (_, byte) =>
	/[-.~_0-9A-Za-z]/.test(String.fromCharCode(byte)) ? 1 : 0,
);

/** What decides with what follows or precedes it stays encoded where routes are matched; so does what is not visible. */
const IS_MATCHED_DECODED = Uint8Array.from({ length: 256 }, (_, byte) =>
	byte > 0x20 && byte < 0x7f && ![PERCENT, SEMICOLON, QUESTION, HASH].includes(byte) ? 1 : 0,
);

/**
 * Whether the path bytes[start, end), up to its query, may differ from its normal form. All others, nearly all of the
 * world, are in it, and cost this one look.
 */
export function mayDiffer(bytes: Uint8Array, start: number, end: number): boolean {
	for (let i = start; i < end; i++) {
		const byte = at(bytes, i);
		if (byte === QUESTION) return false;
		const tells = at(TELLING, byte);
		if (tells === 0) continue;
		if (tells === 1) return true;
		const next = i + 1 < end ? at(bytes, i + 1) : 0;
		if (next === SLASH || next === DOT) return true;
	}
	return false;
}

/** A path read into its normal form. One object serves one reactor and never allocates. */
export class PathForm {
	/** The normal form, bytes[0, length). */
	readonly bytes = new Uint8Array(HEAD_LIMIT_BYTES);
	length = 0;
	/** What routes are matched against: the same without parameters. */
	readonly matched = new Uint8Array(HEAD_LIMIT_BYTES);
	matchedLength = 0;
	/** Where the path that was read ends, and its query begins. */
	end = 0;
	/** It was written in its normal form, but for the case of hexadecimal digits. */
	isNormal = true;
	/** It has an encoded NUL, where many a server believes that it ends. */
	hasNul = false;
	/** It has a `%` that encodes nothing: decoding what follows could make it do so, so there is no normal form. */
	isMalformed = false;
	/**
	 * It has what some servers decode further than others: `%25` before a hexadecimal number, and UTF-8 that is longer
	 * than it need be.
	 */
	isDoubtful = false;
	/**
	 * A server that has fewer names for a slash, or keeps empty segments, or takes `..;x` for a name, takes out another
	 * segment by a `..`, or cuts off more as a parameter: `/admin/x%2f../..` is `/` to one, `/admin/` to another.
	 */
	isAmbiguous = false;
	#segment = 0;
	/** What `..` may not take out below this length without being ambiguous. */
	#certain = 0;

	/** Reads the path bytes[start, end), which begins with a slash and may be followed by a query. */
	read(bytes: Uint8Array, start: number, end: number): void {
		this.isNormal = true;
		this.hasNul = false;
		this.isMalformed = false;
		this.isDoubtful = false;
		this.isAmbiguous = false;
		this.bytes[0] = SLASH;
		this.length = 1;
		this.#segment = 1;
		this.#certain = 0;
		let position = start + 1;
		while (position < end && at(bytes, position) !== QUESTION) position = this.#take(bytes, position, end);
		this.end = position;
		this.#endSegment(true, true);
		this.#match();
	}

	/** Takes the character at `position`, and returns where the next one begins. */
	#take(bytes: Uint8Array, position: number, end: number): number {
		const byte = at(bytes, position);
		if (byte === SLASH) this.#endSegment(false, true);
		else if (byte === BACKSLASH) this.#slash();
		else if (byte === PERCENT) return this.#takeEncoded(bytes, position, end);
		else this.bytes[this.length++] = byte;
		return position + 1;
	}

	#takeEncoded(bytes: Uint8Array, position: number, end: number): number {
		const value = hexAt(bytes, position + 1, end);
		if (value < 0) {
			this.isMalformed = true;
			this.bytes[this.length++] = PERCENT;
			return position + 1;
		}
		if (value === SLASH || value === BACKSLASH) this.#slash();
		else if (at(IS_UNRESERVED, value) === 1) {
			this.isNormal = false;
			this.bytes[this.length++] = value;
		} else {
			if (value === 0) this.hasNul = true;
			if (isReadTwice(bytes, position + 3, end, value)) this.isDoubtful = true;
			this.bytes[this.length++] = PERCENT;
			this.bytes[this.length++] = upperCase(at(bytes, position + 1));
			this.bytes[this.length++] = upperCase(at(bytes, position + 2));
		}
		return position + 3;
	}

	/** A slash in another spelling. */
	#slash(): void {
		this.isNormal = false;
		this.#endSegment(false, false);
		// To some, what stands before and behind it is one segment.
		this.#certain = this.#segment + 1;
	}

	/**
	 * A segment is whole: it is kept, or it was empty, `.` or `..`, whatever its parameters. `isClear`: what follows it is a
	 * slash, or nothing, for everybody.
	 */
	#endSegment(isLast: boolean, isClear: boolean): void {
		const { bytes } = this;
		const start = this.#segment;
		let nameEnd = start;
		while (nameEnd < this.length && at(bytes, nameEnd) !== SEMICOLON) nameEnd++;
		const nameLength = nameEnd - start;
		const hasParameters = nameEnd < this.length;
		if (hasParameters && !isClear) this.isAmbiguous = true;
		const isDots =
			(nameLength === 1 || nameLength === 2) && at(bytes, start) === DOT && at(bytes, nameEnd - 1) === DOT;
		if (nameLength > 0 && !isDots) {
			if (!isLast) bytes[this.length++] = SLASH;
			this.#segment = this.length;
			return;
		}
		// A path may end in a slash.
		if (!isLast || this.length > start) this.isNormal = false;
		let parent = start;
		if (nameLength === 2) {
			if (start > 1) {
				parent--;
				while (at(bytes, parent - 1) !== SLASH) parent--;
				if (hasParameters || !isClear || parent < this.#certain) this.isAmbiguous = true;
			}
		} else if (nameLength === 0 || hasParameters) this.#certain = Math.max(this.#certain, start);
		this.length = parent;
		this.#segment = parent;
	}

	#match(): void {
		const { bytes, length, matched } = this;
		let isParameter = false;
		let count = 0;
		for (let i = 0; i < length; i++) {
			let byte = at(bytes, i);
			if (byte === SLASH) isParameter = false;
			else if (byte === SEMICOLON) isParameter = true;
			else if (byte === PERCENT) {
				const value = hexAt(bytes, i + 1, length);
				if (value >= 0 && at(IS_MATCHED_DECODED, value) === 1) {
					byte = value;
					i += 2;
				}
			}
			if (!isParameter) matched[count++] = byte;
		}
		this.matchedLength = count;
	}
}

/** Whether what `value` stands for depends on how often, or how carefully, it is decoded; `next` is what follows it. */
function isReadTwice(bytes: Uint8Array, next: number, end: number, value: number): boolean {
	if (value === PERCENT) return hexAt(bytes, next, end) >= 0;
	if (value === 0xc0 || value === 0xc1) return true;
	if (value !== 0xe0 && value !== 0xf0) return false;
	const second = next < end && at(bytes, next) === PERCENT ? hexAt(bytes, next + 1, end) : -1;
	return second >= 0x80 && second < (value === 0xe0 ? 0xa0 : 0x90);
}

/** The value of two hexadecimal digits; -1: there are none. */
function hexAt(bytes: Uint8Array, position: number, end: number): number {
	if (position + 2 > end) return -1;
	const high = hexDigit(at(bytes, position));
	const low = hexDigit(at(bytes, position + 1));
	return high < 0 || low < 0 ? -1 : high * 16 + low;
}

function hexDigit(byte: number): number {
	const digit = byte - ZERO;
	if (digit >= 0 && digit <= 9) return digit;
	const letter = (byte | 0x20) - 0x61;
	return letter >= 0 && letter <= 5 ? letter + 10 : -1;
}

function upperCase(byte: number): number {
	return byte >= 0x61 ? byte - 0x20 : byte;
}

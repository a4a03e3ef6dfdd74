/**
 * JSON as bytes, written in place: no string and no object per value, so that a line costs no garbage. Each value has
 * the text that `JSON.stringify` gives it.
 *
 * Numbers of 64 bits are taken from where they stand in an array, and not as arguments: as an argument, V8 keeps a
 * number that is no small integer in an object of its own.
 */

/** The most that a number takes: 17 digits, a sign, a point, and an exponent or the zeros in front. */
export const NUMBER_MAX_BYTES = 25;

/** A time in quotes; years that have no four digits are written with six and a sign. */
export const TIME_MAX_BYTES = 29;

/** The most that a byte of text takes: `\u001f`. */
export const ESCAPED_MAX_BYTES = 6;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const ZERO = 0x30;
const POINT = 0x2e;
const DASH = 0x2d;
const COLON = 0x3a;
const LETTER_T = 0x54;
const LETTER_U = 0x75;
const LETTER_Z = 0x5a;

/** Text that is written again and again: in words of four bytes, so that copying it takes a quarter of the steps. */
export class Piece {
	/** Of its bytes. */
	readonly length: number;
	/** Little-endian; the last one is filled up with zeros. */
	readonly words: Int32Array;

	constructor(text: string) {
		const bytes = new TextEncoder().encode(text);
		this.length = bytes.length;
		this.words = new Int32Array((bytes.length + 3) >> 2);
		for (const [at, byte] of bytes.entries()) (this.words[at >> 2] as number) |= byte << (8 * (at & 3));
	}
}

/** What a piece may write behind its end. */
export const OVERHANG_BYTES = 3;

const NULL = new Piece("null");

/** Written after a backslash, for the control characters that have a letter (RFC 8259, 7); 0: written as `\u00..`. */
const LETTERS = new Uint8Array(32);
LETTERS.set([0x62, 0x74, 0x6e, 0, 0x66, 0x72], 8);

/** Below it, digits are computed with integers of 32 bits. */
const NINE_DIGITS = 1_000_000_000;

/** Up to here, a number of thousandths is written exactly as the double nearest to it: with 15 digits at most. */
const EXACT_THOUSANDTHS = 1e15;

const DAY_SECONDS = 86_400;

/** The year 10000: from then on, years have six digits. */
const FOUR_DIGITS_END_MS = 253_402_300_800_000;

export class JsonBytes {
	#bytes: Uint8Array = new Uint8Array(0);
	#view: DataView = new DataView(this.#bytes.buffer);
	/** Where the next value is written. */
	at = 0;
	/** Days since 1970, and their date as text: lines of one day follow each other. */
	#day = -1;
	readonly #date = new Uint8Array(10);

	get bytes(): Uint8Array {
		return this.#bytes;
	}

	/** Values are written there from now on, by a caller who has made room. */
	begin(bytes: Uint8Array, at: number): void {
		this.at = at;
		if (bytes === this.#bytes) return;
		this.#bytes = bytes;
		this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
	}

	/** Text as it stands. Behind it, up to `OVERHANG_BYTES` are set to zero. */
	piece({ words, length }: Piece): void {
		const view = this.#view;
		const { at } = this;
		for (let i = 0; i < words.length; i++) view.setInt32(at + 4 * i, words[i] as number, true);
		this.at = at + length;
	}

	byte(value: number): void {
		this.#bytes[this.at++] = value;
	}

	/** `null`, or a string of characters of one byte each (ISO 8859-1), in quotes; empty is null. */
	text(from: Uint8Array, start: number, length: number): void {
		if (length <= 0) {
			this.piece(NULL);
			return;
		}
		this.byte(QUOTE);
		this.characters(from, start, length);
		this.byte(QUOTE);
	}

	/** The same without quotes. */
	characters(from: Uint8Array, start: number, length: number): void {
		const bytes = this.#bytes;
		let at = this.at;
		for (let i = start; i < start + length; i++) {
			const byte = from[i] as number;
			if (byte >= 0x80) {
				// In UTF-8 it has two bytes.
				bytes[at++] = 0xc0 | (byte >> 6);
				bytes[at++] = 0x80 | (byte & 0x3f);
			} else if (byte >= 0x20) {
				if (byte === QUOTE || byte === BACKSLASH) bytes[at++] = BACKSLASH;
				bytes[at++] = byte;
			} else at = control(bytes, at, byte);
		}
		this.at = at;
	}

	/** 0 or more, of 31 bits. */
	small(value: number): void {
		if (value < NINE_DIGITS) this.#digits(value | 0);
		else this.#long((value / NINE_DIGITS) | 0, value % NINE_DIGITS);
	}

	/** Any number; what is none is null. */
	number(values: Float64Array, index: number): void {
		const value = values[index] as number;
		// The rest is written with an exponent, a sign or a fraction, and does not occur.
		if (!(value >= 0 && value <= Number.MAX_SAFE_INTEGER && Math.floor(value) === value)) {
			this.#anyNumber(value);
		} else if (value < NINE_DIGITS) this.#digits(value | 0);
		else {
			const billions = Math.floor(value / NINE_DIGITS);
			this.#long(billions | 0, (value - billions * NINE_DIGITS) | 0);
		}
	}

	/** Time from one value to another in milliseconds, rounded to thousandths. */
	duration(values: Float64Array, from: number, to: number): void {
		const thousandths = Math.round(((values[to] as number) - (values[from] as number)) * 1_000);
		if (!(thousandths >= 0 && thousandths < EXACT_THOUSANDTHS)) {
			this.#anyNumber(thousandths / 1_000);
			return;
		}
		const whole = Math.floor(thousandths / 1_000);
		const billions = Math.floor(whole / NINE_DIGITS);
		this.#long(billions | 0, (whole - billions * NINE_DIGITS) | 0);
		this.#fraction((thousandths - whole * 1_000) | 0);
	}

	/**
	 * Milliseconds since 1970 in ISO 8601, to the millisecond that has begun: the value plus an offset. 0, and what is no time,
	 * is null.
	 */
	time(values: Float64Array, index: number, offsets: Float64Array): void {
		const value = values[index] as number;
		if (value === 0) {
			this.piece(NULL);
			return;
		}
		const wallMs = Math.trunc(value + (offsets[0] as number));
		if (!(wallMs >= 0 && wallMs < FOUR_DIGITS_END_MS)) {
			this.#farTime(wallMs);
			return;
		}
		const seconds = Math.floor(wallMs / 1_000);
		const day = Math.floor(seconds / DAY_SECONDS);
		if (day !== this.#day) this.#setDay(day);
		const second = (seconds - day * DAY_SECONDS) | 0;
		const milli = (wallMs - seconds * 1_000) | 0;
		const bytes = this.#bytes;
		let { at } = this;
		bytes[at++] = QUOTE;
		for (let i = 0; i < 10; i++) bytes[at++] = this.#date[i] as number;
		bytes[at++] = LETTER_T;
		at = twoDigits(bytes, at, (second / 3_600) | 0);
		bytes[at++] = COLON;
		at = twoDigits(bytes, at, ((second / 60) | 0) % 60);
		bytes[at++] = COLON;
		at = twoDigits(bytes, at, second % 60);
		bytes[at++] = POINT;
		bytes[at++] = ZERO + ((milli / 100) | 0);
		at = twoDigits(bytes, at, milli % 100);
		bytes[at++] = LETTER_Z;
		bytes[at++] = QUOTE;
		this.at = at;
	}

	/** From a number of days to a date of the Gregorian calendar, with years that begin in March: the leap day is their last. */
	#setDay(day: number): void {
		this.#day = day;
		const shifted = day + 719_468;
		const era = (shifted / 146_097) | 0;
		const dayOfEra = shifted - era * 146_097;
		const yearOfEra =
			((dayOfEra - ((dayOfEra / 1_460) | 0) + ((dayOfEra / 36_524) | 0) - ((dayOfEra / 146_096) | 0)) / 365) |
			0;
		const dayOfYear = dayOfEra - (365 * yearOfEra + ((yearOfEra / 4) | 0) - ((yearOfEra / 100) | 0));
		const month = ((5 * dayOfYear + 2) / 153) | 0;
		const year = yearOfEra + era * 400 + (month >= 10 ? 1 : 0);
		const date = this.#date;
		twoDigits(date, 0, (year / 100) | 0);
		twoDigits(date, 2, year % 100);
		date[4] = DASH;
		twoDigits(date, 5, month < 10 ? month + 3 : month - 9);
		date[7] = DASH;
		twoDigits(date, 8, dayOfYear - (((153 * month + 2) / 5) | 0) + 1);
	}

	/** A whole number in two parts, for its lower one has nine digits. */
	#long(billions: number, rest: number): void {
		if (billions === 0) {
			this.#digits(rest);
			return;
		}
		this.#digits(billions);
		this.#nineDigits(rest);
	}

	#digits(value: number): void {
		let end = this.at + 1;
		for (let limit = 10; value >= limit && limit < NINE_DIGITS; limit *= 10) end++;
		this.#digitsBefore(end, this.at, value);
		this.at = end;
	}

	/** With zeros in front. */
	#nineDigits(value: number): void {
		const end = this.at + 9;
		this.#digitsBefore(end, this.at, value);
		this.at = end;
	}

	#digitsBefore(end: number, start: number, value: number): void {
		const bytes = this.#bytes;
		let rest = value;
		for (let at = end - 1; at >= start; at--) {
			const tenth = (rest / 10) | 0;
			bytes[at] = ZERO + rest - tenth * 10;
			rest = tenth;
		}
	}

	/** Thousandths, without zeros at their end. */
	#fraction(thousandths: number): void {
		if (thousandths === 0) return;
		const hundredths = (thousandths / 10) | 0;
		this.byte(POINT);
		this.byte(ZERO + ((thousandths / 100) | 0));
		if (thousandths % 100 === 0) return;
		this.byte(ZERO + (hundredths % 10));
		if (thousandths % 10 !== 0) this.byte(ZERO + (thousandths % 10));
	}

	#anyNumber(value: number): void {
		this.#ascii(Number.isFinite(value) ? String(value) : "null");
	}

	#farTime(wallMs: number): void {
		const date = new Date(wallMs);
		this.#ascii(Number.isNaN(date.getTime()) ? "null" : `"${date.toISOString()}"`);
	}

	#ascii(text: string): void {
		for (let i = 0; i < text.length; i++) this.byte(text.charCodeAt(i));
	}
}

function control(bytes: Uint8Array, start: number, byte: number): number {
	let at = start;
	bytes[at++] = BACKSLASH;
	const letter = LETTERS[byte] as number;
	if (letter !== 0) {
		bytes[at++] = letter;
		return at;
	}
	bytes[at++] = LETTER_U;
	bytes[at++] = ZERO;
	bytes[at++] = ZERO;
	bytes[at++] = ZERO + (byte >> 4);
	const low = byte & 0xf;
	bytes[at++] = low < 10 ? ZERO + low : 0x57 + low;
	return at;
}

function twoDigits(bytes: Uint8Array, at: number, value: number): number {
	bytes[at] = ZERO + ((value / 10) | 0);
	bytes[at + 1] = ZERO + (value % 10);
	return at + 2;
}

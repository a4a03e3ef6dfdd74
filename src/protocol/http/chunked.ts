/**
 * The chunks of a body, walked as they pass (RFC 9112, 7.1), up to the trailer section, which `trailers.ts` reads.
 *
 *     *( 1*HEXDIG [ extension ] CRLF data CRLF )
 *     1*"0" [ extension ] CRLF
 *
 * What is sent on is the canonical form of what came: sizes without zeros before them, and no extensions, which belong to
 * one connection (RFC 9112, 7.1.1). Each byte is sent as it is, or left out, so the bytes that go on are moved together
 * where they lie, and a body that is plain already is not touched. The last chunk is left out as well: whoever has read
 * the trailers writes the end.
 *
 * White space is taken where RFC 9112, 7.1.1 has it and behind a size, where some servers pad, and does not go on.
 * Stricter than the grammar: no obs-text in extensions, and no line that ends in anything but CR LF.
 */
import { at } from "../bytes.js";
import { COMPLETE, MALFORMED, NEED_MORE, type Verdict } from "../verdict.js";
import {
	BAD_CHUNK_END,
	BAD_CHUNK_EXTENSION,
	BAD_CHUNK_SIZE,
	BARE_CR,
	BARE_LF,
	CHUNK_EXTENSION_TOO_LONG,
	CHUNK_SIZE_TOO_LARGE,
	NO_CAUSE,
} from "./causes.js";
import { BACKSLASH, CR, EQUALS, IS_TOKEN, isSpace, LF, QUOTE, SEMICOLON } from "./grammar.js";

/** Digits of a chunk size, zeros before it included: as many as senders pad eight bytes to. */
export const CHUNK_SIZE_DIGITS_LIMIT = 16;

/** The largest chunk: readers that count in 32 bits would take a larger one for a small one, and its data for chunks. */
export const CHUNK_SIZE_MAX = 0xffff_ffff;

/**
 * What may stand between the size of one chunk and the end of its line. Extensions that exist (signatures of uploads to
 * S3) take 85. Each byte costs a step and carries no content, so without a limit a body of any size could be made of
 * them, past every limit on content.
 */
export const CHUNK_EXTENSION_LIMIT_BYTES = 256;

// Where in the body the next byte stands.
const SIZE_FIRST = 0;
const SIZE = 1;
const SIZE_BLANK = 2;
const EXTENSION_NAME_FIRST = 3;
const EXTENSION_NAME = 4;
const EXTENSION_NAME_BLANK = 5;
const EXTENSION_VALUE_FIRST = 6;
const EXTENSION_TOKEN = 7;
const EXTENSION_QUOTED = 8;
const EXTENSION_ESCAPED = 9;
const EXTENSION_END = 10;
const SIZE_LF = 11;
const DATA = 12;
const DATA_CR = 13;
const DATA_LF = 14;
/** The chunks are over: what follows is the trailer section. */
export const CHUNKS_OVER = 15;

const HEX_VALUE = Int8Array.from({ length: 256 }, (_, byte) => {
	const digit = Number.parseInt(String.fromCharCode(byte), 16);
	return Number.isNaN(digit) ? -1 : digit;
});

// What becomes of a byte.
const REFUSED = -1;
const LEFT_OUT = 0;
const SENT_ON = 1;

/**
 * Walks one body after the other. All it knows between calls are three numbers, so that a reactor can keep them as
 * columns of its table: {@link load} them, scan, and store them back.
 */
export class ChunkedScanner {
	/** Where in the grammar the next byte stands; 0 at the start of a body. Fits a byte. */
	phase = 0;
	/** Data bytes left of the chunk at hand; while its size is read, the size so far. Needs a double. */
	left = 0;
	/** Digits or extension bytes so far, whichever is being counted. Fits 16 bits. */
	spent = 0;
	/** Only data goes on: the receiver knows no chunks. */
	decodes = false;
	/** After scan: where it stopped. After COMPLETE just past the last chunk's line; after MALFORMED at the byte at fault. */
	position = 0;
	/** After scan: how many bytes go on. They lie at the start. */
	keptBytes = 0;
	/** After scan: how many of the bytes were data. */
	dataBytes = 0;
	/** After MALFORMED: which of HTTP_CAUSES. */
	cause = NO_CAUSE;

	/** Begins a new body. */
	reset(): void {
		this.load(0, 0, 0, false);
	}

	/** Goes on with a body whose numbers were kept elsewhere. */
	load(phase: number, left: number, spent: number, decodes: boolean): void {
		this.phase = phase;
		this.left = left;
		this.spent = spent;
		this.decodes = decodes;
	}

	/**
	 * Walks bytes[start, end) until `most` of them go on, and moves these to the start. COMPLETE: the chunks end at
	 * `position`. NEED_MORE: all of the bytes up to `position` belong to them. MALFORMED: those before `position` do, and no
	 * continuation can make sense; both connections are closed, whatever was forwarded.
	 */
	scan(bytes: Uint8Array, start: number, end: number, most = Number.POSITIVE_INFINITY): Verdict {
		const limit = start + most;
		let position = start;
		let kept = start;
		let verdict: Verdict = NEED_MORE;
		this.dataBytes = 0;
		while (position < end && kept < limit) {
			if (this.phase === DATA) {
				// The one place where bytes are many: skipped by arithmetic.
				const length = Math.min(this.left, end - position, limit - kept);
				if (kept !== position) bytes.copyWithin(kept, position, position + length);
				this.left -= length;
				this.dataBytes += length;
				position += length;
				kept += length;
				if (this.left === 0) this.phase = DATA_CR;
				continue;
			}
			const byte = at(bytes, position);
			const becomes = this.#step(byte);
			if (becomes === REFUSED) {
				verdict = MALFORMED;
				break;
			}
			if (becomes === SENT_ON) {
				if (kept !== position) bytes[kept] = byte;
				kept++;
			}
			position++;
			if (this.phase === CHUNKS_OVER) {
				verdict = COMPLETE;
				break;
			}
		}
		this.position = position;
		this.keptBytes = kept - start;
		return verdict;
	}

	/** Takes one byte of the framing. */
	#step(byte: number): number {
		switch (this.phase) {
			case SIZE_FIRST:
				this.left = 0;
				this.spent = 0;
				return this.#takeDigit(byte);
			case SIZE:
				if (byte === CR) return this.#endLine();
				if (byte !== SEMICOLON && !isSpace(byte)) return this.#takeDigit(byte);
				this.spent = 0;
				return this.#extend(byte === SEMICOLON ? EXTENSION_NAME_FIRST : SIZE_BLANK);
			case SIZE_LF:
				if (byte !== LF) return this.#fail(BARE_CR);
				this.spent = 0;
				return this.#goTo(this.left === 0 ? CHUNKS_OVER : DATA, this.left > 0);
			case DATA_CR:
				if (byte !== CR) return this.#fail(byte === LF ? BARE_LF : BAD_CHUNK_END);
				return this.#goTo(DATA_LF, true);
			case DATA_LF:
				if (byte !== LF) return this.#fail(BAD_CHUNK_END);
				return this.#goTo(SIZE_FIRST, true);
			case CHUNKS_OVER:
				// Whoever scans on after the end has lost count of its bytes.
				return this.#fail(BAD_CHUNK_SIZE);
			default:
				return this.#takeExtension(byte);
		}
	}

	#takeDigit(byte: number): number {
		const digit = HEX_VALUE[byte] as number;
		if (digit < 0) return this.#fail(byte === LF ? BARE_LF : BAD_CHUNK_SIZE);
		this.left = this.left * 16 + digit;
		this.spent++;
		if (this.left > CHUNK_SIZE_MAX || this.spent > CHUNK_SIZE_DIGITS_LIMIT) {
			return this.#fail(CHUNK_SIZE_TOO_LARGE);
		}
		// Zeros before the size are left out, and so is all of a last chunk.
		return this.#goTo(SIZE, this.left > 0);
	}

	#endLine(): number {
		return this.#goTo(SIZE_LF, this.left > 0);
	}

	/** `*( BWS ";" BWS token [ BWS "=" BWS ( token | quoted-string ) ] ) BWS`. */
	#takeExtension(byte: number): number {
		const isTokenByte = at(IS_TOKEN, byte) === 1;
		switch (this.phase) {
			case SIZE_BLANK:
				if (isSpace(byte)) return this.#extend(SIZE_BLANK);
				if (byte === SEMICOLON) return this.#extend(EXTENSION_NAME_FIRST);
				return byte === CR ? this.#endLine() : this.#fail(byte === LF ? BARE_LF : BAD_CHUNK_SIZE);
			case EXTENSION_NAME_FIRST:
				if (isSpace(byte)) return this.#extend(EXTENSION_NAME_FIRST);
				return isTokenByte ? this.#extend(EXTENSION_NAME) : this.#failExtension(byte);
			case EXTENSION_NAME:
				if (isTokenByte) return this.#extend(EXTENSION_NAME);
				if (byte === EQUALS) return this.#extend(EXTENSION_VALUE_FIRST);
				return this.#endExtension(byte, EXTENSION_NAME_BLANK);
			case EXTENSION_NAME_BLANK:
				if (byte === EQUALS) return this.#extend(EXTENSION_VALUE_FIRST);
				return this.#endExtension(byte, EXTENSION_NAME_BLANK);
			case EXTENSION_VALUE_FIRST:
				if (isSpace(byte)) return this.#extend(EXTENSION_VALUE_FIRST);
				if (byte === QUOTE) return this.#extend(EXTENSION_QUOTED);
				return isTokenByte ? this.#extend(EXTENSION_TOKEN) : this.#failExtension(byte);
			case EXTENSION_TOKEN:
				return isTokenByte ? this.#extend(EXTENSION_TOKEN) : this.#endExtension(byte, EXTENSION_END);
			case EXTENSION_QUOTED:
				if (byte === QUOTE) return this.#extend(EXTENSION_END);
				if (byte === BACKSLASH) return this.#extend(EXTENSION_ESCAPED);
				return isQuotable(byte) ? this.#extend(EXTENSION_QUOTED) : this.#fail(BAD_CHUNK_EXTENSION);
			case EXTENSION_ESCAPED:
				return isQuotable(byte) ? this.#extend(EXTENSION_QUOTED) : this.#fail(BAD_CHUNK_EXTENSION);
			default:
				return this.#endExtension(byte, EXTENSION_END);
		}
	}

	#extend(phase: number): number {
		this.spent++;
		if (this.spent > CHUNK_EXTENSION_LIMIT_BYTES) return this.#fail(CHUNK_EXTENSION_TOO_LONG);
		return this.#goTo(phase, false);
	}

	#endExtension(byte: number, blank: number): number {
		if (isSpace(byte)) return this.#extend(blank);
		if (byte === SEMICOLON) return this.#extend(EXTENSION_NAME_FIRST);
		return byte === CR ? this.#endLine() : this.#failExtension(byte);
	}

	#failExtension(byte: number): number {
		return this.#fail(byte === LF ? BARE_LF : BAD_CHUNK_EXTENSION);
	}

	#goTo(phase: number, goesOn: boolean): number {
		this.phase = phase;
		return goesOn && !this.decodes ? SENT_ON : LEFT_OUT;
	}

	#fail(cause: number): number {
		this.cause = cause;
		return REFUSED;
	}
}

/** What a quoted string is made of, besides the quote and the backslash. Obs-text would be legal, and nobody's. */
function isQuotable(byte: number): boolean {
	return isSpace(byte) || (byte > 0x20 && byte < 0x7f);
}

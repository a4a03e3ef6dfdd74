/**
 * A chunked body, walked as it passes (RFC 9112, 7.1). The framing itself is forwarded untouched; this only finds
 * out where the body ends, and refuses what two readers could measure differently.
 *
 *     *( 1*HEXDIG [ extension ] CRLF data CRLF )
 *     1*"0" [ extension ] CRLF *( trailer CRLF ) CRLF
 *
 * Stricter than the grammar: no white space around extensions, no obs-text in them, and no line that ends in
 * anything but CR LF. Extensions pass, because the RFC has recipients ignore those that they do not know.
 */
import { ascii, at, toLower } from "../bytes.js";
import { COMPLETE, MALFORMED, NEED_MORE, type Verdict } from "../verdict.js";
import {
	BAD_CHUNK_END,
	BAD_CHUNK_EXTENSION,
	BAD_CHUNK_SIZE,
	BAD_TRAILER,
	BARE_CR,
	BARE_LF,
	CHUNK_EXTENSION_TOO_LONG,
	CHUNK_SIZE_TOO_LARGE,
	NO_CAUSE,
	TRAILER_FORBIDDEN,
	TRAILERS_TOO_LARGE,
} from "./causes.js";
import { KNOWN_NAMES, X_FORWARDED_PREFIX } from "./field-names.js";
import {
	BACKSLASH,
	COLON,
	CR,
	EQUALS,
	HYPHEN,
	IS_TOKEN,
	IS_VALUE,
	isSpace,
	LF,
	QUOTE,
	SEMICOLON,
	UNDERSCORE,
} from "./grammar.js";

/** Digits of a chunk size. Fourteen make 2^53 - 1; two more forgive senders that pad to eight bytes. */
export const CHUNK_SIZE_DIGITS_LIMIT = 16;

/**
 * Extensions of one chunk, from the first semicolon to the CR. Those that exist (signatures of uploads to S3) take
 * 85. Each one costs a loop over its bytes and carries no content, so without a limit a body of any size could be
 * made of them, past every limit on content.
 */
export const CHUNK_EXTENSION_LIMIT_BYTES = 256;

/** All trailer fields together. They carry checksums and timings; heads have 16 KiB for far more. */
export const TRAILERS_LIMIT_BYTES = 4096;

// Where in the body the next byte stands.
const SIZE_FIRST = 0;
const SIZE = 1;
const EXTENSION_NAME_FIRST = 2;
const EXTENSION_NAME = 3;
const EXTENSION_VALUE_FIRST = 4;
const EXTENSION_TOKEN = 5;
const EXTENSION_QUOTED = 6;
const EXTENSION_ESCAPED = 7;
const EXTENSION_QUOTED_END = 8;
const SIZE_LF = 9;
const DATA = 10;
const DATA_CR = 11;
const DATA_LF = 12;
const TRAILER_FIRST = 13;
const TRAILER_NAME = 14;
const TRAILER_VALUE = 15;
const TRAILER_LF = 16;
const END_LF = 17;
const DONE = 18;

const HEX_VALUE = Int8Array.from({ length: 256 }, (_, byte) => {
	const digit = Number.parseInt(String.fromCharCode(byte), 16);
	return Number.isNaN(digit) ? -1 : digit;
});

/** Where FNV-1a starts. */
const HASH_START = 0x811c9dc5 | 0;

/**
 * Trailers that are refused, by the hash of their names: all that the gateway itself reads, sets or removes in
 * heads, and the ones that RFC 9110, 6.5.1 has in mind besides. Merged into the head by a server behind, they would
 * frame, route or authenticate after all checks. The bytes pass as they come, so they cannot be dropped.
 *
 * A name may be cut by the network at any byte, so what is kept of it is one integer. Were some innocent name to meet
 * one of these in 32 bits, it would be refused; none of these ever passes.
 */
const FORBIDDEN_TRAILERS: ReadonlySet<number> = new Set(
	[
		...KNOWN_NAMES,
		...[
			...["authorization", "proxy-authenticate", "cookie", "set-cookie", "content-encoding", "content-type"],
			...["content-range", "cache-control", "max-forwards", "range", "location"],
		].map(ascii),
	].map(hashOfName),
);
const NONE: ReadonlySet<number> = new Set();
const FORBIDDEN_PREFIX_LENGTH = X_FORWARDED_PREFIX.length;
const FORBIDDEN_PREFIX_HASH = hashOfName(X_FORWARDED_PREFIX);

/** FNV-1a over the lower-cased name, `_` counting as `-` as in heads. */
function hashByte(hash: number, byte: number): number {
	return Math.imul(hash ^ (byte === UNDERSCORE ? HYPHEN : toLower(byte)), 0x01000193);
}

/** Of a trailer's name, as {@link ChunkedScanner.forbid} wants it. */
export function hashOfName(name: Uint8Array): number {
	let hash = HASH_START;
	for (const byte of name) hash = hashByte(hash, byte);
	return hash;
}

/**
 * Walks one body after the other. All it knows between calls are four numbers, so that a reactor can keep them as
 * columns of its table: {@link load} them, scan, and store them back.
 */
export class ChunkedScanner {
	/** Where in the grammar the next byte stands; 0 at the start of a body. Fits a byte. */
	phase = 0;
	/** Data bytes left of the chunk at hand; while its size is read, the size so far. Needs a double. */
	left = 0;
	/** Digits, extension bytes or trailer bytes so far, whichever is being counted. Fits 16 bits. */
	spent = 0;
	/** Hash of the trailer's name so far, and how long that is. Signed 32 bits, and 16. */
	nameHash = 0;
	nameLength = 0;
	/** Trailers that are refused besides: see {@link forbid}. */
	#edited: ReadonlySet<number> = NONE;
	#subject = 0;
	/** After scan: where it stopped. After COMPLETE just past the body; after MALFORMED at the byte at fault. */
	position = 0;
	/** After scan: how many of the bytes were data. */
	dataBytes = 0;
	/** After MALFORMED: which of HTTP_CAUSES. */
	cause = NO_CAUSE;

	/** Begins a new body. */
	reset(): void {
		this.load(0, 0, 0, 0, 0);
	}

	/** Goes on with a body whose numbers were kept elsewhere. */
	load(phase: number, left: number, spent: number, nameHash: number, nameLength: number): void {
		this.phase = phase;
		this.left = left;
		this.spent = spent;
		this.nameHash = nameHash;
		this.nameLength = nameLength;
	}

	/**
	 * Refuses trailers of these names, too, by {@link hashOfName}: the fields that a route sets or removes, and the
	 * one that tells of a client's certificate (0: none). Kept until it is said anew.
	 */
	forbid(edited: ReadonlySet<number>, subject: number): void {
		this.#edited = edited;
		this.#subject = subject;
	}

	/**
	 * Walks bytes[start, end). COMPLETE: the body ends at `position`, trailers included. NEED_MORE: all of the bytes
	 * belong to it. MALFORMED: those before `position` do, and no continuation can make sense; both connections are
	 * closed, whatever was forwarded.
	 */
	scan(bytes: Uint8Array, start: number, end: number): Verdict {
		let position = start;
		this.dataBytes = 0;
		while (position < end) {
			if (this.phase === DATA) {
				// The one place where bytes are many: skipped by arithmetic.
				const skipped = Math.min(this.left, end - position);
				this.left -= skipped;
				this.dataBytes += skipped;
				position += skipped;
				if (this.left === 0) this.phase = DATA_CR;
				continue;
			}
			if (!this.#step(at(bytes, position))) {
				this.position = position;
				return MALFORMED;
			}
			position++;
			if (this.phase === DONE) {
				this.position = position;
				return COMPLETE;
			}
		}
		this.position = end;
		return NEED_MORE;
	}

	/** Takes one byte of the framing. */
	#step(byte: number): boolean {
		switch (this.phase) {
			case SIZE_FIRST:
				this.left = 0;
				this.spent = 0;
				return this.#takeDigit(byte);
			case SIZE:
				if (byte === CR) return this.#goTo(SIZE_LF);
				if (byte !== SEMICOLON) return this.#takeDigit(byte);
				this.spent = 1;
				return this.#goTo(EXTENSION_NAME_FIRST);
			case SIZE_LF:
				if (byte !== LF) return this.#fail(BARE_CR);
				this.spent = 0;
				return this.#goTo(this.left === 0 ? TRAILER_FIRST : DATA);
			case DATA_CR:
				if (byte !== CR) return this.#fail(byte === LF ? BARE_LF : BAD_CHUNK_END);
				return this.#goTo(DATA_LF);
			case DATA_LF:
				if (byte !== LF) return this.#fail(BAD_CHUNK_END);
				return this.#goTo(SIZE_FIRST);
			case TRAILER_FIRST:
			case TRAILER_NAME:
			case TRAILER_VALUE:
			case TRAILER_LF:
				return this.#takeTrailer(byte);
			case END_LF:
				return byte === LF ? this.#goTo(DONE) : this.#fail(BARE_CR);
			case DONE:
				// Whoever scans on after the end has lost count of its bytes.
				return this.#fail(BAD_CHUNK_SIZE);
			default:
				return this.#takeExtension(byte);
		}
	}

	#takeDigit(byte: number): boolean {
		const digit = HEX_VALUE[byte] as number;
		if (digit < 0) return this.#fail(byte === LF ? BARE_LF : BAD_CHUNK_SIZE);
		this.left = this.left * 16 + digit;
		this.spent++;
		if (this.left > Number.MAX_SAFE_INTEGER || this.spent > CHUNK_SIZE_DIGITS_LIMIT) {
			return this.#fail(CHUNK_SIZE_TOO_LARGE);
		}
		return this.#goTo(SIZE);
	}

	/** `*( ";" token [ "=" ( token | quoted-string ) ] )` (RFC 9112, 7.1.1). */
	#takeExtension(byte: number): boolean {
		const isTokenByte = at(IS_TOKEN, byte) === 1;
		switch (this.phase) {
			case EXTENSION_NAME_FIRST:
				return isTokenByte ? this.#extend(EXTENSION_NAME) : this.#failExtension(byte);
			case EXTENSION_NAME:
				if (isTokenByte) return this.#extend(EXTENSION_NAME);
				if (byte === EQUALS) return this.#extend(EXTENSION_VALUE_FIRST);
				return this.#endExtension(byte);
			case EXTENSION_VALUE_FIRST:
				if (byte === QUOTE) return this.#extend(EXTENSION_QUOTED);
				return isTokenByte ? this.#extend(EXTENSION_TOKEN) : this.#failExtension(byte);
			case EXTENSION_TOKEN:
				return isTokenByte ? this.#extend(EXTENSION_TOKEN) : this.#endExtension(byte);
			case EXTENSION_QUOTED:
				if (byte === QUOTE) return this.#extend(EXTENSION_QUOTED_END);
				if (byte === BACKSLASH) return this.#extend(EXTENSION_ESCAPED);
				return isQuotable(byte) ? this.#extend(EXTENSION_QUOTED) : this.#fail(BAD_CHUNK_EXTENSION);
			case EXTENSION_ESCAPED:
				return isQuotable(byte) ? this.#extend(EXTENSION_QUOTED) : this.#fail(BAD_CHUNK_EXTENSION);
			default:
				return this.#endExtension(byte);
		}
	}

	#extend(phase: number): boolean {
		this.spent++;
		if (this.spent > CHUNK_EXTENSION_LIMIT_BYTES) return this.#fail(CHUNK_EXTENSION_TOO_LONG);
		return this.#goTo(phase);
	}

	#endExtension(byte: number): boolean {
		if (byte === SEMICOLON) return this.#extend(EXTENSION_NAME_FIRST);
		return byte === CR ? this.#goTo(SIZE_LF) : this.#failExtension(byte);
	}

	#failExtension(byte: number): boolean {
		return this.#fail(byte === LF ? BARE_LF : BAD_CHUNK_EXTENSION);
	}

	/** `*( name ":" value CRLF ) CRLF`, as strict as in heads. */
	#takeTrailer(byte: number): boolean {
		this.spent++;
		if (this.spent > TRAILERS_LIMIT_BYTES) return this.#fail(TRAILERS_TOO_LARGE);
		switch (this.phase) {
			case TRAILER_FIRST:
				if (byte === CR) return this.#goTo(END_LF);
				this.nameHash = HASH_START;
				this.nameLength = 0;
				return this.#takeTrailerName(byte);
			case TRAILER_NAME:
				if (byte !== COLON) return this.#takeTrailerName(byte);
				if (this.#isForbidden()) return this.#fail(TRAILER_FORBIDDEN);
				return this.#goTo(TRAILER_VALUE);
			case TRAILER_VALUE:
				if (at(IS_VALUE, byte) === 1) return true;
				if (byte === LF) return this.#fail(BARE_LF);
				return byte === CR ? this.#goTo(TRAILER_LF) : this.#fail(BAD_TRAILER);
			default:
				return byte === LF ? this.#goTo(TRAILER_FIRST) : this.#fail(BARE_CR);
		}
	}

	#takeTrailerName(byte: number): boolean {
		if (at(IS_TOKEN, byte) === 0) return this.#fail(byte === LF ? BARE_LF : BAD_TRAILER);
		this.nameHash = hashByte(this.nameHash, byte);
		this.nameLength++;
		if (this.nameLength === FORBIDDEN_PREFIX_LENGTH && this.nameHash === FORBIDDEN_PREFIX_HASH) {
			return this.#fail(TRAILER_FORBIDDEN);
		}
		return this.#goTo(TRAILER_NAME);
	}

	#isForbidden(): boolean {
		const { nameHash } = this;
		return FORBIDDEN_TRAILERS.has(nameHash) || this.#edited.has(nameHash) || nameHash === this.#subject;
	}

	#goTo(phase: number): true {
		this.phase = phase;
		return true;
	}

	#fail(cause: number): false {
		this.cause = cause;
		return false;
	}
}

/** What a quoted string is made of, besides the quote and the backslash. Obs-text would be legal, and nobody's. */
function isQuotable(byte: number): boolean {
	return isSpace(byte) || (byte > 0x20 && byte < 0x7f);
}

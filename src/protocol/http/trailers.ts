/**
 * The trailer section behind the last chunk (RFC 9112, 7.1.2): read whole, as the fields of a head are, and written
 * anew or not at all. What is copied could be what a server that reads no trailers takes for its next request.
 *
 *     *( name ":" OWS value OWS CRLF ) CRLF
 */
import { ascii, at } from "../bytes.js";
import { COMPLETE, MALFORMED, NEED_MORE, type Verdict } from "../verdict.js";
import {
	BAD_TRAILER,
	BARE_CR,
	BARE_LF,
	NO_CAUSE,
	TOO_MANY_FIELDS,
	TRAILER_FORBIDDEN,
	TRAILERS_TOO_LARGE,
} from "./causes.js";
import type { FieldEdits } from "./edits.js";
import { BROKEN, FieldSection, INCOMPLETE } from "./field-section.js";
import { CR, isSpellingOf, LF } from "./grammar.js";
import { Writer } from "./writer.js";

/** All trailer fields together. They carry checksums and timings; heads have 16 KiB for far more. */
export const TRAILERS_LIMIT_BYTES = 4096;

const LAST_CHUNK = ascii("0\r\n");
const LINE_END = ascii("\r\n");
const COLON_SP = ascii(": ");

/**
 * Trailers that are refused, beside all that has an id because the gateway itself reads, sets or removes it in heads: the
 * ones that RFC 9110, 6.5.1 has in mind. Merged into the head by a server behind, they would frame, route or
 * authenticate after all checks.
 */
const FORBIDDEN = [
	...["cookie", "set-cookie", "content-encoding", "content-type", "content-range"],
	...["cache-control", "max-forwards", "range", "location"],
].map(ascii);

const writer = new Writer();

/** One object serves one reactor and never allocates. */
export class TrailerSection {
	/** After COMPLETE: just past the empty line. */
	position = 0;
	/** After MALFORMED: which of HTTP_CAUSES. */
	cause = NO_CAUSE;
	readonly #fields = new FieldSection();

	/** How many fields there are. */
	get count(): number {
		return this.#fields.count;
	}

	/**
	 * Reads the section from bytes[start, end), which is what has arrived so far. Refused is what a route sets or removes
	 * (`edits`), and the field that tells of a client's certificate.
	 */
	read(
		bytes: Uint8Array,
		start: number,
		end: number,
		edits: FieldEdits,
		subject: Uint8Array | undefined,
	): Verdict {
		const fields = this.#fields;
		fields.clear();
		if (end - start >= 2 && at(bytes, start) === CR && at(bytes, start + 1) === LF) {
			this.position = start + 2;
			return COMPLETE;
		}
		const limit = Math.min(end, start + TRAILERS_LIMIT_BYTES);
		const sectionEnd = fields.readTrailers(bytes, start, limit);
		if (sectionEnd === INCOMPLETE) {
			return limit - start === TRAILERS_LIMIT_BYTES ? this.#refuse(TRAILERS_TOO_LARGE) : NEED_MORE;
		}
		if (sectionEnd === BROKEN) return this.#refuse(causeAmongTrailers(fields.cause));
		for (let index = 0; index < fields.count; index++) {
			const nameStart = fields.spans[index * 4] as number;
			const nameEnd = fields.spans[index * 4 + 1] as number;
			const isForbidden =
				at(fields.ids, index) !== 0 ||
				edits.drops(bytes, nameStart, nameEnd) ||
				FORBIDDEN.some((name) => isSpellingOf(bytes, nameStart, nameEnd, name)) ||
				(subject !== undefined && isSpellingOf(bytes, nameStart, nameEnd, subject));
			if (isForbidden) return this.#refuse(TRAILER_FORBIDDEN);
		}
		this.position = sectionEnd;
		return COMPLETE;
	}

	/**
	 * Writes the end of a chunked body to target[position, …): the last chunk, the fields that were read from `source` where
	 * `keeps` says so, and the empty line. Returns how many bytes that took: at most 100 more than were read, and the last chunk.
	 */
	writeEnd(source: Uint8Array, keeps: boolean, target: Uint8Array, position: number): number {
		const { count, spans } = this.#fields;
		writer.begin(target, position);
		writer.bytes(LAST_CHUNK);
		for (let index = 0; keeps && index < count; index++) {
			writer.span(source, spans[index * 4] as number, spans[index * 4 + 1] as number);
			writer.bytes(COLON_SP);
			writer.span(source, spans[index * 4 + 2] as number, spans[index * 4 + 3] as number);
			writer.bytes(LINE_END);
		}
		writer.bytes(LINE_END);
		writer.end();
		return writer.position - position;
	}

	#refuse(cause: number): Verdict {
		this.cause = cause;
		return MALFORMED;
	}
}

/** The rules are those of heads; what is broken is a trailer. */
function causeAmongTrailers(cause: number): number {
	if (cause === BARE_CR || cause === BARE_LF) return cause;
	return cause === TOO_MANY_FIELDS ? TRAILERS_TOO_LARGE : BAD_TRAILER;
}

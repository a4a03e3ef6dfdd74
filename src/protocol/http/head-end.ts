/**
 * Where a head ends, found without reading it twice.
 *
 * Heads are peeked: nothing is kept while one arrives, and the same bytes are seen again with each arrival. Parsing
 * from the start each time would let a client that sends single bytes cost the square of what it sends. So the
 * first look parses; when that says NEED_MORE, `scanFrom` of the result is remembered (one number per connection),
 * and only this function looks at what comes after it, until the head is whole and is parsed once more.
 */
import { at } from "../bytes.js";
import { CR, IS_WITHIN_LINE, LF, skip } from "./grammar.js";

/** The longest head taken, from its first byte to the empty line; as much as Node's own server takes. */
export const HEAD_LIMIT_BYTES = 16384;

/** Parse now: the head holds a bare CR or LF or is too large, and the parser says which. */
export const HEAD_BROKEN = 0;

/**
 * Looks for the end of the head that begins at `start`, from `from` on (`start`, or what an earlier look left).
 *
 * Returns the position past the empty line; or {@link HEAD_BROKEN}; or, while there is no end yet, `~from` (a
 * negative number) for the next look.
 */
export function headEnd(bytes: Uint8Array, start: number, end: number, from: number): number {
	const limit = Math.min(end, start + HEAD_LIMIT_BYTES);
	for (
		let i = skip(bytes, from, limit, IS_WITHIN_LINE);
		i < limit;
		i = skip(bytes, i + 1, limit, IS_WITHIN_LINE)
	) {
		if (at(bytes, i) === CR) {
			if (i + 1 < limit && at(bytes, i + 1) !== LF) return HEAD_BROKEN;
		} else {
			if (i === start || at(bytes, i - 1) !== CR) return HEAD_BROKEN;
			// An empty line may come before a request and does not end it: there are four bytes or none.
			if (i - start >= 3 && at(bytes, i - 2) === LF && at(bytes, i - 3) === CR) return i + 1;
		}
	}
	return limit - start === HEAD_LIMIT_BYTES ? HEAD_BROKEN : ~resumeFrom(bytes, start, limit);
}

/** What `from` is after all of bytes[start, limit) was looked at: a final CR is looked at again with what follows. */
export function resumeFrom(bytes: Uint8Array, start: number, limit: number): number {
	return limit > start && at(bytes, limit - 1) === CR ? limit - 1 : limit;
}

/**
 * How many bytes are missing at least: the rest of CR LF CR LF. Whoever waits for so many (`SO_RCVLOWAT`) is not
 * woken in vain, and never waits for more than a valid head has.
 */
export function missingBytes(bytes: Uint8Array, start: number, limit: number): number {
	const length = limit - start;
	if (length === 0) return 4;
	const last = at(bytes, limit - 1);
	if (last === CR) {
		return length >= 3 && at(bytes, limit - 2) === LF && at(bytes, limit - 3) === CR ? 1 : 3;
	}
	return last === LF && length >= 2 && at(bytes, limit - 2) === CR ? 2 : 4;
}

/** A CR that nothing follows yet. */
export const HALF_A_LINE = -1;

/**
 * How many bytes of empty lines stand before whatever comes next, CR LF or LF alone, which is as harmless here; or
 * {@link HALF_A_LINE}. A CR before anything else is left to the parser.
 */
export function strayLines(bytes: Uint8Array, start: number, end: number): number {
	let position = start;
	while (position < end) {
		if (at(bytes, position) === LF) position++;
		else if (at(bytes, position) !== CR) break;
		else if (position + 1 === end) return position === start ? HALF_A_LINE : position - start;
		else if (at(bytes, position + 1) === LF) position += 2;
		else break;
	}
	return position - start;
}

/**
 * The fields of a head (RFC 9112, 5): a table of where each stands, and what the few say that decide how a
 * message is framed and whether its connection lives on. Requests and responses share it.
 *
 *     *( name ":" OWS value OWS CRLF ) CRLF
 *
 * Strict where RFC 9112 leaves a choice. Every leniency is a place where this gateway and the server behind it can
 * read one message differently, and request smuggling is made of such places.
 */
import { ascii, at, equalsIgnoringCase, isDigit } from "../bytes.js";
import {
	BAD_CONNECTION_OPTION,
	BAD_CONTENT_LENGTH,
	BAD_FIELD_NAME,
	BAD_FIELD_VALUE,
	BAD_TRANSFER_ENCODING,
	BARE_CR,
	BARE_LF,
	FOLDED_FIELD,
	HOST_DUPLICATE,
	NO_CAUSE,
	TOO_MANY_FIELDS,
	TRANSFER_CODING_UNKNOWN,
} from "./causes.js";
import {
	FIELD_AUTHORIZATION,
	FIELD_CONNECTION,
	FIELD_CONTENT_LENGTH,
	FIELD_EXPECT,
	FIELD_HOST,
	FIELD_KEEP_ALIVE,
	FIELD_LAST_DROPPED,
	FIELD_LAST_FORWARDING,
	FIELD_LAST_FRAMING,
	FIELD_LOOKALIKE,
	FIELD_MAX_FORWARDS,
	FIELD_PROXY_AUTHENTICATE,
	FIELD_PROXY_AUTHORIZATION,
	FIELD_TRANSFER_ENCODING,
	FIELD_UPGRADE,
	FIELD_VIA,
	FIELD_WWW_AUTHENTICATE,
	fieldIdOf,
	NOMINATED,
} from "./field-names.js";
import {
	COLON,
	CR,
	EQUALS,
	HT,
	IS_TOKEN,
	isSameIgnoringCase,
	isSpace,
	LF,
	ListMember,
	SEMICOLON,
	SP,
	skip,
	skipValue,
	viewOf,
	ZERO,
} from "./grammar.js";

/** More fields than any browser or proxy chain sends; nginx and HAProxy stop at about as many. */
export const FIELDS_LIMIT = 100;

/**
 * Connection options that name fields. Browsers send none, proxies one or two. Each is compared with every field,
 * so their number is what bounds that work.
 */
export const CONNECTION_OPTIONS_LIMIT = 16;

/** More than any chain of proxies: a count beyond it is lowered to it, as RFC 9110, 7.6.2 allows. */
export const MAX_FORWARDS_LIMIT = 999;

/** What the functions of this folder return instead of a position. `cause` holds the rest of the answer. */
export const INCOMPLETE = -1;
export const BROKEN = -2;

const TOKEN_CHUNKED = ascii("chunked");
const TOKEN_CLOSE = ascii("close");
const TOKEN_KEEP_ALIVE = ascii("keep-alive");
const TOKEN_UPGRADE = ascii("upgrade");
const TOKEN_100_CONTINUE = ascii("100-continue");
const PARAMETER_TIMEOUT = ascii("timeout=");
/** RFC 4559, and what came before it: whoever has said one of these once is known by the connection from then on. */
const SCHEMES_OF_CONNECTIONS = [ascii("ntlm"), ascii("negotiate")] as const;

/** A day. Longer hints are no hints, and arithmetic on them could overflow. */
const KEEP_ALIVE_SECONDS_MAX = 86_400;

const member = new ListMember();

/** Made once for each kind of head and filled for each message. Positions are indices into the array parsed. */
export class FieldSection {
	/** How many field lines there are, at most {@link FIELDS_LIMIT}. */
	count = 0;
	/** Four positions for each field: name start and end, value start and end, the value without white space around. */
	readonly spans = new Int32Array(FIELDS_LIMIT * 4);
	/** What each field is (`FIELD_…`), with {@link NOMINATED} if a Connection option names it. */
	readonly ids = new Uint8Array(FIELDS_LIMIT);
	/** The value of Content-Length, -1 without one (RFC 9112, 6.2). */
	contentLength = -1;
	/** `Transfer-Encoding: chunked` (RFC 9112, 6.1). */
	isChunked = false;
	/** Connection says `close`. */
	hasClose = false;
	/** Connection says `keep-alive`. */
	hasKeepAlive = false;
	/** Connection says `upgrade`. */
	hasConnectionUpgrade = false;
	/** There is an Upgrade field with a value. */
	hasUpgrade = false;
	/** Which field says that 100 is expected (RFC 9110, 10.1.1); -1: none. See {@link isStripped}. */
	expectIndex = -1;
	/** Which field is Max-Forwards, -1: none; and how many, at most {@link MAX_FORWARDS_LIMIT}, -1: no number, or repeated. */
	maxForwardsIndex = -1;
	maxForwards = -1;
	/** `Keep-Alive: timeout=N`: how long the sender keeps the connection when nothing is asked; -1: it does not say. */
	keepAliveSeconds = -1;
	/**
	 * The scheme of its credentials or challenges is NTLM or Negotiate: the peer behind authenticates the connection, and
	 * takes whatever comes on it later for the same user's.
	 */
	bindsConnection = false;
	/** What is wrong with the fields that frame: counts only where there is a body to be framed. */
	framingCause = NO_CAUSE;
	/** Which field is Host; -1: none. */
	hostIndex = -1;
	/** Why it was refused: one of HTTP_CAUSES. */
	cause = NO_CAUSE;
	/** The Connection options that name fields: two positions for each. */
	readonly #options = new Int32Array(CONNECTION_OPTIONS_LIMIT * 2);
	#optionCount = 0;

	clear(): void {
		this.count = 0;
		this.contentLength = -1;
		this.isChunked = false;
		this.hasClose = false;
		this.hasKeepAlive = false;
		this.hasConnectionUpgrade = false;
		this.hasUpgrade = false;
		this.expectIndex = -1;
		this.maxForwardsIndex = -1;
		this.maxForwards = -1;
		this.keepAliveSeconds = -1;
		this.bindsConnection = false;
		this.framingCause = NO_CAUSE;
		this.hostIndex = -1;
		this.cause = NO_CAUSE;
		this.#optionCount = 0;
	}

	/** Reads field lines up to the empty line and returns the position after it, INCOMPLETE or BROKEN. */
	read(bytes: Uint8Array, start: number, limit: number): number {
		return this.#readLines(bytes, start, limit, true);
	}

	/** The same for trailers, which come too late to decide anything. */
	readTrailers(bytes: Uint8Array, start: number, limit: number): number {
		return this.#readLines(bytes, start, limit, false);
	}

	#readLines(bytes: Uint8Array, start: number, limit: number, decides: boolean): number {
		const { spans, ids } = this;
		const view = viewOf(bytes);
		let position = start;
		for (let index = 0; ; index++) {
			const nameStart = position;
			position = skip(bytes, position, limit, IS_TOKEN);
			if (position >= limit) return INCOMPLETE;
			if (at(bytes, position) !== COLON || position === nameStart) {
				this.count = index;
				return this.#readEnd(bytes, nameStart, position, limit);
			}
			const nameEnd = position;

			position++;
			while (position < limit && isSpace(at(bytes, position))) position++;
			const valueStart = position;
			position = skipValue(view, bytes, position, limit);
			if (position + 1 >= limit || at(bytes, position) !== CR || at(bytes, position + 1) !== LF) {
				return this.#readUnfinishedLine(bytes, position, limit);
			}
			let valueEnd = position;
			while (valueEnd > valueStart && isSpace(at(bytes, valueEnd - 1))) valueEnd--;
			position += 2;

			if (index === FIELDS_LIMIT) return this.#fail(TOO_MANY_FIELDS);
			const row = index * 4;
			spans[row] = nameStart;
			spans[row + 1] = nameEnd;
			spans[row + 2] = valueStart;
			spans[row + 3] = valueEnd;
			const id = fieldIdOf(bytes, nameStart, nameEnd);
			ids[index] = id;
			if (id !== 0 && decides && !this.#take(bytes, id, index, valueStart, valueEnd)) return BROKEN;
		}
	}

	/** What is no field line is the empty line that ends the head, or a fault. */
	#readEnd(bytes: Uint8Array, lineStart: number, position: number, limit: number): number {
		const byte = at(bytes, position);
		if (position > lineStart) return this.#fail(BAD_FIELD_NAME);
		if (byte === LF) return this.#fail(BARE_LF);
		if (byte === SP || byte === HT) return this.#fail(FOLDED_FIELD);
		if (byte !== CR) return this.#fail(BAD_FIELD_NAME);
		if (position + 1 >= limit) return INCOMPLETE;
		if (at(bytes, position + 1) !== LF) return this.#fail(BARE_CR);
		if (this.#optionCount > 0) this.#nominate(bytes);
		return position + 2;
	}

	/** A value that is not followed by CR LF (yet). */
	#readUnfinishedLine(bytes: Uint8Array, position: number, limit: number): number {
		if (position >= limit) return INCOMPLETE;
		const byte = at(bytes, position);
		if (byte === LF) return this.#fail(BARE_LF);
		if (byte !== CR) return this.#fail(BAD_FIELD_VALUE);
		return position + 1 >= limit ? INCOMPLETE : this.#fail(BARE_CR);
	}

	/** Looks at a field that has an id. */
	#take(bytes: Uint8Array, id: number, index: number, start: number, end: number): boolean {
		switch (id) {
			case FIELD_HOST:
				// A second Host is an error, even one that says the same (RFC 9112, 3.2).
				if (this.hostIndex >= 0) return this.#refuse(HOST_DUPLICATE);
				this.hostIndex = index;
				return true;
			case FIELD_CONTENT_LENGTH:
				return this.#takeContentLength(bytes, start, end);
			case FIELD_TRANSFER_ENCODING:
				return this.#takeTransferEncoding(bytes, start, end);
			case FIELD_CONNECTION:
				return this.#takeConnection(bytes, start, end);
			case FIELD_UPGRADE:
				if (end > start) this.hasUpgrade = true;
				return true;
			case FIELD_EXPECT:
				for (let from = start; member.read(bytes, from, end); from = member.next) {
					if (equalsIgnoringCase(bytes, member.start, member.end, TOKEN_100_CONTINUE)) {
						this.expectIndex = index;
					}
				}
				return true;
			case FIELD_MAX_FORWARDS:
				this.maxForwards = this.maxForwardsIndex < 0 ? readMaxForwards(bytes, start, end) : -1;
				this.maxForwardsIndex = index;
				return true;
			case FIELD_KEEP_ALIVE:
				this.#takeKeepAlive(bytes, start, end);
				return true;
			case FIELD_AUTHORIZATION:
			case FIELD_PROXY_AUTHORIZATION:
			case FIELD_WWW_AUTHENTICATE:
			case FIELD_PROXY_AUTHENTICATE:
				if (namesSchemeOfConnection(bytes, start, end)) this.bindsConnection = true;
				return true;
			default:
				return true;
		}
	}

	/** Whether a Connection option names the field: it ends here (RFC 9110, 7.6.1), and what ends here decides nothing. */
	isStripped(index: number): boolean {
		return at(this.ids, index) >= NOMINATED;
	}

	/** One field, digits only; fifteen of them, because more would not be a safe integer. */
	#takeContentLength(bytes: Uint8Array, start: number, end: number): boolean {
		if (this.contentLength >= 0 || start === end || end - start > 15)
			return this.#misframed(BAD_CONTENT_LENGTH);
		if (isFollowedByTab(bytes, end)) return this.#misframed(BAD_CONTENT_LENGTH);
		let length = 0;
		for (let i = start; i < end; i++) {
			const byte = at(bytes, i);
			if (!isDigit(byte)) return this.#misframed(BAD_CONTENT_LENGTH);
			length = length * 10 + byte - ZERO;
		}
		this.contentLength = length;
		return true;
	}

	#takeTransferEncoding(bytes: Uint8Array, start: number, end: number): boolean {
		if (this.isChunked || isFollowedByTab(bytes, end)) return this.#misframed(BAD_TRANSFER_ENCODING);
		if (equalsIgnoringCase(bytes, start, end, TOKEN_CHUNKED)) {
			this.isChunked = true;
			return true;
		}
		return this.#misframed(
			endsInChunked(bytes, start, end) ? TRANSFER_CODING_UNKNOWN : BAD_TRANSFER_ENCODING,
		);
	}

	/** The head is read on: an answer without a body has nothing that could be framed wrongly. */
	#misframed(cause: number): true {
		if (this.framingCause === NO_CAUSE) this.framingCause = cause;
		return true;
	}

	/** `timeout=N`, alone or among other parameters (RFC 2068, 19.7.1.1). What is no number says nothing. */
	#takeKeepAlive(bytes: Uint8Array, start: number, end: number): void {
		for (let from = start; member.read(bytes, from, end); from = member.next) {
			const digits = member.start + PARAMETER_TIMEOUT.length;
			if (digits >= member.end) continue;
			if (!equalsIgnoringCase(bytes, member.start, digits, PARAMETER_TIMEOUT)) continue;
			let seconds = 0;
			let position = digits;
			while (position < member.end && isDigit(at(bytes, position))) {
				seconds = Math.min(KEEP_ALIVE_SECONDS_MAX, seconds * 10 + at(bytes, position) - ZERO);
				position++;
			}
			if (position > digits && (position === member.end || at(bytes, position) === SEMICOLON))
				this.keepAliveSeconds = seconds;
		}
	}

	#takeConnection(bytes: Uint8Array, start: number, end: number): boolean {
		// What nearly every client says, without a list.
		if (equalsIgnoringCase(bytes, start, end, TOKEN_KEEP_ALIVE)) {
			this.hasKeepAlive = true;
			return true;
		}
		for (let from = start; member.read(bytes, from, end); from = member.next) {
			const optionEnd = endOfOption(bytes, member.start, member.end);
			if (optionEnd === NOT_AN_OPTION) return this.#refuse(BAD_CONNECTION_OPTION);
			const length = optionEnd - member.start;
			if (length === 0) continue;
			if (length === TOKEN_KEEP_ALIVE.length) {
				if (equalsIgnoringCase(bytes, member.start, optionEnd, TOKEN_KEEP_ALIVE)) {
					this.hasKeepAlive = true;
					continue;
				}
			} else if (length === TOKEN_CLOSE.length) {
				if (equalsIgnoringCase(bytes, member.start, optionEnd, TOKEN_CLOSE)) {
					this.hasClose = true;
					continue;
				}
			} else if (length === TOKEN_UPGRADE.length) {
				if (equalsIgnoringCase(bytes, member.start, optionEnd, TOKEN_UPGRADE)) {
					this.hasConnectionUpgrade = true;
					continue;
				}
			}
			if (!this.#takeOption(bytes, member.start, optionEnd)) return false;
		}
		return true;
	}

	/** Remembers an option that names a field which is not dropped anyway. */
	#takeOption(bytes: Uint8Array, start: number, end: number): boolean {
		const id = fieldIdOf(bytes, start, end);
		// Hop-by-hop by nature, so naming it is right (some large caches do); it goes on with the chunks all the same.
		if (id === FIELD_TRANSFER_ENCODING) return true;
		if (id > FIELD_LAST_FORWARDING && id <= FIELD_LAST_FRAMING) return this.#refuse(BAD_CONNECTION_OPTION);
		// What is said of the client and of the way is for the server behind: a client that could have a trusted proxy's
		// word taken out would pass for that proxy.
		if (id === FIELD_VIA || (id > FIELD_LAST_DROPPED && id <= FIELD_LAST_FORWARDING)) return true;
		if (id !== 0 && id <= FIELD_LAST_DROPPED && id !== FIELD_LOOKALIKE) return true;
		const count = this.#optionCount;
		if (count === CONNECTION_OPTIONS_LIMIT) return this.#refuse(BAD_CONNECTION_OPTION);
		this.#optionCount = count + 1;
		this.#options[count * 2] = start;
		this.#options[count * 2 + 1] = end;
		return true;
	}

	/** Marks the fields that Connection options name, wherever they stand (RFC 9110, 7.6.1). */
	#nominate(bytes: Uint8Array): void {
		for (let option = 0; option < this.#optionCount; option++) {
			const start = this.#options[option * 2] as number;
			const end = this.#options[option * 2 + 1] as number;
			for (let index = 0; index < this.count; index++) {
				const nameStart = this.spans[index * 4] as number;
				const nameEnd = this.spans[index * 4 + 1] as number;
				if (isSameIgnoringCase(bytes, start, end, nameStart, nameEnd)) {
					this.ids[index] = at(this.ids, index) | NOMINATED;
				}
			}
		}
	}

	#fail(cause: number): number {
		this.cause = cause;
		return BROKEN;
	}

	#refuse(cause: number): false {
		this.cause = cause;
		return false;
	}
}

const NOT_AN_OPTION = -1;

/**
 * Where the option ends that the member bytes[start, end) of a Connection list is. It is a token, but some senders put
 * parameters behind it, `keep-alive; timeout=5, max=100`, which belong in Keep-Alive (RFC 2068, 19.7.1.1): they say
 * nothing here, and one behind a comma is an empty option. NOT_AN_OPTION: anything else.
 */
function endOfOption(bytes: Uint8Array, start: number, end: number): number {
	const tokenEnd = skip(bytes, start, end, IS_TOKEN);
	let position = tokenEnd;
	while (position < end && isSpace(at(bytes, position))) position++;
	if (position === end) return tokenEnd;
	if (tokenEnd === start) return NOT_AN_OPTION;
	const next = at(bytes, position);
	if (next === SEMICOLON) return tokenEnd;
	return next === EQUALS ? start : NOT_AN_OPTION;
}

/** `-1` for what is no number (RFC 9110, 7.6.2). A larger one than is counted here is as good as the largest. */
function readMaxForwards(bytes: Uint8Array, start: number, end: number): number {
	let count = start === end ? -1 : 0;
	for (let i = start; i < end; i++) {
		if (!isDigit(at(bytes, i))) return -1;
		count = Math.min(count * 10 + at(bytes, i) - ZERO, MAX_FORWARDS_LIMIT);
	}
	return count;
}

/**
 * Whether a tab stands between a value and the end of its line. RFC 9112 allows it, but llhttp, and so every server
 * on Node, does not count it as white space after the two fields that frame, and takes the value for another one.
 */
function isFollowedByTab(bytes: Uint8Array, valueEnd: number): boolean {
	let position = valueEnd;
	while (at(bytes, position) === SP) position++;
	return at(bytes, position) === HT;
}

/**
 * Whether one of {@link SCHEMES_OF_CONNECTIONS} is a word of the value, wherever it stands: lists of challenges are read
 * in many ways, and to keep a connection for one client too often costs little.
 */
function namesSchemeOfConnection(bytes: Uint8Array, start: number, end: number): boolean {
	let position = start;
	while (position < end) {
		const wordStart = position;
		while (position < end && at(IS_TOKEN, at(bytes, position)) === 1) position++;
		for (const scheme of SCHEMES_OF_CONNECTIONS)
			if (equalsIgnoringCase(bytes, wordStart, position, scheme)) return true;
		position++;
	}
	return false;
}

/** A list of at least two codings of which the last is `chunked` and no other one is. */
function endsInChunked(bytes: Uint8Array, start: number, end: number): boolean {
	let members = 0;
	let isLastChunked = false;
	for (let from = start; member.read(bytes, from, end); from = member.next) {
		if (isLastChunked || member.end === member.start) return false;
		members++;
		isLastChunked = equalsIgnoringCase(bytes, member.start, member.end, TOKEN_CHUNKED);
	}
	return members > 1 && isLastChunked;
}

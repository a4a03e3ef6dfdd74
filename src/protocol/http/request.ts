/**
 * The head of an HTTP/1.x request: what is asked, of whom, and how long the message is.
 *
 *     method SP target SP HTTP/1.x CRLF      RFC 9112, 3
 *     *( name ":" OWS value OWS CRLF )       RFC 9112, 5
 *     CRLF
 *
 * Every head is read by this one grammar: that of a request which is relayed unread, for the sake of its host, and
 * that of a request which is answered for. Strict where RFC 9112 leaves a choice, see `FieldSection`.
 */
import { ascii, at, equalsIgnoringCase, isDigit } from "../bytes.js";
import { COMPLETE, MALFORMED, NEED_MORE, type Verdict } from "../verdict.js";
import { Authority } from "./authority.js";
import {
	BAD_HTTP_VERSION,
	BAD_MAX_FORWARDS,
	BAD_METHOD,
	BAD_TARGET,
	BARE_CR,
	BARE_LF,
	BOTH_LENGTHS,
	HEAD_TOO_LARGE,
	HOST_INVALID,
	HOST_MISSING,
	HTTP_VERSION_UNSUPPORTED,
	METHOD_CONNECT_REFUSED,
	METHOD_TRACE_REFUSED,
	METHOD_UNKNOWN,
	NO_CAUSE,
	statusOf,
	TARGET_TOO_LONG,
	TRANSFER_ENCODING_HTTP10,
} from "./causes.js";
import { BROKEN, FieldSection, INCOMPLETE } from "./field-section.js";
import { FRAMING_CHUNKED, FRAMING_LENGTH, FRAMING_NONE } from "./framing.js";
import {
	ASTERISK,
	CR,
	hasLineEnd,
	IS_TARGET,
	IS_TOKEN,
	LF,
	QUESTION,
	SLASH,
	SP,
	skip,
	ZERO,
} from "./grammar.js";
import { HEAD_LIMIT_BYTES, missingBytes, resumeFrom } from "./head-end.js";
import {
	METHOD_CONNECT,
	METHOD_NONE,
	METHOD_OPTIONS,
	METHOD_OTHER,
	METHOD_TRACE,
	methodOf,
} from "./methods.js";

// The forms of a target (RFC 9112, 3.2). The authority-form belongs to CONNECT, and to nothing else.
export const TARGET_ORIGIN = 0;
export const TARGET_ABSOLUTE = 1;
export const TARGET_ASTERISK = 2;
export const TARGET_AUTHORITY = 3;

const SCHEME_HTTP = ascii("http://");
const SCHEME_HTTPS = ascii("https://");
const VERSION_PREFIX = ascii("HTTP/");
/** `HTTP/1.x` CR LF */
const VERSION_BYTES = 8;

/** What a host is read into when only its validity matters. */
const unused = new Authority();

/**
 * What a request head says. One object serves one reactor and never allocates. Its contents mean something only
 * after COMPLETE, except `needBytes` and `scanFrom` (NEED_MORE), `cause` and `status` (MALFORMED). Positions are
 * indices into the array that was parsed.
 */
export class RequestHead {
	/** `METHOD_…`, METHOD_NONE included: see {@link refusalOfMethod}. */
	method = METHOD_OTHER;
	methodStart = 0;
	methodEnd = 0;
	targetStart = 0;
	targetEnd = 0;
	/** `TARGET_…` */
	targetForm = TARGET_ORIGIN;
	/** Path and query: the whole target, or what follows the authority; empty if nothing does, as after `*`. */
	pathStart = 0;
	pathEnd = 0;
	/**
	 * Whom the request is for: the target's authority if it has one (RFC 9112, 3.2.2), otherwise the Host field.
	 * Empty for HTTP/1.0 without Host, and for `OPTIONS *` with an empty one.
	 */
	readonly authority = new Authority();
	/** HTTP/1.0, or HTTP/1.1 and what may come after it. */
	versionMinor: 0 | 1 = 0;
	/** From `start` to just past the empty line: what is taken from the connection. */
	headLength = 0;
	readonly fields = new FieldSection();
	/** FRAMING_NONE, FRAMING_LENGTH or FRAMING_CHUNKED. */
	framing = FRAMING_NONE;
	/** With FRAMING_LENGTH: how many bytes follow the head. Otherwise 0. */
	contentLength = 0;
	/** The client wants to send another request after this one (RFC 9112, 9.3). */
	keepAlive = false;
	/** The client waits for 100 before it sends the body (RFC 9110, 10.1.1; 1.1 only). */
	expectContinue = false;
	/** With OPTIONS: how often it may be passed on (RFC 9110, 7.6.2); -1: as often as need be. */
	maxForwards = -1;
	/** `Connection: upgrade` and an Upgrade field (RFC 9110, 7.8; 1.1 only). */
	wantsUpgrade = false;
	/** With NEED_MORE: at least so many bytes, counted from `start`, make up any valid head that begins so. */
	needBytes = 0;
	/** With NEED_MORE: where `headEnd` goes on looking. */
	scanFrom = 0;
	/** With MALFORMED: which of HTTP_CAUSES. */
	cause = NO_CAUSE;

	/** With MALFORMED: what to answer. */
	get status(): number {
		return statusOf(this.cause);
	}
}

/**
 * Reads a request head from bytes[start, end), which is what has arrived so far. One empty line before it is skipped
 * (RFC 9112, 2.2). After NEED_MORE, see `headEnd` for when to call again.
 */
export function parseRequest(bytes: Uint8Array, start: number, end: number, out: RequestHead): Verdict {
	clear(out);
	const limit = Math.min(end, start + HEAD_LIMIT_BYTES);
	const linesStart = skipEmptyLine(bytes, start, limit, out);
	const fieldsStart = linesStart < 0 ? linesStart : readRequestLine(bytes, linesStart, limit, out);
	const headEnd = fieldsStart < 0 ? fieldsStart : out.fields.read(bytes, fieldsStart, limit);

	if (headEnd === INCOMPLETE) {
		if (limit - start === HEAD_LIMIT_BYTES) {
			return refuse(out, fieldsStart < 0 ? TARGET_TOO_LONG : HEAD_TOO_LARGE);
		}
		clear(out);
		out.needBytes = limit - start + missingBytes(bytes, start, limit);
		if (out.needBytes > HEAD_LIMIT_BYTES) return refuse(out, HEAD_TOO_LARGE);
		out.scanFrom = resumeFrom(bytes, start, limit);
		return NEED_MORE;
	}
	if (headEnd === BROKEN) return refuse(out, fieldsStart < 0 ? out.cause : out.fields.cause);
	const cause = conclude(bytes, out);
	if (cause !== NO_CAUSE) return refuse(out, cause);
	out.headLength = headEnd - start;
	return COMPLETE;
}

function skipEmptyLine(bytes: Uint8Array, position: number, limit: number, out: RequestHead): number {
	if (position >= limit || at(bytes, position) !== CR) return position;
	if (position + 1 >= limit) return INCOMPLETE;
	return at(bytes, position + 1) === LF ? position + 2 : broken(out, BARE_CR);
}

function readRequestLine(bytes: Uint8Array, start: number, limit: number, out: RequestHead): number {
	let position = skip(bytes, start, limit, IS_TOKEN);
	if (position >= limit) return INCOMPLETE;
	if (position === start || at(bytes, position) !== SP) return broken(out, BAD_METHOD);
	out.methodStart = start;
	out.methodEnd = position;
	out.method = methodOf(bytes, start, position);

	position++;
	out.targetStart = position;
	position = skip(bytes, position, limit, IS_TARGET);
	if (position >= limit) return INCOMPLETE;
	if (at(bytes, position) !== SP) return broken(out, BAD_TARGET);
	out.targetEnd = position;
	if (!readTarget(bytes, out)) return broken(out, BAD_TARGET);
	return readVersion(bytes, position + 1, limit, out);
}

/** The forms of RFC 9112, 3.2. */
function readTarget(bytes: Uint8Array, out: RequestHead): boolean {
	const start = out.targetStart;
	const end = out.targetEnd;
	if (out.method === METHOD_CONNECT) {
		out.targetForm = TARGET_AUTHORITY;
		out.pathStart = end;
		out.pathEnd = end;
		// A tunnel leads to a port, which no scheme implies (RFC 9112, 3.2.3).
		return out.authority.read(bytes, start, end) && out.authority.port >= 0;
	}
	if (start === end) return false;
	if (at(bytes, start) === SLASH) {
		out.pathStart = start;
		out.pathEnd = end;
		return true;
	}
	if (end - start === 1 && at(bytes, start) === ASTERISK) {
		out.targetForm = TARGET_ASTERISK;
		out.pathStart = end;
		out.pathEnd = end;
		return out.method === METHOD_OPTIONS;
	}
	const authorityStart = start + lengthOfScheme(bytes, start, end);
	if (authorityStart === start) return false;
	let authorityEnd = authorityStart;
	while (authorityEnd < end && at(bytes, authorityEnd) !== SLASH && at(bytes, authorityEnd) !== QUESTION) {
		authorityEnd++;
	}
	out.targetForm = TARGET_ABSOLUTE;
	out.pathStart = authorityEnd;
	out.pathEnd = end;
	// Empty hosts are invalid in http URIs (RFC 9110, 4.2.1), so the target's host is never empty.
	return out.authority.read(bytes, authorityStart, authorityEnd);
}

/** Of `http://` or `https://`; 0 for anything else, which no HTTP request to a gateway can name. */
function lengthOfScheme(bytes: Uint8Array, start: number, end: number): number {
	if (startsWith(bytes, start, end, SCHEME_HTTP)) return SCHEME_HTTP.length;
	return startsWith(bytes, start, end, SCHEME_HTTPS) ? SCHEME_HTTPS.length : 0;
}

function startsWith(bytes: Uint8Array, start: number, end: number, prefix: Uint8Array): boolean {
	const prefixEnd = start + prefix.length;
	return prefixEnd <= end && equalsIgnoringCase(bytes, start, prefixEnd, prefix);
}

function readVersion(bytes: Uint8Array, start: number, limit: number, out: RequestHead): number {
	const prefixLimit = Math.min(limit, start + VERSION_PREFIX.length);
	for (let i = start; i < prefixLimit; i++) {
		if (at(bytes, i) !== at(VERSION_PREFIX, i - start)) return broken(out, BAD_HTTP_VERSION);
	}
	const end = start + VERSION_BYTES;
	if (limit < end) return hasLineEnd(bytes, start, limit) ? broken(out, BAD_HTTP_VERSION) : INCOMPLETE;
	const major = at(bytes, end - 3);
	const minor = at(bytes, end - 1);
	if (!isDigit(major) || at(bytes, end - 2) !== 0x2e || !isDigit(minor)) return broken(out, BAD_HTTP_VERSION);
	if (limit === end) return INCOMPLETE;
	const after = at(bytes, end);
	if (after === LF) return broken(out, BARE_LF);
	if (after !== CR) return broken(out, BAD_HTTP_VERSION);
	if (major !== ZERO + 1) return broken(out, HTTP_VERSION_UNSUPPORTED);
	// A later minor version means no less (RFC 9110, 2.5), and goes on as 1.1.
	out.versionMinor = minor === ZERO ? 0 : 1;
	if (limit === end + 1) return INCOMPLETE;
	return at(bytes, end + 1) === LF ? end + 2 : broken(out, BARE_CR);
}

/** What only the whole head can say: whom it is for, how it is framed, and whether the connection lives on. */
function conclude(bytes: Uint8Array, out: RequestHead): number {
	const fields = out.fields;
	const isHttp11 = out.versionMinor === 1;
	const hostCause = readHost(bytes, out);
	if (hostCause !== NO_CAUSE) return hostCause;

	if (fields.framingCause !== NO_CAUSE) return fields.framingCause;
	if (fields.isChunked) {
		if (fields.contentLength >= 0) return BOTH_LENGTHS;
		// A 1.0 server may not know the coding and take the chunks for the next request (RFC 9112, 6.1).
		if (!isHttp11) return TRANSFER_ENCODING_HTTP10;
		out.framing = FRAMING_CHUNKED;
	} else if (fields.contentLength >= 0) {
		out.framing = FRAMING_LENGTH;
		out.contentLength = fields.contentLength;
	}
	// `close` wins over `keep-alive` (RFC 9112, 9.3).
	out.keepAlive = !fields.hasClose && (isHttp11 || fields.hasKeepAlive);
	// Without a body there is nothing to wait with, and 1.0 does not know it (RFC 9110, 10.1.1).
	const hasBody = out.framing === FRAMING_CHUNKED || out.contentLength > 0;
	const expects = fields.expectIndex >= 0 && !fields.isStripped(fields.expectIndex);
	out.expectContinue = expects && isHttp11 && hasBody;
	const limit = out.method === METHOD_OPTIONS ? fields.maxForwardsIndex : -1;
	if (limit >= 0 && !fields.isStripped(limit)) {
		if (fields.maxForwards < 0) return BAD_MAX_FORWARDS;
		out.maxForwards = fields.maxForwards;
	}
	out.wantsUpgrade = isHttp11 && fields.hasConnectionUpgrade && fields.hasUpgrade;
	return NO_CAUSE;
}

/** RFC 9112, 3.2: exactly one Host in 1.1, at most one in 1.0, and always a valid one. */
function readHost(bytes: Uint8Array, out: RequestHead): number {
	const { fields } = out;
	if (fields.hostIndex < 0) return out.versionMinor === 1 ? HOST_MISSING : NO_CAUSE;
	const start = fields.spans[fields.hostIndex * 4 + 2] as number;
	const end = fields.spans[fields.hostIndex * 4 + 3] as number;
	if (start === end) {
		// It says that the target has no authority, or is replaced by the one that it has. A request for a path
		// cannot say so: its URI would be `http:///path`, which is invalid (RFC 9110, 4.2.1).
		return out.versionMinor === 1 && out.targetForm === TARGET_ORIGIN ? HOST_INVALID : NO_CAUSE;
	}
	// An authority in the target replaces the field, which must be valid all the same.
	const isReplaced = out.targetForm === TARGET_ABSOLUTE || out.targetForm === TARGET_AUTHORITY;
	const authority = isReplaced ? unused : out.authority;
	return authority.read(bytes, start, end) ? NO_CAUSE : HOST_INVALID;
}

/**
 * Why a request of this method is not answered for, well-formed as it is; NO_CAUSE: it is. For requests that are
 * relayed unread, methods are the business of the server behind.
 */
export function refusalOfMethod(method: number): number {
	if (method === METHOD_NONE) return METHOD_UNKNOWN;
	if (method === METHOD_CONNECT) return METHOD_CONNECT_REFUSED;
	return method === METHOD_TRACE ? METHOD_TRACE_REFUSED : NO_CAUSE;
}

function broken(out: RequestHead, cause: number): number {
	out.cause = cause;
	return BROKEN;
}

/** What was read before the fault is forgotten, so that nobody routes by half of a bad head. */
function refuse(out: RequestHead, cause: number): Verdict {
	clear(out);
	out.cause = cause;
	return MALFORMED;
}

function clear(out: RequestHead): void {
	out.method = METHOD_OTHER;
	out.methodStart = 0;
	out.methodEnd = 0;
	out.targetStart = 0;
	out.targetEnd = 0;
	out.targetForm = TARGET_ORIGIN;
	out.pathStart = 0;
	out.pathEnd = 0;
	out.authority.clear();
	out.versionMinor = 0;
	out.headLength = 0;
	out.fields.clear();
	out.framing = FRAMING_NONE;
	out.contentLength = 0;
	out.keepAlive = false;
	out.expectContinue = false;
	out.maxForwards = -1;
	out.wantsUpgrade = false;
	out.needBytes = 0;
	out.scanFrom = 0;
	out.cause = NO_CAUSE;
}

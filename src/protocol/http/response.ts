/**
 * The head of an HTTP/1.x response: the status, how long the message is, and whether its connection lives on.
 *
 *     HTTP/1.x SP status SP [ reason ] CRLF      RFC 9112, 4
 *     *( name ":" OWS value OWS CRLF )           RFC 9112, 5
 *     CRLF
 *
 * As strict as for requests: an upstream whose message can be read in two ways could have been made to send one
 * client what is meant for another. The client is answered 502 then.
 */
import { at, isDigit } from "../bytes.js";
import { COMPLETE, MALFORMED, NEED_MORE, type Verdict } from "../verdict.js";
import {
	BAD_STATUS_LINE,
	BARE_CR,
	BARE_LF,
	BOTH_LENGTHS,
	HEAD_TOO_LARGE,
	HTTP_VERSION_UNSUPPORTED,
	NO_CAUSE,
	TRANSFER_ENCODING_HTTP10,
	UNEXPECTED_UPGRADE,
} from "./causes.js";
import { BROKEN, FieldSection, INCOMPLETE } from "./field-section.js";
import { FRAMING_CHUNKED, FRAMING_CLOSE, FRAMING_LENGTH, FRAMING_NONE } from "./framing.js";
import { CR, hasLineEnd, IS_VALUE, LF, SP, skip, ZERO } from "./grammar.js";
import { HEAD_LIMIT_BYTES, missingBytes, resumeFrom } from "./head-end.js";
import { METHOD_CONNECT, METHOD_HEAD } from "./methods.js";

export const STATUS_CONTINUE = 100;
export const STATUS_SWITCHING_PROTOCOLS = 101;
const STATUS_NO_CONTENT = 204;
const STATUS_NOT_MODIFIED = 304;

/** `HTTP/1.x` SP and three digits. */
const STATUS_LINE_SHORTEST_BYTES = 12;
const VERSION_PREFIX = [0x48, 0x54, 0x54, 0x50, 0x2f] as const;

/**
 * What a response head says. One object serves one reactor and never allocates. Its contents mean something only
 * after COMPLETE, except `needBytes` and `scanFrom` (NEED_MORE) and `cause` (MALFORMED). Positions are indices into
 * the array that was parsed.
 */
export class ResponseHead {
	/** 100 to 999. Above 599 there are no classes (RFC 9110, 15), but such responses are framed as any other. */
	statusCode = 0;
	/** Three digits, in the bytes. */
	statusStart = 0;
	reasonStart = 0;
	reasonEnd = 0;
	/** HTTP/1.0 or HTTP/1.1. */
	versionMinor: 0 | 1 = 0;
	/** From `start` to just past the empty line. */
	headLength = 0;
	readonly fields = new FieldSection();
	/** `FRAMING_…` */
	framing = FRAMING_NONE;
	/** With FRAMING_LENGTH: how many bytes follow the head. Otherwise 0, whatever the field says (HEAD, 304). */
	contentLength = 0;
	/** The upstream takes another request on this connection, once this message is over (RFC 9112, 9.3). */
	keepAlive = false;
	/** By its status or its request it has no body, and ends at the empty line. */
	hasNoBody = false;
	/** It has no body, and says the length of one that there could have been. */
	keepsLength = false;
	/** 1xx other than 101: another head follows, the answer itself (RFC 9110, 15.2). */
	isInterim = false;
	/** 101: what follows the head is no HTTP. */
	isUpgrade = false;
	/** With NEED_MORE: at least so many bytes, counted from `start`, make up any valid head that begins so. */
	needBytes = 0;
	/** With NEED_MORE: where `headEnd` goes on looking. */
	scanFrom = 0;
	/** With MALFORMED: which of HTTP_CAUSES. */
	cause = NO_CAUSE;
}

/**
 * Reads a response head from bytes[start, end), which is what has arrived so far. `requestMethod` (`METHOD_…`) is that
 * of the request that was sent, by which the response is framed. Requests go out as 1.1.
 */
export function parseResponse(
	bytes: Uint8Array,
	start: number,
	end: number,
	requestMethod: number,
	out: ResponseHead,
): Verdict {
	clear(out);
	const limit = Math.min(end, start + HEAD_LIMIT_BYTES);
	const fieldsStart = readStatusLine(bytes, start, limit, out);
	const headEnd = fieldsStart < 0 ? fieldsStart : out.fields.read(bytes, fieldsStart, limit);

	if (headEnd === INCOMPLETE) {
		clear(out);
		out.needBytes = limit - start + missingBytes(bytes, start, limit);
		if (out.needBytes > HEAD_LIMIT_BYTES) return refuse(out, HEAD_TOO_LARGE);
		out.scanFrom = resumeFrom(bytes, start, limit);
		return NEED_MORE;
	}
	if (headEnd === BROKEN) return refuse(out, fieldsStart < 0 ? out.cause : out.fields.cause);
	const cause = conclude(out, requestMethod);
	if (cause !== NO_CAUSE) return refuse(out, cause);
	out.headLength = headEnd - start;
	return COMPLETE;
}

function readStatusLine(bytes: Uint8Array, start: number, limit: number, out: ResponseHead): number {
	const prefixLimit = Math.min(limit, start + VERSION_PREFIX.length);
	for (let i = start; i < prefixLimit; i++) {
		if (at(bytes, i) !== VERSION_PREFIX[i - start]) return broken(out, BAD_STATUS_LINE);
	}
	if (limit - start <= STATUS_LINE_SHORTEST_BYTES) {
		return hasLineEnd(bytes, start, limit) ? broken(out, BAD_STATUS_LINE) : INCOMPLETE;
	}
	const major = at(bytes, start + 5);
	const minor = at(bytes, start + 7);
	if (!isDigit(major) || at(bytes, start + 6) !== 0x2e || !isDigit(minor))
		return broken(out, BAD_STATUS_LINE);
	if (major !== ZERO + 1) {
		const isCut = hasLineEnd(bytes, start, start + STATUS_LINE_SHORTEST_BYTES);
		return broken(out, isCut ? BAD_STATUS_LINE : HTTP_VERSION_UNSUPPORTED);
	}
	out.versionMinor = minor === ZERO ? 0 : 1;

	out.statusStart = start + 9;
	const hundreds = at(bytes, start + 9) - ZERO;
	const tens = at(bytes, start + 10) - ZERO;
	const ones = at(bytes, start + 11) - ZERO;
	const isNumber = hundreds >= 1 && hundreds <= 9 && tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9;
	if (at(bytes, start + 8) !== SP || !isNumber) return broken(out, BAD_STATUS_LINE);
	out.statusCode = hundreds * 100 + tens * 10 + ones;

	// The space belongs to the line even before an empty reason, but common servers leave it out, and nobody can
	// mistake what they mean.
	let position = start + STATUS_LINE_SHORTEST_BYTES;
	if (at(bytes, position) === SP) position++;
	else if (at(bytes, position) !== CR && at(bytes, position) !== LF) return broken(out, BAD_STATUS_LINE);
	out.reasonStart = position;
	position = skip(bytes, position, limit, IS_VALUE);
	out.reasonEnd = position;
	if (position >= limit) return INCOMPLETE;
	const byte = at(bytes, position);
	if (byte === LF) return broken(out, BARE_LF);
	if (byte !== CR) return broken(out, BAD_STATUS_LINE);
	if (position + 1 >= limit) return INCOMPLETE;
	return at(bytes, position + 1) === LF ? position + 2 : broken(out, BARE_CR);
}

/** How the message is framed, in the order of RFC 9112, 6.3, and whether the connection outlives it. */
function conclude(out: ResponseHead, requestMethod: number): number {
	const { fields, statusCode } = out;
	out.keepAlive = !fields.hasClose && (out.versionMinor === 1 || fields.hasKeepAlive);
	out.hasNoBody =
		statusCode < 200 ||
		statusCode === STATUS_NO_CONTENT ||
		statusCode === STATUS_NOT_MODIFIED ||
		requestMethod === METHOD_HEAD;
	if (out.hasNoBody) return concludeWithoutBody(out);
	if (fields.framingCause !== NO_CAUSE) return fields.framingCause;
	if (requestMethod === METHOD_CONNECT && statusCode < 300) {
		// A tunnel begins. We never send CONNECT; should that change, the connection must not be used again.
		out.keepAlive = false;
		return NO_CAUSE;
	}
	if (fields.isChunked) {
		if (fields.contentLength >= 0) return BOTH_LENGTHS;
		// No 1.0 response may be chunked (RFC 9112, 6.1).
		if (out.versionMinor === 0) return TRANSFER_ENCODING_HTTP10;
		out.framing = FRAMING_CHUNKED;
	} else if (fields.contentLength >= 0) {
		out.framing = FRAMING_LENGTH;
		out.contentLength = fields.contentLength;
	} else {
		out.framing = FRAMING_CLOSE;
		out.keepAlive = false;
	}
	return NO_CAUSE;
}

/**
 * It ends at the empty line, whatever it says of a body (RFC 9112, 6.3). A server that says so may send one all the same,
 * and that would be read as the next answer: nobody is to be lent its connection. Only the length that GET would have had
 * is what HEAD and 304 may say, and servers do (RFC 9110, 8.6).
 */
function concludeWithoutBody(out: ResponseHead): number {
	const { fields, statusCode } = out;
	const says = fields.isChunked || fields.contentLength > 0 || fields.framingCause !== NO_CAUSE;
	const isLength = fields.contentLength >= 0 && !fields.isChunked && fields.framingCause === NO_CAUSE;
	out.keepsLength = isLength && statusCode >= 200 && statusCode !== STATUS_NO_CONTENT;
	if (says && !out.keepsLength) out.keepAlive = false;
	if (statusCode === STATUS_SWITCHING_PROTOCOLS) {
		if (!fields.hasConnectionUpgrade || !fields.hasUpgrade || out.versionMinor === 0)
			return UNEXPECTED_UPGRADE;
		out.isUpgrade = true;
		out.keepAlive = false;
	} else out.isInterim = statusCode < 200;
	return NO_CAUSE;
}

function broken(out: ResponseHead, cause: number): number {
	out.cause = cause;
	return BROKEN;
}

/** What was read before the fault is forgotten. */
function refuse(out: ResponseHead, cause: number): Verdict {
	clear(out);
	out.cause = cause;
	return MALFORMED;
}

function clear(out: ResponseHead): void {
	out.statusCode = 0;
	out.statusStart = 0;
	out.reasonStart = 0;
	out.reasonEnd = 0;
	out.versionMinor = 0;
	out.headLength = 0;
	out.fields.clear();
	out.framing = FRAMING_NONE;
	out.contentLength = 0;
	out.keepAlive = false;
	out.hasNoBody = false;
	out.keepsLength = false;
	out.isInterim = false;
	out.isUpgrade = false;
	out.needBytes = 0;
	out.scanFrom = 0;
	out.cause = NO_CAUSE;
}

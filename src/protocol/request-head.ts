/**
 * The head of an HTTP/1.x request: which host it is for, and where it ends.
 *
 *     method SP target SP HTTP/1.x CRLF      RFC 9112, 3
 *     *( name ":" OWS value OWS CRLF )       RFC 9112, 5
 *     CRLF
 *
 * Strict where RFC 9112 leaves a choice. Every leniency (a bare LF, a folded line, two Host fields, both
 * lengths) is a place where this gateway and the server behind it can read one request differently, and
 * request smuggling is made of such places.
 */
import { ascii, at, equals, equalsIgnoringCase, isDigit, textOf, toLower } from "./bytes.js";
import { copyHostName, HOST_NAME_CAPACITY_BYTES, INVALID_HOST_NAME, writeIpv6Literal } from "./host-name.js";
import { COMPLETE, MALFORMED, NEED_MORE, type Verdict } from "./verdict.js";

/** The longest head taken, from its first byte to the empty line; as much as Node's own server takes. */
export const REQUEST_HEAD_LIMIT_BYTES = 16384;

/** More fields than any browser or proxy chain sends; nginx and HAProxy stop at about as many. */
export const REQUEST_FIELDS_LIMIT = 100;

const SHORTEST_REQUEST_BYTES = "G / HTTP/1.0\r\n\r\n".length;

/** The closed list of reasons for MALFORMED. */
export type RequestHeadFault =
	| "head_too_large"
	| "too_many_fields"
	| "bare_cr"
	| "bare_lf"
	| "method"
	| "target"
	| "http_version"
	| "field_name"
	| "folded_field"
	| "field_value"
	| "host_missing"
	| "host_duplicate"
	| "host_invalid"
	| "content_length"
	| "transfer_encoding"
	| "both_lengths";

const HT = 0x09;
const LF = 0x0a;
const CR = 0x0d;
const SP = 0x20;
const COLON = 0x3a;
const SLASH = 0x2f;

const METHOD_GET = ascii("GET");
const METHOD_CONNECT = ascii("CONNECT");
const METHOD_OPTIONS = ascii("OPTIONS");
const SCHEME_HTTP = ascii("http://");
const SCHEME_HTTPS = ascii("https://");
const VERSION_PREFIX = ascii("HTTP/1.");
const FIELD_HOST = ascii("host");
const FIELD_UPGRADE = ascii("upgrade");
const FIELD_CONNECTION = ascii("connection");
const FIELD_CONTENT_LENGTH = ascii("content-length");
const FIELD_TRANSFER_ENCODING = ascii("transfer-encoding");
const TOKEN_UPGRADE = ascii("upgrade");
const TOKEN_WEBSOCKET = ascii("websocket");
const TOKEN_CHUNKED = ascii("chunked");

/** RFC 9110, 5.6.2: what method and field names are made of. */
const isTokenByte = byteClass((byte) => /[!#$%&'*+\-.^_`|~0-9A-Za-z]/.test(String.fromCharCode(byte)));
/** Visible ASCII; `#` is refused because a fragment is never sent, and readers differ on what it would mean. */
const isTargetByte = byteClass((byte) => byte > 0x20 && byte < 0x7f && byte !== 0x23);
/** RFC 9110, 5.5: tab, space, visible ASCII, and obs-text. */
const isValueByte = byteClass((byte) => byte === HT || (byte >= 0x20 && byte !== 0x7f));

function byteClass(contains: (byte: number) => boolean): Uint8Array {
	return Uint8Array.from({ length: 256 }, (_, byte) => (contains(byte) ? 1 : 0));
}

/**
 * What a request head says. One object serves one reactor and never allocates. Its contents mean something only
 * after COMPLETE. Positions are indices into the array that was parsed.
 */
export class RequestHead {
	/**
	 * The host the request is for, lower-cased, without port, final dot or brackets: the target's authority if it
	 * has one (absolute-form and CONNECT: RFC 9112, 3.2.2 and 3.2.3), otherwise the Host field.
	 */
	readonly host = new Uint8Array(HOST_NAME_CAPACITY_BYTES);
	/** 0: an empty Host field, or HTTP/1.0 without one. */
	hostLength = 0;
	methodStart = 0;
	methodEnd = 0;
	targetStart = 0;
	targetEnd = 0;
	/** HTTP/1.0 or HTTP/1.1. */
	versionMinor: 0 | 1 = 0;
	/** Just past the final CRLF CRLF: where the content begins. */
	headEnd = 0;
	/** How many field lines there are. */
	fieldCount = 0;
	/** GET over HTTP/1.1 with `Connection: upgrade` and `Upgrade: websocket` (RFC 6455, 4.1). */
	isUpgradeWebSocket = false;
	/** The value of Content-Length, -1 without one (RFC 9112, 6.2). */
	contentLength = -1;
	/** `Transfer-Encoding: chunked` (RFC 9112, 6.1). */
	isChunked = false;
	/** With NEED_MORE: at least so many bytes, counted from `start`, make up any valid head that begins so. */
	needBytes = 0;
	/** With MALFORMED: which rule was broken. */
	cause: RequestHeadFault | "" = "";

	/** The host as text, undefined without one. Allocates: for people and tests. */
	get hostName(): string | undefined {
		return this.hostLength === 0 ? undefined : textOf(this.host, 0, this.hostLength);
	}
}

/**
 * What the steps below return instead of the position they reached. `needBytes` holds the rest of the answer
 * after INCOMPLETE, `cause` after BROKEN.
 */
const INCOMPLETE = -1;
const BROKEN = -2;

/** What a host may be written into when only its validity matters. */
const hostScratch = new Uint8Array(HOST_NAME_CAPACITY_BYTES);

/** What one parse has to remember from field to field; like the results, made once and cleared. */
const seen = { host: false, hostInTarget: false, connectionUpgrade: false, upgradeWebSocket: false };

/**
 * Reads a request head from bytes[start, end), which is what has arrived so far (RFC 9112, 2 to 6). One empty
 * line before it is skipped (RFC 9112, 2.2).
 *
 * Transfer-Encoding must be a single `chunked`, Content-Length one number, and both together are refused, as
 * RFC 9112, 6.1 and 6.3 allow.
 */
export function parseRequestHead(bytes: Uint8Array, start: number, end: number, head: RequestHead): Verdict {
	clear(head);
	const limit = Math.min(end, start + REQUEST_HEAD_LIMIT_BYTES);
	let position = skipEmptyLine(bytes, start, limit, head);
	if (position >= 0) position = readRequestLine(bytes, position, limit, head);
	while (position >= 0 && head.headEnd === 0) position = readFieldLine(bytes, position, limit, head);

	if (position === INCOMPLETE) {
		// What a step leaves in needBytes is what it still wants beyond `limit`.
		const needBytes = limit - start + head.needBytes;
		if (needBytes > REQUEST_HEAD_LIMIT_BYTES) return refuse(head, "head_too_large");
		clear(head);
		head.needBytes = needBytes;
		return NEED_MORE;
	}
	if (position === BROKEN) return refuse(head, head.cause);
	if (head.versionMinor === 1 && !seen.host) return refuse(head, "host_missing");
	if (head.isChunked && head.contentLength >= 0) return refuse(head, "both_lengths");
	// A 1.0 server may not know the coding and take the chunks for the next request (RFC 9112, 6.1).
	if (head.isChunked && head.versionMinor === 0) return refuse(head, "transfer_encoding");
	head.isUpgradeWebSocket =
		head.versionMinor === 1 &&
		seen.connectionUpgrade &&
		seen.upgradeWebSocket &&
		equals(bytes, head.methodStart, head.methodEnd, METHOD_GET);
	return COMPLETE;
}

function skipEmptyLine(bytes: Uint8Array, position: number, limit: number, head: RequestHead): number {
	if (position < limit && at(bytes, position) === CR) {
		return readLineEnd(bytes, position, limit, head, SHORTEST_REQUEST_BYTES);
	}
	return position;
}

/** The position after CR LF at `position`; `after` bytes at least follow it in any valid head. */
function readLineEnd(
	bytes: Uint8Array,
	position: number,
	limit: number,
	head: RequestHead,
	after: number,
): number {
	if (position >= limit) return incomplete(head, 2 + after);
	if (at(bytes, position) === LF) return broken(head, "bare_lf");
	if (position + 1 >= limit) return incomplete(head, 1 + after);
	return at(bytes, position + 1) === LF ? position + 2 : broken(head, "bare_cr");
}

function readRequestLine(bytes: Uint8Array, start: number, limit: number, head: RequestHead): number {
	const restBytes = SHORTEST_REQUEST_BYTES - 2; // without method and space
	let position = start;
	while (position < limit && at(isTokenByte, at(bytes, position)) === 1) position++;
	if (position === limit) return incomplete(head, position === start ? 2 + restBytes : 1 + restBytes);
	if (position === start || at(bytes, position) !== SP) return broken(head, "method");
	head.methodStart = start;
	head.methodEnd = position;

	position++;
	head.targetStart = position;
	while (position < limit && at(isTargetByte, at(bytes, position)) === 1) position++;
	if (position === limit) return incomplete(head, position === head.targetStart ? restBytes : restBytes - 1);
	if (at(bytes, position) !== SP) return broken(head, "target");
	head.targetEnd = position;
	if (!readTarget(bytes, head)) return BROKEN;

	position++;
	for (let i = 0; i < VERSION_PREFIX.length; i++, position++) {
		if (position === limit) return incomplete(head, VERSION_PREFIX.length - i + 1 + 4);
		if (at(bytes, position) !== at(VERSION_PREFIX, i)) return broken(head, "http_version");
	}
	if (position === limit) return incomplete(head, 1 + 4);
	const minor = at(bytes, position) - 0x30;
	if (minor !== 0 && minor !== 1) return broken(head, "http_version");
	head.versionMinor = minor;

	position++;
	if (position < limit && at(bytes, position) !== CR && at(bytes, position) !== LF) {
		return broken(head, "http_version");
	}
	return readLineEnd(bytes, position, limit, head, 2);
}

/** The four forms of RFC 9112, 3.2. */
function readTarget(bytes: Uint8Array, head: RequestHead): boolean {
	const start = head.targetStart;
	const end = head.targetEnd;
	if (equals(bytes, head.methodStart, head.methodEnd, METHOD_CONNECT)) {
		return readTargetAuthority(bytes, start, end, head, PORT_REQUIRED);
	}
	if (start === end) return isFault(head, "target");
	if (at(bytes, start) === SLASH) return true;
	if (end - start === 1 && at(bytes, start) === 0x2a) {
		return equals(bytes, head.methodStart, head.methodEnd, METHOD_OPTIONS) || isFault(head, "target");
	}
	const schemeLength = lengthOfScheme(bytes, start, end);
	if (schemeLength === 0) return isFault(head, "target");
	let authorityEnd = start + schemeLength;
	while (authorityEnd < end && at(bytes, authorityEnd) !== SLASH && at(bytes, authorityEnd) !== 0x3f) {
		authorityEnd++;
	}
	return readTargetAuthority(bytes, start + schemeLength, authorityEnd, head, PORT_OPTIONAL);
}

/** Of `http://` or `https://`; 0 for anything else, which no HTTP request to a gateway can name. */
function lengthOfScheme(bytes: Uint8Array, start: number, end: number): number {
	if (startsWithIgnoringCase(bytes, start, end, SCHEME_HTTP)) return SCHEME_HTTP.length;
	if (startsWithIgnoringCase(bytes, start, end, SCHEME_HTTPS)) return SCHEME_HTTPS.length;
	return 0;
}

function startsWithIgnoringCase(bytes: Uint8Array, start: number, end: number, prefix: Uint8Array): boolean {
	const prefixEnd = start + prefix.length;
	return prefixEnd <= end && equalsIgnoringCase(bytes, start, prefixEnd, prefix);
}

/** Empty hosts are invalid in http URIs (RFC 9110, 4.2.1), so the target's host is never empty. */
function readTargetAuthority(
	bytes: Uint8Array,
	start: number,
	end: number,
	head: RequestHead,
	portRule: number,
): boolean {
	const length = copyAuthority(bytes, start, end, head.host, portRule);
	if (length === INVALID_HOST_NAME) return isFault(head, "target");
	head.hostLength = length;
	seen.hostInTarget = true;
	return true;
}

const PORT_OPTIONAL = 0;
const PORT_REQUIRED = 1;

/**
 * Copies the host of `host [":" port]` and returns its length. A host is a name, an IPv4 address or an IPv6
 * address in brackets; user information (`user@`) is refused with everything else (RFC 9110, 4.2.4).
 */
function copyAuthority(
	bytes: Uint8Array,
	start: number,
	end: number,
	out: Uint8Array,
	portRule: number,
): number {
	const isBracketed = start < end && at(bytes, start) === 0x5b;
	let hostEnd = start;
	while (hostEnd < end && at(bytes, hostEnd) !== (isBracketed ? 0x5d : COLON)) hostEnd++;
	if (isBracketed && hostEnd === end) return INVALID_HOST_NAME;
	const portStart = isBracketed ? hostEnd + 1 : hostEnd;
	if (!isPort(bytes, portStart, end, portRule)) return INVALID_HOST_NAME;
	return isBracketed
		? writeIpv6Literal(bytes, start + 1, hostEnd, out)
		: copyHostName(bytes, start, hostEnd, out);
}

/** `":" port` up to 65535, or nothing; the digits may be missing where the port is optional (RFC 3986, 3.2.3). */
function isPort(bytes: Uint8Array, start: number, end: number, portRule: number): boolean {
	if (start === end) return portRule === PORT_OPTIONAL;
	if (at(bytes, start) !== COLON || end - start > 6) return false;
	let port = 0;
	for (let i = start + 1; i < end; i++) {
		if (!isDigit(at(bytes, i))) return false;
		port = port * 10 + at(bytes, i) - 0x30;
	}
	return port <= 65535 && (end - start > 1 || portRule === PORT_OPTIONAL);
}

/** Reads one field line, or the empty line that ends the head. */
function readFieldLine(bytes: Uint8Array, start: number, limit: number, head: RequestHead): number {
	if (start === limit) return incomplete(head, 2);
	const first = at(bytes, start);
	if (first === CR) {
		const headEnd = readLineEnd(bytes, start, limit, head, 0);
		if (headEnd >= 0) head.headEnd = headEnd;
		return headEnd;
	}
	if (first === LF) return broken(head, "bare_lf");
	if (first === SP || first === HT) return broken(head, "folded_field");
	if (head.fieldCount === REQUEST_FIELDS_LIMIT) return broken(head, "too_many_fields");
	head.fieldCount++;

	let position = start;
	while (position < limit && at(isTokenByte, at(bytes, position)) === 1) position++;
	if (position === limit) return incomplete(head, 5);
	if (position === start || at(bytes, position) !== COLON) return broken(head, "field_name");
	const nameEnd = position;

	position++;
	while (position < limit && (at(bytes, position) === SP || at(bytes, position) === HT)) position++;
	const valueStart = position;
	while (position < limit && at(isValueByte, at(bytes, position)) === 1) position++;
	if (position < limit && at(bytes, position) !== CR && at(bytes, position) !== LF) {
		return broken(head, "field_value");
	}
	const next = readLineEnd(bytes, position, limit, head, 2);
	if (next < 0) return next;

	let valueEnd = position;
	while (valueEnd > valueStart && (at(bytes, valueEnd - 1) === SP || at(bytes, valueEnd - 1) === HT))
		valueEnd--;
	return readField(bytes, start, nameEnd, valueStart, valueEnd, head) ? next : BROKEN;
}

/** Looks at the few fields that matter here; told apart by length first, since most names fit none. */
function readField(
	bytes: Uint8Array,
	nameStart: number,
	nameEnd: number,
	valueStart: number,
	valueEnd: number,
	head: RequestHead,
): boolean {
	switch (nameEnd - nameStart) {
		case FIELD_HOST.length:
			if (!equalsIgnoringCase(bytes, nameStart, nameEnd, FIELD_HOST)) return true;
			return readHost(bytes, valueStart, valueEnd, head);
		case FIELD_UPGRADE.length:
			if (!equalsIgnoringCase(bytes, nameStart, nameEnd, FIELD_UPGRADE)) return true;
			if (listContains(bytes, valueStart, valueEnd, TOKEN_WEBSOCKET)) seen.upgradeWebSocket = true;
			return true;
		case FIELD_CONNECTION.length:
			if (!equalsIgnoringCase(bytes, nameStart, nameEnd, FIELD_CONNECTION)) return true;
			if (listContains(bytes, valueStart, valueEnd, TOKEN_UPGRADE)) seen.connectionUpgrade = true;
			return true;
		case FIELD_CONTENT_LENGTH.length:
			if (!equalsIgnoringCase(bytes, nameStart, nameEnd, FIELD_CONTENT_LENGTH)) return true;
			return readContentLength(bytes, valueStart, valueEnd, head);
		case FIELD_TRANSFER_ENCODING.length:
			if (!equalsIgnoringCase(bytes, nameStart, nameEnd, FIELD_TRANSFER_ENCODING)) return true;
			return readTransferEncoding(bytes, valueStart, valueEnd, head);
		default:
			return true;
	}
}

/** RFC 9112, 3.2: a second Host field is an error, even one that says the same. */
function readHost(bytes: Uint8Array, start: number, end: number, head: RequestHead): boolean {
	if (seen.host) return isFault(head, "host_duplicate");
	seen.host = true;
	// Empty is right when the target has no authority, and harmless when it has one.
	if (start === end) return true;
	// An authority in the target replaces the field (RFC 9112, 3.2.2), which must be valid all the same.
	const out = seen.hostInTarget ? hostScratch : head.host;
	const length = copyAuthority(bytes, start, end, out, PORT_OPTIONAL);
	if (length === INVALID_HOST_NAME) return isFault(head, "host_invalid");
	if (!seen.hostInTarget) head.hostLength = length;
	return true;
}

/** One field, digits only; fifteen of them, because more would not be a safe integer. */
function readContentLength(bytes: Uint8Array, start: number, end: number, head: RequestHead): boolean {
	if (head.contentLength >= 0 || start === end || end - start > 15) return isFault(head, "content_length");
	let length = 0;
	for (let i = start; i < end; i++) {
		if (!isDigit(at(bytes, i))) return isFault(head, "content_length");
		length = length * 10 + at(bytes, i) - 0x30;
	}
	head.contentLength = length;
	return true;
}

function readTransferEncoding(bytes: Uint8Array, start: number, end: number, head: RequestHead): boolean {
	if (head.isChunked || !equalsIgnoringCase(bytes, start, end, TOKEN_CHUNKED)) {
		return isFault(head, "transfer_encoding");
	}
	head.isChunked = true;
	return true;
}

/** Whether a comma-separated list (RFC 9110, 5.6.1) has the member `lowerCased`. */
function listContains(bytes: Uint8Array, start: number, end: number, lowerCased: Uint8Array): boolean {
	let matched = 0; // bytes of the member at hand that agree; -1: it is another one
	let isTrailing = false;
	for (let i = start; i < end; i++) {
		const byte = toLower(at(bytes, i));
		if (byte === 0x2c) {
			if (matched === lowerCased.length) return true;
			matched = 0;
			isTrailing = false;
		} else if (byte === SP || byte === HT) {
			isTrailing = matched !== 0;
		} else if (matched >= 0) {
			matched =
				!isTrailing && matched < lowerCased.length && byte === at(lowerCased, matched) ? matched + 1 : -1;
		}
	}
	return matched === lowerCased.length;
}

function incomplete(head: RequestHead, missingBytes: number): number {
	head.needBytes = missingBytes;
	return INCOMPLETE;
}

function broken(head: RequestHead, cause: RequestHeadFault): number {
	head.cause = cause;
	return BROKEN;
}

/** For the steps that answer with a boolean. */
function isFault(head: RequestHead, cause: RequestHeadFault): false {
	head.cause = cause;
	return false;
}

/** What was read before the fault is forgotten, so that nobody routes by half of a bad head. */
function refuse(head: RequestHead, cause: RequestHeadFault | ""): Verdict {
	clear(head);
	head.cause = cause;
	return MALFORMED;
}

function clear(head: RequestHead): void {
	head.hostLength = 0;
	head.methodStart = 0;
	head.methodEnd = 0;
	head.targetStart = 0;
	head.targetEnd = 0;
	head.versionMinor = 0;
	head.headEnd = 0;
	head.fieldCount = 0;
	head.isUpgradeWebSocket = false;
	head.contentLength = -1;
	head.isChunked = false;
	head.needBytes = 0;
	head.cause = "";
	seen.host = false;
	seen.hostInTarget = false;
	seen.connectionUpgrade = false;
	seen.upgradeWebSocket = false;
}

/**
 * Heads as they leave the gateway: what belongs to one connection is taken out (RFC 9110, 7.6.1), and what the
 * next reader has to know about the last one is put in.
 *
 * Framing is said anew, in our own words (RFC 9112, 6), and chunks stay chunks. Requests of HTTP/1.0 go on as 1.1, as each
 * sender writes its own version (RFC 9110, 2.5): servers that want 1.1 refuse the old one. Responses are 1.1 to all clients.
 */
import { isIpv4Mapped } from "../address.js";
import { ascii, at } from "../bytes.js";
import { canonicalName, checkName, FieldEditError, type FieldEdits, NO_EDITS } from "./edits.js";
import {
	FIELD_CONTENT_LENGTH,
	FIELD_EXPECT,
	FIELD_FORWARDED,
	FIELD_IDENTITY,
	FIELD_LAST_DROPPED,
	FIELD_LAST_FORWARDING,
	FIELD_LAST_FRAMING,
	FIELD_MAX_FORWARDS,
	FIELD_TRAILER,
	FIELD_UPGRADE,
	FIELD_X_FORWARDED_FOR,
	FIELD_X_FORWARDED_HOST,
	FIELD_X_FORWARDED_PROTO,
	NOMINATED,
} from "./field-names.js";
import { FRAMING_CHUNKED, FRAMING_CLOSE, FRAMING_LENGTH } from "./framing.js";
import { COMMA, CR, IS_TOKEN, isSpellingOf, LF, QUESTION, SLASH, SP, ZERO } from "./grammar.js";
import { METHOD_OPTIONS } from "./methods.js";
import type { PathForm } from "./path.js";
import { type RequestHead, TARGET_ABSOLUTE } from "./request.js";
import type { ResponseHead } from "./response.js";
import { Writer } from "./writer.js";

/** Returned instead of a length when the target is too small. What was written there means nothing. */
export const NO_ROOM = -1;

const NOTHING: Uint8Array = new Uint8Array(0);
// What stands together is written together: each piece costs a call, and its bytes little.
const HTTP_1_1_SP = ascii("HTTP/1.1 ");
const VERSION_AND_HOST = ascii(" HTTP/1.1\r\nHost: ");
const X_FORWARDED_FOR = ascii("X-Forwarded-For: ");
const X_FORWARDED_PROTO = ascii("\r\nX-Forwarded-Proto: ");
const X_FORWARDED_HOST = ascii("X-Forwarded-Host: ");
const FORWARDED = ascii("Forwarded: ");
const FOR = ascii("for=");
const FOR_IPV6 = ascii('for="[');
const IPV6_END = ascii(']"');
const PROTO_HTTP = ascii(";proto=http");
const PROTO_HTTPS = ascii(";proto=https");
const HOST_PARAMETER = ascii(';host="');
const HOST_PARAMETER_END = ascii('"\r\n');
const UNKNOWN = ascii("unknown");
const HTTP_LINE = ascii("http\r\n");
const HTTPS_LINE = ascii("https\r\n");
const CONNECTION_CLOSE = ascii("Connection: close\r\n");
const CONNECTION_KEEP_ALIVE = ascii("Connection: keep-alive\r\n");
const CONNECTION_UPGRADE = ascii("Connection: upgrade\r\n");
const UPGRADE_WEBSOCKET = ascii("Upgrade: websocket\r\nConnection: upgrade\r\n");
const CONTENT_LENGTH = ascii("Content-Length: ");
const TRANSFER_ENCODING_CHUNKED = ascii("Transfer-Encoding: chunked\r\n");
const EXPECT_CONTINUE = ascii("Expect: 100-continue\r\n");
const MAX_FORWARDS = ascii("Max-Forwards: ");
const CONNECTION_UPGRADE_CLOSE = ascii("Connection: upgrade, close\r\n");
const VIA = ascii("Via: 1.");
const COLON_SP = ascii(": ");

const writer = new Writer();

/** How requests go on. One object serves one reactor: what changes from request to request is set before each. */
export class RequestRewrite {
	/** Sent as Host instead of the client's; null: the client's is kept. */
	host: Uint8Array | null = null;
	/** Sent as Host of a request that names none, which 1.0 allows and 1.1 does not. */
	authority: Uint8Array = NOTHING;
	/** Sent instead of the path as it was written; null: that is kept. */
	path: PathForm | null = null;
	/** Fields of the route. */
	edits: FieldEdits = NO_EDITS;
	/** X-Forwarded-For, -Proto and -Host are sent. */
	sendsXForwarded = true;
	/** Forwarded is sent (RFC 7239). */
	sendsForwarded = false;
	/** Our name in Via (RFC 9110, 7.6.3), a token; null: no Via. */
	via: Uint8Array | null = null;
	/** The name of the field that carries the subject of the client's certificate; see {@link setSubjectField}. */
	#subjectName: Uint8Array | undefined = undefined;
	#subjectLine: Uint8Array = NOTHING;

	/** The peer's forwarding fields are believed and added to; otherwise they are dropped. */
	isTrusted = false;
	/** The client came over TLS. */
	isSecure = false;
	/** The peer's address: family 4 or 6, in `peer` from `peerOffset` on; 0: it has none (a Unix socket). */
	peerFamily: 0 | 4 | 6 = 0;
	peer: Uint8Array = NOTHING;
	peerOffset = 0;
	/** The subject of the client's certificate, subject[subjectStart, subjectEnd); empty: it showed none. */
	subject: Uint8Array = NOTHING;
	subjectStart = 0;
	subjectEnd = 0;
	/** Trailers go on; otherwise what announces them is removed, too. */
	keepsTrailers = false;
	/** The request opens a WebSocket; no other upgrade is passed on. */
	keepsUpgrade = false;
	/** The upstream connection ends with this request. */
	closes = false;

	/**
	 * Names the field for the certificate's subject. A client's own field of that name is dropped in every case,
	 * certificate or not. Null: there is none any more. @throws {FieldEditError}
	 */
	setSubjectField(name: string | null): void {
		if (name === null) {
			this.#subjectName = undefined;
			return;
		}
		checkName(name);
		this.#subjectName = canonicalName(name);
		this.#subjectLine = ascii(name);
	}

	/** Our name in Via. @throws {FieldEditError} */
	setVia(name: string): void {
		const bytes = ascii(name);
		if (bytes.length === 0 || !bytes.every((byte) => at(IS_TOKEN, byte) === 1)) {
			throw new FieldEditError(
				"Via",
				`cannot carry the name ${JSON.stringify(name)}: use letters and digits`,
			);
		}
		this.via = bytes;
	}

	get subjectName(): Uint8Array | undefined {
		return this.#subjectName;
	}

	/** The field's name as it is sent. */
	get subjectLine(): Uint8Array {
		return this.#subjectLine;
	}
}

/** How responses go on. */
export class ResponseRewrite {
	edits: FieldEdits = NO_EDITS;
	via: Uint8Array | null = null;
	/** The minor version of the client's request: a 1.0 client is told that its connection is kept. */
	requestMinor: 0 | 1 = 1;
	/** The client's connection ends with this response. True whatever is said here when only its end frames the body. */
	closes = false;
}

/**
 * Writes the request whose head is `head` to target[position, …) and returns how many bytes that took, or
 * {@link NO_ROOM}. `source` and `target` may be one array where the two heads do not overlap.
 */
export function writeRequestHead(
	source: Uint8Array,
	head: RequestHead,
	options: RequestRewrite,
	target: Uint8Array,
	position: number,
): number {
	writer.begin(target, position);
	writeRequestLine(source, head, options.path);
	writeHost(source, head, options);
	copyRequestFields(source, head, options);
	if (options.sendsXForwarded) writeXForwarded(source, head, options);
	if (options.sendsForwarded) writeForwarded(source, head, options);
	if (options.subjectName !== undefined && options.subjectEnd > options.subjectStart) writeSubject(options);
	if (options.via !== null) writeVia(options.via, head.versionMinor);
	writer.bytes(options.edits.lines);
	if (options.keepsUpgrade) writer.bytes(UPGRADE_WEBSOCKET);
	else if (options.closes) writer.bytes(CONNECTION_CLOSE);
	return finish(position);
}

/** An absolute target becomes what it means: path and query here, the authority in Host. The version follows with Host. */
function writeRequestLine(source: Uint8Array, head: RequestHead, path: PathForm | null): void {
	if (path === null && head.targetForm !== TARGET_ABSOLUTE) {
		writer.span(source, head.methodStart, head.targetEnd);
		return;
	}
	writer.span(source, head.methodStart, head.methodEnd + 1);
	if (path !== null) {
		writer.span(path.bytes, 0, path.length);
		writer.span(source, path.end, head.pathEnd);
	} else if (head.pathStart === head.pathEnd) {
		// `OPTIONS http://host` asks about the server, not about its root (RFC 9112, 3.2.4).
		writer.byte(head.method === METHOD_OPTIONS ? 0x2a : SLASH);
	} else {
		if (at(source, head.pathStart) === QUESTION) writer.byte(SLASH);
		writer.span(source, head.pathStart, head.pathEnd);
	}
}

/** First of all fields, where RFC 9110, 7.2 wants it. */
function writeHost(source: Uint8Array, head: RequestHead, options: RequestRewrite): void {
	const { authority } = head;
	writer.bytes(VERSION_AND_HOST);
	if (options.host !== null) writer.bytes(options.host);
	else if (authority.hostLength > 0 || head.versionMinor === 1)
		writer.span(source, authority.start, authority.end);
	else writer.bytes(options.authority);
	writeLineEnd();
}

function copyRequestFields(source: Uint8Array, head: RequestHead, options: RequestRewrite): void {
	const { fields } = head;
	const { count, ids, spans } = fields;
	const { edits, subjectName } = options;
	run.begin();
	for (let index = 0; index < count; index++) {
		const id = at(ids, index);
		if (id !== 0 && !passes(id, options)) continue;
		const nameStart = spans[index * 4] as number;
		const nameEnd = spans[index * 4 + 1] as number;
		if (edits.dropped.length > 0 && edits.drops(source, nameStart, nameEnd)) continue;
		if (subjectName !== undefined && isSpellingOf(source, nameStart, nameEnd, subjectName)) continue;
		if (id === FIELD_MAX_FORWARDS && head.maxForwards >= 0) {
			run.write(source);
			writeMaxForwards(Math.max(0, head.maxForwards - 1));
		} else copyField(source, spans, index);
	}
	run.write(source);
	writeRequestFraming(head);
}

/** In our own spelling: what is copied, blanks and all, the next reader may read in another way. */
function writeRequestFraming(head: RequestHead): void {
	if (head.framing === FRAMING_CHUNKED) writer.bytes(TRANSFER_ENCODING_CHUNKED);
	else if (head.framing === FRAMING_LENGTH) {
		writer.bytes(CONTENT_LENGTH);
		writer.number(head.contentLength);
		writeLineEnd();
	}
	if (head.expectContinue) writer.bytes(EXPECT_CONTINUE);
}

function writeMaxForwards(count: number): void {
	writer.bytes(MAX_FORWARDS);
	writer.number(count);
	writeLineEnd();
}

/** Whether a request's field with this id is copied as it is. */
function passes(id: number, options: RequestRewrite): boolean {
	if (id <= FIELD_LAST_DROPPED || id >= NOMINATED) return false;
	if (id === FIELD_TRAILER) return options.keepsTrailers;
	if (id <= FIELD_LAST_FORWARDING) {
		if (!options.isTrusted) return false;
		// Those that are written below are added to, there; the others are kept.
		if (id === FIELD_FORWARDED) return !options.sendsForwarded;
		return id === FIELD_IDENTITY || !options.sendsXForwarded;
	}
	// These are written anew.
	return id > FIELD_LAST_FRAMING && id !== FIELD_EXPECT;
}

/**
 * Lines that stand one after the other as they are to be sent, and are copied at once: most of a message goes on as it
 * came, and to move a long run costs hardly more than a short one.
 */
class Run {
	#start = 0;
	#end = 0;

	begin(): void {
		this.#start = 0;
		this.#end = 0;
	}

	/** The bytes source[start, end) follow. */
	add(source: Uint8Array, start: number, end: number): void {
		if (start !== this.#end) {
			this.write(source);
			this.#start = start;
		}
		this.#end = end;
	}

	/** Whatever is written next stands behind them. */
	write(source: Uint8Array): void {
		if (this.#end > this.#start) writer.span(source, this.#start, this.#end);
		this.#start = this.#end;
	}
}

const run = new Run();

/** Copies a line as it came, white space behind the value excepted. */
function copyField(source: Uint8Array, spans: Int32Array, index: number): void {
	const nameStart = spans[index * 4] as number;
	const valueStart = spans[index * 4 + 2] as number;
	const valueEnd = spans[index * 4 + 3] as number;
	if (at(source, valueEnd) === CR && valueStart < valueEnd) {
		// Nearly always: the line is whole as it stands, its end included.
		run.add(source, nameStart, valueEnd + 2);
		return;
	}
	run.write(source);
	writer.span(source, nameStart, spans[index * 4 + 1] as number);
	writer.bytes(COLON_SP);
	writer.span(source, valueStart, valueEnd);
	writeLineEnd();
}

/** What the first proxy said is kept when it is trusted: only it saw the client. */
function writeXForwarded(source: Uint8Array, head: RequestHead, options: RequestRewrite): void {
	writer.bytes(X_FORWARDED_FOR);
	if (options.isTrusted && joinValues(source, head, FIELD_X_FORWARDED_FOR)) writeComma();
	if (options.peerFamily === 0) writer.bytes(UNKNOWN);
	else writePeer(options);

	writer.bytes(X_FORWARDED_PROTO);
	if (options.isTrusted && joinValues(source, head, FIELD_X_FORWARDED_PROTO)) writeLineEnd();
	else writer.bytes(options.isSecure ? HTTPS_LINE : HTTP_LINE);

	const { authority } = head;
	const hasHost = authority.end > authority.start;
	const hasTheirs = options.isTrusted && hasValue(head, FIELD_X_FORWARDED_HOST);
	if (!hasHost && !hasTheirs) return;
	writer.bytes(X_FORWARDED_HOST);
	if (hasTheirs) joinValues(source, head, FIELD_X_FORWARDED_HOST);
	else writer.span(source, authority.start, authority.end);
	writeLineEnd();
}

/** RFC 7239, 4. Whatever holds a colon or a bracket is no token and must be quoted. */
function writeForwarded(source: Uint8Array, head: RequestHead, options: RequestRewrite): void {
	writer.bytes(FORWARDED);
	if (options.isTrusted && joinValues(source, head, FIELD_FORWARDED)) writeComma();
	const isIpv6 = options.peerFamily === 6 && !isIpv4Mapped(options.peer, options.peerOffset);
	writer.bytes(isIpv6 ? FOR_IPV6 : FOR);
	if (options.peerFamily === 0) writer.bytes(UNKNOWN);
	else writePeer(options);
	if (isIpv6) writer.bytes(IPV6_END);
	writer.bytes(options.isSecure ? PROTO_HTTPS : PROTO_HTTP);
	const { authority } = head;
	if (authority.end > authority.start) {
		writer.bytes(HOST_PARAMETER);
		// A host was checked: it holds no quote and no backslash.
		writer.span(source, authority.start, authority.end);
		writer.bytes(HOST_PARAMETER_END);
	} else writeLineEnd();
}

/** An IPv4-mapped address is written as the IPv4 address it stands for. */
function writePeer(options: RequestRewrite): void {
	const { peer, peerOffset, peerFamily } = options;
	if (peerFamily === 4) writer.address(4, peer, peerOffset);
	else if (isIpv4Mapped(peer, peerOffset)) writer.address(4, peer, peerOffset + 12);
	else writer.address(6, peer, peerOffset);
}

/** Writes the values of all fields with this id as one list; false if there is none. */
function joinValues(source: Uint8Array, head: RequestHead, id: number): boolean {
	const { count, ids, spans } = head.fields;
	let isFirst = true;
	for (let index = 0; index < count; index++) {
		const start = spans[index * 4 + 2] as number;
		const end = spans[index * 4 + 3] as number;
		if (at(ids, index) !== id || start === end) continue;
		if (!isFirst) writeComma();
		isFirst = false;
		writer.span(source, start, end);
	}
	return !isFirst;
}

function hasValue(head: RequestHead, id: number): boolean {
	const { count, ids, spans } = head.fields;
	for (let index = 0; index < count; index++) {
		if (at(ids, index) === id && spans[index * 4 + 2] !== spans[index * 4 + 3]) return true;
	}
	return false;
}

/** A subject is what a stranger had certified: bytes that no field may carry are written as `?`. */
function writeSubject(options: RequestRewrite): void {
	writer.bytes(options.subjectLine);
	writer.bytes(COLON_SP);
	for (let i = options.subjectStart; i < options.subjectEnd; i++) {
		const byte = at(options.subject, i);
		writer.byte(byte < SP || byte === 0x7f ? QUESTION : byte);
	}
	writeLineEnd();
}

/** A list may be spread over lines, and their order counts (RFC 9110, 5.3): ours is the last. */
function writeVia(name: Uint8Array, versionMinor: number): void {
	writer.bytes(VIA);
	writer.byte(ZERO + versionMinor);
	writer.byte(SP);
	writer.bytes(name);
	writeLineEnd();
}

/**
 * Writes the response whose head is `head` to target[position, …) and returns how many bytes that took, or
 * {@link NO_ROOM}. An interim response (1xx) is nothing for a 1.0 client (RFC 9110, 15.2): do not call this then.
 */
export function writeResponseHead(
	source: Uint8Array,
	head: ResponseHead,
	options: ResponseRewrite,
	target: Uint8Array,
	position: number,
): number {
	writer.begin(target, position);
	writer.bytes(HTTP_1_1_SP);
	writer.span(source, head.statusStart, head.statusStart + 3);
	writer.byte(SP);
	writer.span(source, head.reasonStart, head.reasonEnd);
	writeLineEnd();
	copyResponseFields(source, head, options);
	if (options.via !== null) writeVia(options.via, head.versionMinor);
	if (!head.isInterim) {
		writer.bytes(options.edits.lines);
		writeResponseConnection(head, options);
	}
	return finish(position);
}

function copyResponseFields(source: Uint8Array, head: ResponseHead, options: ResponseRewrite): void {
	const { count, ids, spans } = head.fields;
	const { edits } = options;
	run.begin();
	for (let index = 0; index < count; index++) {
		const id = at(ids, index);
		if (id !== 0) {
			if ((id & ~NOMINATED) === FIELD_UPGRADE) {
				if (!keepsUpgrade(head)) continue;
			} else if (id <= FIELD_LAST_DROPPED || id >= NOMINATED) {
				continue;
			} else if (id > FIELD_LAST_FORWARDING && id <= FIELD_LAST_FRAMING) {
				run.write(source);
				writeResponseFraming(id, head, options);
				continue;
			} else if (id === FIELD_TRAILER && isDecoded(head, options)) {
				continue;
			}
		}
		if (edits.dropped.length > 0) {
			if (edits.drops(source, spans[index * 4] as number, spans[index * 4 + 1] as number)) continue;
		}
		copyField(source, spans, index);
	}
	run.write(source);
}

/** Framing is said in our own words, in the place where theirs were (RFC 9112, 6.3). */
function writeResponseFraming(id: number, head: ResponseHead, options: ResponseRewrite): void {
	const { framing, fields } = head;
	if (id === FIELD_CONTENT_LENGTH) {
		if (framing === FRAMING_LENGTH || head.keepsLength) writeContentLength(fields.contentLength);
	} else if (framing === FRAMING_CHUNKED && !isDecoded(head, options))
		writer.bytes(TRANSFER_ENCODING_CHUNKED);
}

function writeContentLength(length: number): void {
	writer.bytes(CONTENT_LENGTH);
	writer.number(length);
	writeLineEnd();
}

/** A 1.0 client knows no chunks: it gets what is in them, and the end of the connection is the end of it. */
export function isDecoded(head: ResponseHead, options: ResponseRewrite): boolean {
	return options.requestMinor === 0 && head.framing === FRAMING_CHUNKED;
}

/** 101 names what is switched to, and 426 must name what is wanted (RFC 9110, 15.5.22); elsewhere it is an offer. */
function keepsUpgrade(head: ResponseHead): boolean {
	return head.isUpgrade || head.statusCode === 426;
}

function writeResponseConnection(head: ResponseHead, options: ResponseRewrite): void {
	// The end of the connection is the end of the body, on this side as on the other.
	const closes = options.closes || head.framing === FRAMING_CLOSE || isDecoded(head, options);
	if (head.isUpgrade) writer.bytes(CONNECTION_UPGRADE);
	else if (head.statusCode === 426 && head.fields.hasUpgrade) {
		writer.bytes(closes ? CONNECTION_UPGRADE_CLOSE : CONNECTION_UPGRADE);
	} else if (closes) writer.bytes(CONNECTION_CLOSE);
	else if (options.requestMinor === 0) writer.bytes(CONNECTION_KEEP_ALIVE);
}

function writeComma(): void {
	writer.byte(COMMA);
	writer.byte(SP);
}

function writeLineEnd(): void {
	writer.byte(CR);
	writer.byte(LF);
}

function finish(start: number): number {
	writeLineEnd();
	return writer.end() ? writer.position - start : NO_ROOM;
}

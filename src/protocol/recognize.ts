/**
 * What a connection speaks, and the name it asks for: the decision between accept and route.
 *
 *     0x16 0x03 …                TLS, and nothing else from there on    the SNI names it
 *     SSH-                       SSH                                    nothing names it
 *     PRI * HTTP/2.0 …           HTTP/2 with prior knowledge (h2c)      nothing readable here names it
 *     METHOD target HTTP/1.x     HTTP/1                                 Host or the target names it
 *     anything else              other
 *
 * The bytes are peeked, never consumed, and each call begins at the first of them again. Once bytes prove to
 * be of a protocol, a fault in them is final: falling back to "other" would let a client choose its route by
 * breaking its own hello.
 */
import { ascii, at, commonPrefix, equalsIgnoringCase } from "./bytes.js";
import { CLIENT_HELLO_WIRE_LIMIT_BYTES, parseClientHello } from "./client-hello.js";
import { ClientHello } from "./hello.js";
import { causeName } from "./http/causes.js";
import { HEAD_LIMIT_BYTES } from "./http/head-end.js";
import { METHOD_NONE, METHOD_OTHER, methodOf } from "./http/methods.js";
import { parseRequest, RequestHead } from "./http/request.js";
import {
	PROTOCOL_H2C,
	PROTOCOL_HTTP,
	PROTOCOL_OTHER,
	PROTOCOL_SSH,
	PROTOCOL_TLS,
	PROTOCOL_UNKNOWN,
} from "./protocols.js";
import { SSH_PREFIX } from "./ssh.js";
import { COMPLETE, MALFORMED, NEED_MORE, type Verdict } from "./verdict.js";

/**
 * The most bytes {@link recognize} ever needs, hence the size of a peek buffer: a ClientHello of 16 KiB and 1 KiB
 * of record headers around it (17,408 bytes); the longest request head, 16 KiB, is within that.
 */
export const PEEK_LIMIT_BYTES = Math.max(CLIENT_HELLO_WIRE_LIMIT_BYTES, HEAD_LIMIT_BYTES);

/**
 * How far the end of a first line is looked for that begins with no method known here: what nginx and HAProxy take for
 * a request line, 8 KiB. One that begins with a known method is a request's by then, and may be as long as a head.
 */
export const REQUEST_LINE_LIMIT_BYTES = 8192;

/** No method longer than UPDATEREDIRECTREF (17) is registered; a first word beyond this is another protocol's. */
const METHOD_LIMIT_BYTES = 24;

const TLS_RECORD_HANDSHAKE = 0x16;
const TLS_MAJOR_VERSION = 0x03; // from SSL 3.0 to TLS 1.3
const H2_PREFACE = ascii("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"); // RFC 9113, 3.4
const H2_PREFACE_CERTAIN_BYTES = "PRI * HTTP/2.0".length;
const HTTP_ANY = ascii("http/");

const HT = 0x09;
const LF = 0x0a;
const CR = 0x0d;
const SP = 0x20;

/** What was recognised. One object serves one reactor: it is filled again for each connection. */
export class Recognition {
	/**
	 * One of the PROTOCOL_ numbers. With NEED_MORE it may still be PROTOCOL_UNKNOWN, or PROTOCOL_HTTP for a known method
	 * whose line is not whole: who goes no further may be told in HTTP, and the rest of the line may say otherwise.
	 */
	protocol = PROTOCOL_UNKNOWN;
	/** Filled when `protocol` is PROTOCOL_TLS. */
	readonly hello = new ClientHello();
	/** Filled when `protocol` is PROTOCOL_HTTP and the request line is there: COMPLETE means the whole head. */
	readonly head = new RequestHead();
	/** With NEED_MORE: at least so many bytes, counted from `start`, before the answer can be COMPLETE. */
	needBytes = 0;
	/** With MALFORMED: a constant such as `record_too_long`; see the faults of ClientHello, and HTTP_CAUSES. */
	cause = "";
	/** The name to route by, canonical (see ClientHello and Authority): `hello.name` or `head.authority.host`. */
	name: Uint8Array = this.hello.name;
	/** 0: nothing is named. */
	nameLength = 0;
}

/**
 * Decides from bytes[start, end), which is what has arrived so far. COMPLETE sets protocol and name; MALFORMED
 * sets the protocol that the bytes claimed to be, and the cause.
 */
export function recognize(bytes: Uint8Array, start: number, end: number, out: Recognition): Verdict {
	out.protocol = PROTOCOL_UNKNOWN;
	out.needBytes = 0;
	out.cause = "";
	out.name = out.hello.name;
	out.nameLength = 0;
	if (start === end) return needMore(out, 1);
	if (at(bytes, start) === TLS_RECORD_HANDSHAKE) return recognizeTls(bytes, start, end, out);

	const ssh = commonPrefix(bytes, start, end, SSH_PREFIX);
	if (ssh === SSH_PREFIX.length) return complete(out, PROTOCOL_SSH);

	const preface = commonPrefix(bytes, start, end, H2_PREFACE);
	if (preface === H2_PREFACE.length) return complete(out, PROTOCOL_H2C);
	if (preface >= H2_PREFACE_CERTAIN_BYTES) {
		out.protocol = PROTOCOL_H2C;
		return start + preface === end ? needMore(out, H2_PREFACE.length) : malformed(out, "h2_preface");
	}
	// Any other prefix of those two is a prefix of a method as well, and waits as one.
	return recognizeHttp(bytes, start, end, out);
}

function recognizeTls(bytes: Uint8Array, start: number, end: number, out: Recognition): Verdict {
	// The first byte alone is no TLS: others begin so as well.
	if (end === start + 1) return needMore(out, 2);
	if (at(bytes, start + 1) !== TLS_MAJOR_VERSION) return complete(out, PROTOCOL_OTHER);
	out.protocol = PROTOCOL_TLS;
	const verdict = parseClientHello(bytes, start, end, out.hello);
	if (verdict === COMPLETE) {
		out.name = out.hello.name;
		out.nameLength = out.hello.nameLength;
	} else {
		out.needBytes = out.hello.needBytes;
		out.cause = out.hello.cause;
	}
	return verdict;
}

/** The first line decides between HTTP and everything that merely looks like words, such as SMTP or FTP. */
function recognizeHttp(bytes: Uint8Array, start: number, end: number, out: Recognition): Verdict {
	let method = start;
	if (at(bytes, start) === CR) {
		// RFC 9112, 2.2: one empty line may precede the request line.
		if (end === start + 1) return needMore(out, 2);
		if (at(bytes, start + 1) !== LF) return complete(out, PROTOCOL_OTHER);
		method = start + 2;
	}
	let methodEnd = method;
	const methodLimit = Math.min(end, method + METHOD_LIMIT_BYTES + 1);
	while (methodEnd < methodLimit && isMethodByte(at(bytes, methodEnd))) methodEnd++;
	if (methodEnd - method > METHOD_LIMIT_BYTES) return complete(out, PROTOCOL_OTHER);
	if (methodEnd === end) return needMore(out, end - start + 1);
	if (methodEnd === method || at(bytes, methodEnd) !== SP) return complete(out, PROTOCOL_OTHER);

	const limit = Math.min(end, method + REQUEST_LINE_LIMIT_BYTES);
	let lineEnd = methodEnd + 1;
	while (lineEnd < limit && at(bytes, lineEnd) !== LF) lineEnd++;
	if (lineEnd === limit) {
		const isKnown = isKnownMethod(bytes, method, methodEnd);
		if (isKnown) out.protocol = PROTOCOL_HTTP;
		if (limit - method < REQUEST_LINE_LIMIT_BYTES) return needMore(out, end - start + 1);
		return isKnown ? recognizeHead(bytes, start, end, out) : complete(out, PROTOCOL_OTHER);
	}
	// Blanks at the end are no part of any version, but they must not turn a request into something else.
	let versionEnd = lineEnd;
	while (versionEnd > methodEnd + 1 && isBlank(at(bytes, versionEnd - 1))) versionEnd--;
	let version = versionEnd;
	while (version > methodEnd + 1 && !isBlank(at(bytes, version - 1))) version--;
	const prefixEnd = version + HTTP_ANY.length;
	if (prefixEnd > versionEnd || !equalsIgnoringCase(bytes, version, prefixEnd, HTTP_ANY)) {
		return complete(out, PROTOCOL_OTHER);
	}
	out.protocol = PROTOCOL_HTTP;
	return recognizeHead(bytes, start, end, out);
}

function isMethodByte(byte: number): boolean {
	return (byte >= 0x41 && byte <= 0x5a) || byte === 0x2d || byte === 0x5f;
}

function isBlank(byte: number): boolean {
	return byte === SP || byte === HT || byte === CR;
}

function isKnownMethod(bytes: Uint8Array, start: number, end: number): boolean {
	const method = methodOf(bytes, start, end);
	return method !== METHOD_NONE && method !== METHOD_OTHER;
}

function recognizeHead(bytes: Uint8Array, start: number, end: number, out: Recognition): Verdict {
	const { head } = out;
	const verdict = parseRequest(bytes, start, end, head);
	if (verdict === COMPLETE) {
		out.name = head.authority.host;
		out.nameLength = head.authority.hostLength;
	} else if (verdict === NEED_MORE) out.needBytes = head.needBytes;
	else out.cause = causeName(head.cause);
	return verdict;
}

function complete(out: Recognition, protocol: number): Verdict {
	out.protocol = protocol;
	return COMPLETE;
}

function needMore(out: Recognition, needBytes: number): Verdict {
	out.needBytes = needBytes;
	return NEED_MORE;
}

function malformed(out: Recognition, cause: string): Verdict {
	out.cause = cause;
	return MALFORMED;
}

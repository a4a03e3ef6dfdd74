/**
 * What a connection speaks, and the name it asks for: the decision between accept and route.
 *
 *     0x16 …                     TLS, and nothing else from there on    the SNI names it
 *     SSH-                       SSH                                    nothing names it
 *     PRI * HTTP/2.0 …           HTTP/2 with prior knowledge (h2c)      nothing readable here names it
 *     METHOD target HTTP/1.x     HTTP/1                                 Host or the target names it
 *     anything else              other
 *
 * The bytes are peeked, never consumed, and each call begins at the first of them again. Once bytes prove to
 * be of a protocol, a fault in them is final: falling back to "other" would let a client choose its route by
 * breaking its own hello.
 */
import { ascii, at, commonPrefix, equals, equalsIgnoringCase } from "./bytes.js";
import { CLIENT_HELLO_WIRE_LIMIT_BYTES, ClientHello, parseClientHello } from "./client-hello.js";
import { parseRequestHead, REQUEST_HEAD_LIMIT_BYTES, RequestHead } from "./request-head.js";
import { SSH_PREFIX } from "./ssh.js";
import { COMPLETE, MALFORMED, NEED_MORE, type Verdict } from "./verdict.js";

export const PROTOCOL_UNKNOWN = 0;
export const PROTOCOL_TLS = 1;
export const PROTOCOL_HTTP = 2;
export const PROTOCOL_SSH = 3;
export const PROTOCOL_H2C = 4;
export const PROTOCOL_OTHER = 5;

/** The names by which config, log and metrics call them, indexed by the numbers above. */
export const PROTOCOL_NAMES: readonly string[] = ["unknown", "tls", "http", "ssh", "h2c", "other"];

/**
 * The most bytes {@link recognize} ever needs, hence the size of a peek buffer: a ClientHello of 16 KiB and 1 KiB
 * of record headers around it (17,408 bytes); the longest request head, 16 KiB, is within that.
 */
export const PEEK_LIMIT_BYTES = Math.max(CLIENT_HELLO_WIRE_LIMIT_BYTES, REQUEST_HEAD_LIMIT_BYTES);

/** How far the end of the first line is looked for: what nginx and HAProxy take for a request line, 8 KiB. */
export const REQUEST_LINE_LIMIT_BYTES = 8192;

/** No method longer than UPDATEREDIRECTREF (17) is registered; a first word beyond this is another protocol's. */
const METHOD_LIMIT_BYTES = 24;

const TLS_RECORD_HANDSHAKE = 0x16;
const H2_PREFACE = ascii("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"); // RFC 9113, 3.4
const H2_PREFACE_CERTAIN_BYTES = "PRI * HTTP/2.0".length;
const HTTP_1_0 = ascii("HTTP/1.0");
const HTTP_1_1 = ascii("HTTP/1.1");
const HTTP_ANY = ascii("http/");
const KNOWN_METHODS: readonly Uint8Array[] = [
	"GET",
	"HEAD",
	"POST",
	"PUT",
	"DELETE",
	"CONNECT",
	"OPTIONS",
	"TRACE",
	"PATCH",
].map(ascii);

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
	/** Filled when `protocol` is PROTOCOL_HTTP and the request line is there. */
	readonly head = new RequestHead();
	/** With NEED_MORE: at least so many bytes, counted from `start`, before the answer can be COMPLETE. */
	needBytes = 0;
	/** With MALFORMED: a constant such as `record_too_long`; see the faults of ClientHello and RequestHead. */
	cause = "";
	/** The name to route by, canonical (see ClientHello and RequestHead): `hello.name` or `head.host`. */
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
		const isWhole = limit - method === REQUEST_LINE_LIMIT_BYTES;
		if (isKnownMethod(bytes, method, methodEnd)) out.protocol = PROTOCOL_HTTP;
		else if (isWhole) return complete(out, PROTOCOL_OTHER);
		if (!isWhole) return needMore(out, end - start + 1);
		return malformed(out, "request_line_too_long");
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
	if (!equals(bytes, version, versionEnd, HTTP_1_1) && !equals(bytes, version, versionEnd, HTTP_1_0)) {
		return malformed(out, "http_version");
	}
	return recognizeHead(bytes, start, end, out);
}

function isMethodByte(byte: number): boolean {
	return (byte >= 0x41 && byte <= 0x5a) || byte === 0x2d || byte === 0x5f;
}

function isBlank(byte: number): boolean {
	return byte === SP || byte === HT || byte === CR;
}

function isKnownMethod(bytes: Uint8Array, start: number, end: number): boolean {
	for (const method of KNOWN_METHODS) if (equals(bytes, start, end, method)) return true;
	return false;
}

function recognizeHead(bytes: Uint8Array, start: number, end: number, out: Recognition): Verdict {
	const verdict = parseRequestHead(bytes, start, end, out.head);
	if (verdict === COMPLETE) {
		out.name = out.head.host;
		out.nameLength = out.head.hostLength;
	} else {
		out.needBytes = out.head.needBytes;
		out.cause = out.head.cause;
	}
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

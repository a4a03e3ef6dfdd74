/**
 * The message ClientHello, without what carries it: TLS records (client-hello.ts), CRYPTO frames of QUIC (quic/), or fragments of
 * DTLS (dtls.ts). It is read when all of it is there, and where it lies.
 *
 *     handshake header    4   type 1, length                      RFC 8446, 4 (DTLS has a longer one, which is not read here)
 *     hello                   version, random, session id,        RFC 8446, 4.1.2
 *                             cookie (DTLS only),                 RFC 6347, 4.2.1, and RFC 9147, 5.3
 *                             cipher suites, compression,
 *                             extensions
 */
import { at, u16 } from "./bytes.js";
import {
	CLIENT_HELLO_LIMIT_BYTES,
	type ClientHello,
	type ClientHelloFault,
	clearHello,
	failHello,
	needMoreOf,
} from "./hello.js";
import { readExtensions } from "./hello-extensions.js";
import { COMPLETE, type Verdict } from "./verdict.js";

export const MESSAGE_HEADER_BYTES = 4;
export const MESSAGE_TYPE_CLIENT_HELLO = 1;

/** version 2, random 32, session id 1, one cipher suite 2 + 2, one compression method 1 + 1, no extensions. */
export const SHORTEST_HELLO_BYTES = MESSAGE_HEADER_BYTES + 41;

const TLS_1_2 = 0x0303;
/** DTLS counts downwards: the ones' complement of what TLS has. */
const DTLS_1_2 = 0xfefd;
const DTLS_MAJOR = 0xfe;

/**
 * Reads the message bytes[start, end), its header included, of a stream that carries nothing else before the server has
 * answered, as that of QUIC's Initials: what follows the hello is a fault. `end` is where what has arrived so far ends.
 */
export function parseHelloMessage(
	bytes: Uint8Array,
	start: number,
	end: number,
	hello: ClientHello,
): Verdict {
	clearHello(hello);
	if (end > start && at(bytes, start) !== MESSAGE_TYPE_CLIENT_HELLO) return failHello(hello, "message_type");
	if (end < start + MESSAGE_HEADER_BYTES) return needMoreOf(hello, SHORTEST_HELLO_BYTES);
	const length = MESSAGE_HEADER_BYTES + at(bytes, start + 1) * 65536 + u16(bytes, start + 2);
	if (length > CLIENT_HELLO_LIMIT_BYTES) return failHello(hello, "hello_too_long");
	if (length < SHORTEST_HELLO_BYTES) return failHello(hello, "hello_too_short");
	if (end < start + length) return needMoreOf(hello, length);
	if (end > start + length) return failHello(hello, "data_after_hello");
	return readHelloMessage(bytes, start, end, hello);
}

/** Reads the whole message data[start, end); the caller has seen to its header and least length. */
export function readHelloMessage(data: Uint8Array, start: number, end: number, hello: ClientHello): Verdict {
	const body = start + MESSAGE_HEADER_BYTES;
	const legacyVersion = u16(data, body);
	// RFC 5246, E.1: who speaks a later version than any that we know is offered what we know.
	if (legacyVersion >> 8 < 3) return failHello(hello, "hello_version");
	hello.legacyVersion = legacyVersion;
	const sessionIdEnd = skipSessionId(data, body, end);
	if (sessionIdEnd === 0) return failHello(hello, "session_id_length");
	const fault = readOffers(data, sessionIdEnd, end, hello);
	if (fault !== undefined) return failHello(hello, fault);
	// Without a version from the extension TLS 1.3 cannot be meant, whatever the field says (RFC 8446, 4.2.1).
	if (hello.versionCount === 0) hello.maxVersion = Math.min(legacyVersion, TLS_1_2);
	return COMPLETE;
}

/**
 * Reads the whole hello data[start, end) of DTLS, without its handshake header (RFC 6347, 4.2.1; RFC 9147, 5.3), which has
 * a cookie more than that of TLS: empty in the first one, and in each of DTLS 1.3.
 */
export function readDtlsHello(data: Uint8Array, start: number, end: number, hello: ClientHello): Verdict {
	clearHello(hello);
	if (end - start < SHORTEST_DTLS_HELLO_BYTES) return failHello(hello, "hello_too_short");
	const legacyVersion = u16(data, start);
	if (legacyVersion >> 8 !== DTLS_MAJOR) return failHello(hello, "hello_version");
	hello.legacyVersion = legacyVersion;
	const cookie = skipSessionId(data, start, end);
	if (cookie === 0) return failHello(hello, "session_id_length");
	const cookieEnd = cookie + 1 + at(data, cookie);
	if (cookieEnd + 2 > end) return failHello(hello, "cookie_length");
	const fault = readOffers(data, cookieEnd, end, hello);
	if (fault !== undefined) return failHello(hello, fault);
	hello.maxVersion = highestDtls(hello);
	return COMPLETE;
}

/** That of TLS, and an empty cookie. */
const SHORTEST_DTLS_HELLO_BYTES = SHORTEST_HELLO_BYTES - MESSAGE_HEADER_BYTES + 1;

function highestDtls(hello: ClientHello): number {
	if (hello.versionCount === 0) return Math.max(hello.legacyVersion, DTLS_1_2);
	let highest = 0;
	for (let i = 0; i < hello.versionCount; i++) {
		const version = hello.versions[i] as number;
		if (version >> 8 === DTLS_MAJOR && (highest === 0 || version < highest)) highest = version;
	}
	return highest;
}

/** Of a hello whose version is at `start`: where its session id ends, with two bytes of something behind it; 0: it is too long. */
function skipSessionId(data: Uint8Array, start: number, end: number): number {
	const sessionId = start + 2 + 32; // the random says nothing to us
	const length = at(data, sessionId);
	const sessionIdEnd = sessionId + 1 + length;
	return length > 32 || sessionIdEnd + 2 > end ? 0 : sessionIdEnd;
}

/** The rest of a hello, from its cipher suites on; two bytes of it are there. */
function readOffers(
	data: Uint8Array,
	start: number,
	end: number,
	hello: ClientHello,
): ClientHelloFault | undefined {
	let position = start;
	const cipherSuiteBytes = u16(data, position);
	position += 2 + cipherSuiteBytes;
	if (cipherSuiteBytes < 2 || cipherSuiteBytes % 2 !== 0 || position + 1 > end) return "cipher_suites_length";

	const compressionBytes = at(data, position);
	position += 1 + compressionBytes;
	if (position > end || !offersNoCompression(data, position - compressionBytes, position)) {
		return "compression_methods";
	}

	if (position === end) return undefined;
	if (position + 2 > end || position + 2 + u16(data, position) !== end) return "extensions_length";
	return readExtensions(data, position + 2, end, hello);
}

/** Method 0, null, must be among them (RFC 5246, 7.4.1.2). */
function offersNoCompression(data: Uint8Array, start: number, end: number): boolean {
	for (let i = start; i < end; i++) if (at(data, i) === 0) return true;
	return false;
}

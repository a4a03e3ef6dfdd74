/**
 * The TLS ClientHello: which name, protocols and versions a client asks for, read without decrypting.
 *
 *     record header       5   type 22, version 3.x, length        RFC 8446, 5.1
 *     handshake header    4   type 1, length                      RFC 8446, 4
 *     hello                   version, random, session id,        RFC 8446, 4.1.2
 *                             cipher suites, compression,
 *                             extensions
 *
 * The handshake message may be cut into records anywhere, also inside its own header. It is read only when
 * all of it is there: first the records are walked, header by header, then the message is read where it lies,
 * or, if it came in several records, from a copy put together again.
 *
 * Everything is checked to the byte. A gateway that reads a hello more generously than the server behind it
 * can be made to route by a name which that server never sees.
 */
import { readIpv4 } from "./address.js";
import { at, textOf, u16 } from "./bytes.js";
import { copyHostName, HOST_NAME_CAPACITY_BYTES, INVALID_HOST_NAME, writeIpv6Literal } from "./host-name.js";
import { COMPLETE, MALFORMED, NEED_MORE, type Verdict } from "./verdict.js";

/**
 * The longest handshake message taken, its header included. Chromium's with a post-quantum key share has about
 * 1.8 KB; 16 KiB is what one record can carry, and what most servers stop at.
 */
export const CLIENT_HELLO_LIMIT_BYTES = 16384;

/**
 * The longest hello on the wire, record headers included. 1 KiB above the message leaves room for 204 records
 * around the longest message and for records of one byte around anything up to 2.9 KB; a client that cuts finer
 * than that is not a browser but a test of our patience.
 */
export const CLIENT_HELLO_WIRE_LIMIT_BYTES = CLIENT_HELLO_LIMIT_BYTES + 1024;

/** The closed list of reasons for MALFORMED. */
export type ClientHelloFault =
	| "record_type"
	| "record_version"
	| "record_empty"
	| "record_too_long"
	| "too_many_records"
	| "message_type"
	| "hello_too_short"
	| "hello_too_long"
	| "data_after_hello"
	| "hello_version"
	| "session_id_length"
	| "cipher_suites_length"
	| "compression_methods"
	| "extensions_length"
	| "extension_length"
	| "extension_duplicate"
	| "extension_after_pre_shared_key"
	| "server_name_length"
	| "server_name_duplicate"
	| "server_name_invalid"
	| "alpn_length"
	| "supported_versions_length"
	| "encrypted_client_hello";

const RECORD_HEADER_BYTES = 5;
const RECORD_LIMIT_BYTES = 16384; // RFC 8446, 5.1: 2^14
const RECORD_TYPE_HANDSHAKE = 22;
/**
 * Whoever puts something else between the records of a hello is told at once while there are so few of them; clients
 * cut theirs in two or three at most. Of more records, each header would be one more look at all of them.
 */
const EAGER_RECORDS = 8;
const MESSAGE_HEADER_BYTES = 4;
const MESSAGE_TYPE_CLIENT_HELLO = 1;

/** version 2, random 32, session id 1, one cipher suite 2 + 2, one compression method 1 + 1, no extensions. */
const SHORTEST_HELLO_BYTES = MESSAGE_HEADER_BYTES + 41;

const EXTENSION_SERVER_NAME = 0;
const EXTENSION_ALPN = 16;
const EXTENSION_PRE_SHARED_KEY = 41;
const EXTENSION_SUPPORTED_VERSIONS = 43;
const EXTENSION_ENCRYPTED_CLIENT_HELLO = 0xfe0d;

const TLS_1_2 = 0x0303;

/**
 * What a ClientHello says. One object serves one reactor: it is filled again for each connection and never
 * allocates. Its contents mean something only after COMPLETE; other verdicts leave it empty.
 */
export class ClientHello {
	/** The server name (RFC 6066, 3), lower-cased, without a final dot. */
	readonly name = new Uint8Array(HOST_NAME_CAPACITY_BYTES);

	/**
	 * 0: the client sent no name, or an IP address. RFC 6066, 3 does not permit addresses, yet clients that were
	 * given one as the URL's host do send them; refusing would break what works everywhere else, and routing by
	 * them would make an address a name. So such a hello counts as one without a name.
	 */
	nameLength = 0;

	/** The protocol list of ALPN (RFC 7301, 3.1) as it came: each name after a byte with its length. */
	readonly alpn = new Uint8Array(CLIENT_HELLO_LIMIT_BYTES);
	alpnLength = 0;
	alpnCount = 0;

	/** The version field of the hello itself, 0x0303 since TLS 1.2. */
	legacyVersion = 0;

	/** The list of the supported_versions extension (RFC 8446, 4.2.1) without GREASE (RFC 8701). */
	readonly versions = new Uint16Array(127);
	versionCount = 0;

	/** The highest version the client can speak, from the extension if there is one; 0x0304 is TLS 1.3. */
	maxVersion = 0;

	/**
	 * An outer encrypted_client_hello (RFC 9849, 5) is present, so `name` may be the public name of a provider.
	 * Browsers also send a meaningless one to every server (GREASE ECH, 6.2), and nobody but the holder of the
	 * key can tell the two apart: this is for logs and metrics, not for refusing anyone.
	 */
	hasEncryptedClientHello = false;

	/**
	 * With NEED_MORE: at least so many bytes, counted from `start`, make up any valid hello that begins so. Within the
	 * first EAGER_RECORDS it goes no further than the header of the next record, which may show that this is none.
	 */
	needBytes = 0;

	/** With MALFORMED: which rule was broken. */
	cause: ClientHelloFault | "" = "";

	/** Whether the client offers this ALPN protocol, e.g. the bytes of `h2`. */
	hasAlpn(protocol: Uint8Array): boolean {
		for (let entry = 0; entry < this.alpnLength; entry += 1 + at(this.alpn, entry)) {
			if (at(this.alpn, entry) !== protocol.length) continue;
			let i = 0;
			while (i < protocol.length && at(this.alpn, entry + 1 + i) === at(protocol, i)) i++;
			if (i === protocol.length) return true;
		}
		return false;
	}

	/** The server name as text, undefined without one. Allocates: for people and tests. */
	get serverName(): string | undefined {
		return this.nameLength === 0 ? undefined : textOf(this.name, 0, this.nameLength);
	}

	/** The ALPN protocols in the client's order, one character per byte. Allocates: for people and tests. */
	get alpnProtocols(): string[] {
		const protocols: string[] = [];
		for (let entry = 0; entry < this.alpnLength; entry += 1 + at(this.alpn, entry)) {
			protocols.push(textOf(this.alpn, entry + 1, entry + 1 + at(this.alpn, entry)));
		}
		return protocols;
	}

	/** The supported_versions list, empty without that extension. Allocates: for people and tests. */
	get supportedVersions(): number[] {
		return Array.from(this.versions.subarray(0, this.versionCount));
	}
}

/** Where a message that came in several records is put together. Parsing is synchronous: one per thread do. */
const reassembly = new Uint8Array(CLIENT_HELLO_LIMIT_BYTES);

/** One bit per extension type seen, and the list of them by which the bits are cleared again. */
const seenBits = new Uint32Array(65536 / 32);
const seenTypes = new Uint16Array(CLIENT_HELLO_LIMIT_BYTES / 4);

/** One flag per name type seen in a server_name list. */
const seenNameTypes = new Uint8Array(256);

const addressScratch = new Uint8Array(4);

/**
 * Reads a ClientHello from bytes[start, end), which is what has arrived so far (RFC 8446, 4.1.2 and 5.1;
 * RFC 5246, 7.4.1.2 for older clients). What follows the hello's last record is left alone.
 */
export function parseClientHello(bytes: Uint8Array, start: number, end: number, hello: ClientHello): Verdict {
	clear(hello);
	let record = start;
	let haveBytes = 0; // of the message, in the records before this one
	let headerBytes = 0; // of the message's own header
	let declaredBytes = 0;
	let messageBytes = 0; // 0: its header is not there yet
	for (let count = 1; ; count++) {
		const isEager = count <= EAGER_RECORDS;
		const missingBytes = (messageBytes === 0 ? SHORTEST_HELLO_BYTES : messageBytes) - haveBytes;
		const needed = wireBytesWith(record - start, missingBytes);
		if (needed > CLIENT_HELLO_WIRE_LIMIT_BYTES) return fail(hello, "too_many_records");
		if (end > record && at(bytes, record) !== RECORD_TYPE_HANDSHAKE) return fail(hello, "record_type");
		// RFC 5246, E.1: any minor version is to be accepted here, and RFC 8446, 5.1 says to ignore it.
		if (end > record + 1 && at(bytes, record + 1) !== 3) return fail(hello, "record_version");
		if (end < record + RECORD_HEADER_BYTES) {
			return needMore(hello, isEager ? record + RECORD_HEADER_BYTES - start : needed);
		}
		const length = u16(bytes, record + 3);
		if (length === 0) return fail(hello, "record_empty");
		if (length > RECORD_LIMIT_BYTES) return fail(hello, "record_too_long");

		const payload = record + RECORD_HEADER_BYTES;
		const payloadEnd = payload + length;
		for (let i = payload; headerBytes < MESSAGE_HEADER_BYTES && i < payloadEnd && i < end; i++) {
			if (headerBytes > 0) declaredBytes = declaredBytes * 256 + at(bytes, i);
			else if (at(bytes, i) !== MESSAGE_TYPE_CLIENT_HELLO) return fail(hello, "message_type");
			headerBytes++;
		}
		if (headerBytes === MESSAGE_HEADER_BYTES) {
			messageBytes = MESSAGE_HEADER_BYTES + declaredBytes;
			if (messageBytes > CLIENT_HELLO_LIMIT_BYTES) return fail(hello, "hello_too_long");
			if (messageBytes < SHORTEST_HELLO_BYTES) return fail(hello, "hello_too_short");
			// No other message may share a flight with the hello, so its last record ends where it ends.
			if (haveBytes + length > messageBytes) return fail(hello, "data_after_hello");
		}
		haveBytes += length;
		record = payloadEnd;
		if (record > end) {
			const restBytes = (messageBytes === 0 ? SHORTEST_HELLO_BYTES : messageBytes) - haveBytes;
			const neededThen = wireBytesWith(record - start, restBytes);
			if (neededThen > CLIENT_HELLO_WIRE_LIMIT_BYTES) return fail(hello, "too_many_records");
			const nextHeaderEnd = record - start + (restBytes > 0 ? RECORD_HEADER_BYTES : 0);
			return needMore(hello, isEager ? nextHeaderEnd : neededThen);
		}
		if (haveBytes === messageBytes) break;
	}
	if (u16(bytes, start + 3) === messageBytes) {
		return readHello(bytes, start + RECORD_HEADER_BYTES, record, hello);
	}
	joinRecords(bytes, start, record);
	return readHello(reassembly, 0, messageBytes, hello);
}

/** The rest of the message, if there is one, takes at least one more record. */
function wireBytesWith(wireBytes: number, restBytes: number): number {
	return restBytes > 0 ? wireBytes + RECORD_HEADER_BYTES + restBytes : wireBytes;
}

function joinRecords(bytes: Uint8Array, start: number, end: number): void {
	let joined = 0;
	for (let record = start; record < end; ) {
		const payloadEnd = record + RECORD_HEADER_BYTES + u16(bytes, record + 3);
		// Byte by byte, because a subarray to copy from would be an allocation.
		for (let i = record + RECORD_HEADER_BYTES; i < payloadEnd; i++) reassembly[joined++] = at(bytes, i);
		record = payloadEnd;
	}
}

/** Reads the whole message data[start, end); parseClientHello has seen to its header and least length. */
function readHello(data: Uint8Array, start: number, end: number, hello: ClientHello): Verdict {
	let position = start + MESSAGE_HEADER_BYTES;
	const legacyVersion = u16(data, position);
	// RFC 5246, E.1: who speaks a later version than any that we know is offered what we know.
	if (legacyVersion >> 8 < 3) return fail(hello, "hello_version");
	hello.legacyVersion = legacyVersion;
	position += 2 + 32; // the random says nothing to us

	const sessionIdBytes = at(data, position);
	position += 1 + sessionIdBytes;
	if (sessionIdBytes > 32 || position + 2 > end) return fail(hello, "session_id_length");

	const cipherSuiteBytes = u16(data, position);
	position += 2 + cipherSuiteBytes;
	if (cipherSuiteBytes < 2 || cipherSuiteBytes % 2 !== 0 || position + 1 > end) {
		return fail(hello, "cipher_suites_length");
	}

	const compressionBytes = at(data, position);
	position += 1 + compressionBytes;
	if (position > end || !offersNoCompression(data, position - compressionBytes, position)) {
		return fail(hello, "compression_methods");
	}

	if (position < end) {
		if (position + 2 > end || position + 2 + u16(data, position) !== end) {
			return fail(hello, "extensions_length");
		}
		const fault = readExtensions(data, position + 2, end, hello);
		if (fault !== undefined) return fail(hello, fault);
	}
	// Without a version from the extension TLS 1.3 cannot be meant, whatever the field says (RFC 8446, 4.2.1).
	if (hello.versionCount === 0) hello.maxVersion = Math.min(legacyVersion, TLS_1_2);
	return COMPLETE;
}

/** Method 0, null, must be among them (RFC 5246, 7.4.1.2). */
function offersNoCompression(data: Uint8Array, start: number, end: number): boolean {
	for (let i = start; i < end; i++) if (at(data, i) === 0) return true;
	return false;
}

function readExtensions(
	data: Uint8Array,
	start: number,
	end: number,
	hello: ClientHello,
): ClientHelloFault | undefined {
	let fault: ClientHelloFault | undefined;
	let seen = 0;
	let isLast = false;
	let position = start;
	while (position < end && fault === undefined) {
		if (end - position < 4) {
			fault = "extension_length";
			break;
		}
		const type = u16(data, position);
		const body = position + 4;
		const bodyEnd = body + u16(data, position + 2);
		if (bodyEnd > end) fault = "extension_length";
		// RFC 8446, 4.2.11: the pre-shared key's binder covers what precedes it, so nothing may follow.
		else if (isLast) fault = "extension_after_pre_shared_key";
		else if (wasSeen(type)) fault = "extension_duplicate";
		else {
			markSeen(type);
			seenTypes[seen++] = type;
			isLast = type === EXTENSION_PRE_SHARED_KEY;
			fault = readExtension(type, data, body, bodyEnd, hello);
		}
		position = bodyEnd;
	}
	for (let i = 0; i < seen; i++) seenBits[(seenTypes[i] as number) >> 5] = 0;
	return fault;
}

function wasSeen(type: number): boolean {
	return (((seenBits[type >> 5] as number) >>> (type & 31)) & 1) === 1;
}

function markSeen(type: number): void {
	seenBits[type >> 5] = (seenBits[type >> 5] as number) | (1 << (type & 31));
}

function readExtension(
	type: number,
	data: Uint8Array,
	start: number,
	end: number,
	hello: ClientHello,
): ClientHelloFault | undefined {
	switch (type) {
		case EXTENSION_SERVER_NAME:
			return readServerName(data, start, end, hello);
		case EXTENSION_ALPN:
			return readAlpn(data, start, end, hello);
		case EXTENSION_SUPPORTED_VERSIONS:
			return readSupportedVersions(data, start, end, hello);
		case EXTENSION_ENCRYPTED_CLIENT_HELLO:
			return readEncryptedClientHello(data, start, end, hello);
		default:
			return undefined;
	}
}

/** RFC 6066, 3: a list of names, at most one of each type; only type 0, host_name, was ever defined. */
function readServerName(
	data: Uint8Array,
	start: number,
	end: number,
	hello: ClientHello,
): ClientHelloFault | undefined {
	if (end - start < 2 || u16(data, start) !== end - start - 2) return "server_name_length";
	if (end - start === 2) return "server_name_length";
	seenNameTypes.fill(0);
	for (let position = start + 2; position < end; ) {
		if (end - position < 3) return "server_name_length";
		const type = at(data, position);
		const name = position + 3;
		const nameEnd = name + u16(data, position + 1);
		if (nameEnd > end || nameEnd === name) return "server_name_length";
		if (at(seenNameTypes, type) !== 0) return "server_name_duplicate";
		seenNameTypes[type] = 1;
		if (type === 0) {
			const length = copyServerName(data, name, nameEnd, hello.name);
			if (length === INVALID_HOST_NAME) return "server_name_invalid";
			hello.nameLength = length;
		}
		position = nameEnd;
	}
	return undefined;
}

/** The length of the copied name; 0 for an IP address, which counts as no name (see `nameLength`). */
function copyServerName(data: Uint8Array, start: number, end: number, out: Uint8Array): number {
	const length = copyHostName(data, start, end, out);
	if (length !== INVALID_HOST_NAME) return readIpv4(out, 0, length, addressScratch, 0) ? 0 : length;
	const isBracketed = end - start > 2 && at(data, start) === 0x5b && at(data, end - 1) === 0x5d;
	const address = isBracketed ? start + 1 : start;
	return writeIpv6Literal(data, address, isBracketed ? end - 1 : end, out) === INVALID_HOST_NAME
		? INVALID_HOST_NAME
		: 0;
}

/** RFC 7301, 3.1: neither the list nor a name in it is empty. */
function readAlpn(
	data: Uint8Array,
	start: number,
	end: number,
	hello: ClientHello,
): ClientHelloFault | undefined {
	if (end - start < 4 || u16(data, start) !== end - start - 2) return "alpn_length";
	let count = 0;
	for (let position = start + 2; position < end; position += 1 + at(data, position)) {
		const length = at(data, position);
		if (length === 0 || position + 1 + length > end) return "alpn_length";
		count++;
	}
	for (let i = start + 2; i < end; i++) hello.alpn[i - start - 2] = at(data, i);
	hello.alpnLength = end - start - 2;
	hello.alpnCount = count;
	return undefined;
}

/** RFC 8446, 4.2.1: a list of 1 to 127 versions. */
function readSupportedVersions(
	data: Uint8Array,
	start: number,
	end: number,
	hello: ClientHello,
): ClientHelloFault | undefined {
	const listBytes = end - start - 1;
	if (listBytes < 2 || listBytes % 2 !== 0 || at(data, start) !== listBytes)
		return "supported_versions_length";
	for (let position = start + 1; position < end; position += 2) {
		const version = u16(data, position);
		if (isGrease(version)) continue;
		hello.versions[hello.versionCount++] = version;
		if (version > hello.maxVersion) hello.maxVersion = version;
	}
	return undefined;
}

/** RFC 8701, 2: 0x0a0a, 0x1a1a, … 0xfafa, sent so that servers keep ignoring what they do not know. */
function isGrease(value: number): boolean {
	return (value & 0x0f0f) === 0x0a0a && value >> 8 === (value & 0xff);
}

/**
 * RFC 9849, 5: outer (0) carries cipher suite 4, config id 1, enc<0..2^16-1>, payload<1..2^16-1>; inner (1) is
 * empty, and reaches a gateway that stands behind the decrypting one, with the real name in server_name.
 */
function readEncryptedClientHello(
	data: Uint8Array,
	start: number,
	end: number,
	hello: ClientHello,
): ClientHelloFault | undefined {
	const type = end > start ? at(data, start) : -1;
	if (type === 1 && end - start === 1) return undefined;
	const enc = start + 1 + 4 + 1;
	if (type !== 0 || enc + 2 > end) return "encrypted_client_hello";
	const payload = enc + 2 + u16(data, enc);
	if (payload + 2 > end) return "encrypted_client_hello";
	const payloadBytes = u16(data, payload);
	if (payloadBytes === 0 || payload + 2 + payloadBytes !== end) return "encrypted_client_hello";
	hello.hasEncryptedClientHello = true;
	return undefined;
}

function needMore(hello: ClientHello, needBytes: number): Verdict {
	hello.needBytes = needBytes;
	return NEED_MORE;
}

/** What was read before the fault is forgotten, so that nobody routes by half of a bad hello. */
function fail(hello: ClientHello, cause: ClientHelloFault): Verdict {
	clear(hello);
	hello.cause = cause;
	return MALFORMED;
}

function clear(hello: ClientHello): void {
	hello.nameLength = 0;
	hello.alpnLength = 0;
	hello.alpnCount = 0;
	hello.legacyVersion = 0;
	hello.versionCount = 0;
	hello.maxVersion = 0;
	hello.hasEncryptedClientHello = false;
	hello.needBytes = 0;
	hello.cause = "";
}

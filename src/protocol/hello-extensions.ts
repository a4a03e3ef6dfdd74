/** The extensions of a ClientHello (RFC 8446, 4.2): those that say something to us are read, all are checked for their lengths. */
import { readIpv4 } from "./address.js";
import { at, u16 } from "./bytes.js";

import { CLIENT_HELLO_LIMIT_BYTES, type ClientHello, type ClientHelloFault } from "./hello.js";
import { copyHostName, INVALID_HOST_NAME, writeIpv6Literal } from "./host-name.js";

const EXTENSION_SERVER_NAME = 0;
const EXTENSION_ALPN = 16;
const EXTENSION_PRE_SHARED_KEY = 41;
const EXTENSION_SUPPORTED_VERSIONS = 43;
const EXTENSION_ENCRYPTED_CLIENT_HELLO = 0xfe0d;

/** One bit per extension type seen, and the list of them by which the bits are cleared again. */
const seenBits = new Uint32Array(65536 / 32);
const seenTypes = new Uint16Array(CLIENT_HELLO_LIMIT_BYTES / 4);

/** One flag per name type seen in a server_name list. */
const seenNameTypes = new Uint8Array(256);

const addressScratch = new Uint8Array(4);

/** Reads the extensions data[start, end) into `hello`; returns what is wrong with them. */
export function readExtensions(
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

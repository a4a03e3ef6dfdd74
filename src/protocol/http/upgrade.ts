/** The opening handshake of WebSocket, as a gateway has to see it (RFC 6455, 4.2). */
import { ascii, at, equalsIgnoringCase } from "../bytes.js";
import {
	FIELD_SEC_WEBSOCKET_ACCEPT,
	FIELD_SEC_WEBSOCKET_KEY,
	FIELD_SEC_WEBSOCKET_PROTOCOL,
	FIELD_SEC_WEBSOCKET_VERSION,
	FIELD_UPGRADE,
} from "./field-names.js";
import type { FieldSection } from "./field-section.js";
import { FRAMING_LENGTH, FRAMING_NONE } from "./framing.js";
import { EQUALS, ListMember } from "./grammar.js";
import { METHOD_GET } from "./methods.js";
import { type RequestHead, TARGET_ASTERISK } from "./request.js";
import type { ResponseHead } from "./response.js";

// What checkWebSocketRequest says.
/** The request does not ask for WebSocket; other upgrades are not passed on (h2c would hide requests from us). */
export const NOT_WEBSOCKET = 0;
/** A valid handshake. */
export const WEBSOCKET_VALID = 1;
/** It asks for WebSocket and is malformed: 400. */
export const WEBSOCKET_MALFORMED = 2;
/** Another version than 13: 426 with `Sec-WebSocket-Version: 13` (RFC 6455, 4.4). */
export const WEBSOCKET_VERSION = 3;

const TOKEN_WEBSOCKET = ascii("websocket");
const VERSION_13 = ascii("13");

/** Sixteen bytes in base64: 22 digits, of which the last carries four bits that must be zero, and two `=`. */
const KEY_BYTES = 24;
/** A SHA-1 in base64: 27 digits, the last with two bits that must be zero, and one `=`. */
const ACCEPT_BYTES = 28;

const member = new ListMember();

/**
 * Whether a request is a valid handshake (RFC 6455, 4.2.1). Strict although the server checks it again: a request
 * that the gateway takes for an upgrade and the server for an ordinary request would leave the gateway relaying,
 * unread, whatever the client says next.
 */
export function checkWebSocketRequest(bytes: Uint8Array, head: RequestHead): number {
	const { fields } = head;
	if (!head.wantsUpgrade || !hasMember(bytes, fields, FIELD_UPGRADE, TOKEN_WEBSOCKET)) return NOT_WEBSOCKET;
	if (head.method !== METHOD_GET || head.targetForm === TARGET_ASTERISK) return WEBSOCKET_MALFORMED;
	// With content, the frames would begin somewhere else for a server that ignores the content of a GET.
	const isEmpty = head.framing === FRAMING_LENGTH && head.contentLength === 0;
	if (head.framing !== FRAMING_NONE && !isEmpty) return WEBSOCKET_MALFORMED;

	const version = onlyField(fields, FIELD_SEC_WEBSOCKET_VERSION);
	if (version < 0) return version === MISSING ? WEBSOCKET_VERSION : WEBSOCKET_MALFORMED;
	if (!valueEquals(bytes, fields, version, VERSION_13)) return WEBSOCKET_VERSION;

	const key = onlyField(fields, FIELD_SEC_WEBSOCKET_KEY);
	if (key < 0 || !isBase64(bytes, fields, key, KEY_BYTES, 2, 0x0f)) return WEBSOCKET_MALFORMED;
	return WEBSOCKET_VALID;
}

/**
 * Whether a 101 answers the handshake that was passed on (RFC 6455, 4.2.2). Sec-WebSocket-Accept must be there once
 * and be a digest in form; that it is the right digest is not computed: it proves to the *client* that the server
 * understood, the client is obliged to check it, and the gateway, which passes key and digest on untouched, would
 * decide nothing by it. What protects the gateway is that it waits for this 101 before it relays.
 */
export function isWebSocketResponse(bytes: Uint8Array, head: ResponseHead): boolean {
	const { fields } = head;
	if (!head.isUpgrade) return false;
	const upgrade = onlyField(fields, FIELD_UPGRADE);
	if (upgrade < 0 || !valueEquals(bytes, fields, upgrade, TOKEN_WEBSOCKET)) return false;
	const accept = onlyField(fields, FIELD_SEC_WEBSOCKET_ACCEPT);
	return accept >= 0 && isBase64(bytes, fields, accept, ACCEPT_BYTES, 1, 0x03);
}

/**
 * Whether the client offers the subprotocol `lowerCased` (RFC 6455, 11.3.4), for routing. Case does not count here:
 * names that differ in nothing else should not lead to different servers.
 */
export function offersProtocol(bytes: Uint8Array, head: RequestHead, lowerCased: Uint8Array): boolean {
	return hasMember(bytes, head.fields, FIELD_SEC_WEBSOCKET_PROTOCOL, lowerCased);
}

/** Whether the list in all fields with this id has the member. */
function hasMember(bytes: Uint8Array, fields: FieldSection, id: number, lowerCased: Uint8Array): boolean {
	for (let index = 0; index < fields.count; index++) {
		if (at(fields.ids, index) !== id) continue;
		const end = fields.spans[index * 4 + 3] as number;
		for (
			let from = fields.spans[index * 4 + 2] as number;
			member.read(bytes, from, end);
			from = member.next
		) {
			if (equalsIgnoringCase(bytes, member.start, member.end, lowerCased)) return true;
		}
	}
	return false;
}

const MISSING = -1;
const REPEATED = -2;

/** The index of the one field with this id, MISSING or REPEATED. */
function onlyField(fields: FieldSection, id: number): number {
	let found = MISSING;
	for (let index = 0; index < fields.count; index++) {
		if (at(fields.ids, index) !== id) continue;
		if (found !== MISSING) return REPEATED;
		found = index;
	}
	return found;
}

function valueEquals(
	bytes: Uint8Array,
	fields: FieldSection,
	index: number,
	lowerCased: Uint8Array,
): boolean {
	const start = fields.spans[index * 4 + 2] as number;
	return equalsIgnoringCase(bytes, start, fields.spans[index * 4 + 3] as number, lowerCased);
}

/** Base64 (RFC 4648, 4) of this length with this much padding, the unused bits of the last digit being zero. */
function isBase64(
	bytes: Uint8Array,
	fields: FieldSection,
	index: number,
	length: number,
	padding: number,
	unusedBits: number,
): boolean {
	const start = fields.spans[index * 4 + 2] as number;
	const end = fields.spans[index * 4 + 3] as number;
	if (end - start !== length) return false;
	const digitsEnd = end - padding;
	for (let i = digitsEnd; i < end; i++) if (at(bytes, i) !== EQUALS) return false;
	let digit = 0;
	for (let i = start; i < digitsEnd; i++) {
		digit = BASE64_VALUE[at(bytes, i)] as number;
		if (digit < 0) return false;
	}
	return (digit & unusedBits) === 0;
}

const BASE64_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const BASE64_VALUE = Int8Array.from({ length: 256 }, (_, byte) =>
	BASE64_ALPHABET.indexOf(String.fromCharCode(byte)),
);

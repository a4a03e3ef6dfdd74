/** Alerts for clients that are refused before TLS is anybody's (RFC 8446, 6). */
import type { ClientHelloFault } from "./hello.js";

const UNEXPECTED_MESSAGE = 10;
const RECORD_OVERFLOW = 22;
const ILLEGAL_PARAMETER = 47;
const DECODE_ERROR = 50;
const PROTOCOL_VERSION = 70;

/** What RFC 8446, 6.2 has for each fault; where that leaves it open, what OpenSSL says. */
const DESCRIPTIONS: Readonly<Record<ClientHelloFault, number>> = {
	record_type: UNEXPECTED_MESSAGE,
	record_version: PROTOCOL_VERSION,
	record_empty: UNEXPECTED_MESSAGE, // 5.1: no part of a handshake message is empty
	record_too_long: RECORD_OVERFLOW,
	too_many_records: ILLEGAL_PARAMETER, // a limit of ours, as the one below
	message_type: UNEXPECTED_MESSAGE,
	hello_too_short: DECODE_ERROR,
	hello_too_long: ILLEGAL_PARAMETER,
	data_after_hello: UNEXPECTED_MESSAGE, // 5.1: the next message has other keys, and so a record of its own
	hello_version: PROTOCOL_VERSION,
	session_id_length: DECODE_ERROR,
	cookie_length: DECODE_ERROR, // in DTLS only
	cipher_suites_length: DECODE_ERROR,
	compression_methods: DECODE_ERROR,
	extensions_length: DECODE_ERROR,
	extension_length: DECODE_ERROR,
	extension_duplicate: ILLEGAL_PARAMETER,
	extension_after_pre_shared_key: ILLEGAL_PARAMETER, // 4.2.11
	server_name_length: DECODE_ERROR,
	server_name_duplicate: DECODE_ERROR,
	server_name_invalid: DECODE_ERROR,
	alpn_length: DECODE_ERROR,
	supported_versions_length: DECODE_ERROR,
	encrypted_client_hello: DECODE_ERROR,
};

/** A fatal alert, in the record version that every client accepts before the version is negotiated. */
export function tlsAlert(description: number): Uint8Array {
	return Uint8Array.of(21, 3, 1, 0, 2, 2, description);
}

/** For a hello of SSL 2. */
export const ALERT_PROTOCOL_VERSION = tlsAlert(PROTOCOL_VERSION);

const ALERTS: ReadonlyMap<string, Uint8Array> = new Map(
	Object.entries(DESCRIPTIONS).map(([fault, description]) => [fault, tlsAlert(description)]),
);
const ALERT_DECODE_ERROR = tlsAlert(DECODE_ERROR);

/** For a hello that is malformed. */
export function alertForHello(fault: string): Uint8Array {
	return ALERTS.get(fault) ?? ALERT_DECODE_ERROR;
}

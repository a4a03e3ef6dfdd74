/**
 * What a PROXY header of version 2 can say besides addresses: type-length-values (HAProxy's doc/proxy-protocol.txt, section 2.2). Those
 * that came with the client's own header are passed on, and come before what is known here.
 */
import { u16 } from "./bytes.js";

export const TLV_ALPN = 0x01;
export const TLV_AUTHORITY = 0x02;
export const TLV_SSL = 0x20;
const SUBTYPE_SSL_VERSION = 0x21;
const SUBTYPE_SSL_CN = 0x22;

/** The client came over TLS, and showed a certificate on this connection. */
const CLIENT_SSL = 0x01;
const CLIENT_CERT_CONN = 0x02;

const HEADER_BYTES = 3;
/** What a header may have in all (`PROXY_HEADER_LIMIT_BYTES`), less its addresses. */
const ROOM_BYTES = 4_000;

/** One after the other, in one piece of memory that each header is made in. */
export class ProxyTlvs {
	readonly bytes = new Uint8Array(ROOM_BYTES);
	length = 0;

	/** Begins with those that came with a header: `bytes[start, end)`. */
	begin(bytes: Uint8Array, start: number, end: number): void {
		this.length = 0;
		if (end - start > this.bytes.length) return;
		for (let i = start; i < end; i++) this.bytes[this.length++] = bytes[i] as number; // within what was parsed
	}

	/** Adds one, unless there is one of its type, or no room. */
	add(type: number, value: Uint8Array, start = 0, end = value.length): void {
		const count = end - start;
		if (this.#has(type) || this.length + HEADER_BYTES + count > this.bytes.length) return;
		this.#header(type, count);
		for (let i = start; i < end; i++) this.bytes[this.length++] = value[i] as number; // within
	}

	/** What is known of the client's TLS, which ended here. `commonName`: of the certificate that it showed and that was verified; empty: none. */
	addTls(version: string, commonName: string): void {
		const parts = [
			tlv(SUBTYPE_SSL_VERSION, version),
			...(commonName === "" ? [] : [tlv(SUBTYPE_SSL_CN, commonName)]),
		];
		const client = commonName === "" ? CLIENT_SSL : CLIENT_SSL | CLIENT_CERT_CONN;
		// 0: it was verified; or there was none to verify, which the bits say.
		this.add(TLV_SSL, Buffer.concat([Uint8Array.of(client, 0, 0, 0, 0), ...parts]));
	}

	#has(type: number): boolean {
		for (let at = 0; at + HEADER_BYTES <= this.length; at += HEADER_BYTES + u16(this.bytes, at + 1))
			if (this.bytes[at] === type) return true;
		return false;
	}

	#header(type: number, count: number): void {
		this.bytes[this.length++] = type;
		this.bytes[this.length++] = count >> 8;
		this.bytes[this.length++] = count & 0xff;
	}
}

function tlv(type: number, text: string): Uint8Array {
	const value = Buffer.from(text, "utf8");
	return Buffer.concat([Uint8Array.of(type, value.length >> 8, value.length & 0xff), value]);
}

/** Of a subject as RFC 2253 writes it, `CN=alice,O=Example`; empty: it has none. */
export function commonNameOf(subject: string): string {
	const [, escaped = ""] = /(?:^|[,+])CN=((?:\\.|[^,+\\])*)/.exec(subject) ?? [];
	return escaped
		.replace(/\\([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
		.replace(/\\(.)/g, "$1");
}

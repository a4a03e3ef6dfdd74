/** What a ClientHello says, whatever carried it, and what can be wrong with it. */
import { at, textOf } from "./bytes.js";
import { HOST_NAME_CAPACITY_BYTES } from "./host-name.js";
import { MALFORMED, NEED_MORE, type Verdict } from "./verdict.js";

/**
 * The longest handshake message taken, its header included. Chromium's with a post-quantum key share has about
 * 1.8 KB; 16 KiB is what one record can carry, and what most servers stop at.
 */
export const CLIENT_HELLO_LIMIT_BYTES = 16384;

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
	| "cookie_length"
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

export function needMoreOf(hello: ClientHello, needBytes: number): Verdict {
	hello.needBytes = needBytes;
	return NEED_MORE;
}

/** What was read before the fault is forgotten, so that nobody routes by half of a bad hello. */
export function failHello(hello: ClientHello, cause: ClientHelloFault): Verdict {
	clearHello(hello);
	hello.cause = cause;
	return MALFORMED;
}

export function clearHello(hello: ClientHello): void {
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

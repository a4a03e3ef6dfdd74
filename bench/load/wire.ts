/**
 * What crosses the wire between generator and backend. The proxies under test see opaque
 * bytes, except sniproxy, which has no plain TCP mode and routes by the Host header of the
 * first request: so requests are HTTP.
 */

export const REQUEST_BYTES = 100;
export const RESPONSE_BYTES = 200;

/** The answer to a ClientHello: its first byte is the index of the backend that gave it. */
export const ANSWER_BYTES = 16;

/** The Host of every request. */
export const HOST = "relay.bench.test";

/** The name that certificates are for. */
export const TLS_NAME = "tls.bench.test";
/** What all who terminate TLS must agree on, so that the same work is compared. */
export const TLS_AGREED = "TLSv1.3 TLS_AES_128_GCM_SHA256";

/** Asks for a WebSocket, and how that is granted: the key is that of RFC 6455, section 1.3. */
export const UPGRADE_PATH = "/websocket";
const WEBSOCKET_KEY = "dGhlIHNhbXBsZSBub25jZQ==";
const WEBSOCKET_ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/**
 * Names in the ClientHellos, each routed to a backend of its own. Four: enough that a route which
 * ignores the name would be noticed, few enough that no system is measured on its rule list.
 */
export const SNI_NAMES: readonly string[] = ["a.bench.test", "b.bench.test", "c.bench.test", "d.bench.test"];

/** A request of exactly REQUEST_BYTES. */
export function request(path: string): Uint8Array {
	const head = `GET ${path} HTTP/1.1\r\nHost: ${HOST}\r\nX-Pad: `;
	return padded(head, "\r\n\r\n", REQUEST_BYTES);
}

/** The same, behind whose answer the connection is to end. */
export function lastRequest(): Uint8Array {
	return padded(`GET / HTTP/1.1\r\nHost: ${HOST}\r\nConnection: close\r\nX-Pad: `, "\r\n\r\n", REQUEST_BYTES);
}

/** A response of exactly RESPONSE_BYTES, body included. */
export function response(): Uint8Array {
	return padded(
		"HTTP/1.1 200 OK\r\nContent-Length: 100\r\nX-Pad: ",
		`\r\n\r\n${"x".repeat(100)}`,
		RESPONSE_BYTES,
	);
}

export function upgradeRequest(): Uint8Array {
	return new TextEncoder().encode(
		`GET ${UPGRADE_PATH} HTTP/1.1\r\nHost: ${HOST}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
			`Sec-WebSocket-Key: ${WEBSOCKET_KEY}\r\nSec-WebSocket-Version: 13\r\n\r\n`,
	);
}

export function upgradeResponse(): Uint8Array {
	return new TextEncoder().encode(
		"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
			`Sec-WebSocket-Accept: ${WEBSOCKET_ACCEPT}\r\n\r\n`,
	);
}

/** A WebSocket message, and how many bytes it is when a server says it back: RFC 6455, section 5.2. */
export const MESSAGE_BYTES = 100;
export const ECHO_BYTES = 2 + MESSAGE_BYTES;

/** A text, masked as those of clients are. */
export function message(): Uint8Array {
	const mask = [0x12, 0x34, 0x56, 0x78];
	const text = Array.from({ length: MESSAGE_BYTES }, (_, i) => 0x61 ^ (mask[i % mask.length] ?? 0));
	return Uint8Array.of(0x81, 0x80 | MESSAGE_BYTES, ...mask, ...text);
}

/** Asks the bulk backend for that many bytes. */
export function bulkRequest(bytes: number): Uint8Array {
	return request(`/bulk/${bytes}`);
}

/** How many bytes a bulk request asks for. */
export function bulkBytes(bytes: Uint8Array): number {
	const found = /^GET \/bulk\/(\d+) /.exec(Buffer.from(bytes).toString("latin1"));
	if (found?.[1] === undefined)
		throw new Error("the bulk backend received something else than a bulk request");
	return Number(found[1]);
}

function padded(head: string, tail: string, length: number): Uint8Array {
	const room = length - head.length - tail.length;
	if (room < 0) throw new RangeError(`"${head}" does not fit into ${length} bytes`);
	return new TextEncoder().encode(head + "p".repeat(room) + tail);
}

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

/** A response of exactly RESPONSE_BYTES, body included. */
export function response(): Uint8Array {
	return padded(
		"HTTP/1.1 200 OK\r\nContent-Length: 100\r\nX-Pad: ",
		`\r\n\r\n${"x".repeat(100)}`,
		RESPONSE_BYTES,
	);
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

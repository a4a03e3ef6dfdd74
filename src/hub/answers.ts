/** What requests for the hub are answered with: heads, and refusals that say why. */
import { createHash } from "node:crypto";
import { STATUS_CODES } from "node:http";
import type { HubRequest, RequestRefusal } from "./request.js";

/** RFC 6455, section 1.3. */
const WEBSOCKET_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/** What browsers may send with a request for events from another origin. */
const ALLOWED_FIELDS = "authorization, cache-control, last-event-id";
const PREFLIGHT_SECONDS = 600;

/** The handshake of a WebSocket is answered. */
export function webSocketHead({ key, subprotocol }: HubRequest): Uint8Array {
	const accept = createHash("sha1").update(`${key}${WEBSOCKET_GUID}`).digest("base64");
	return bytesOf([
		"HTTP/1.1 101 Switching Protocols",
		"Upgrade: websocket",
		"Connection: Upgrade",
		`Sec-WebSocket-Accept: ${accept}`,
		...(subprotocol === null ? [] : [`Sec-WebSocket-Protocol: ${subprotocol}`]),
	]);
}

/** Events follow, until the connection ends. */
export function eventsHead(request: HubRequest): Uint8Array {
	return bytesOf([
		"HTTP/1.1 200 OK",
		"Content-Type: text/event-stream",
		"Cache-Control: no-store",
		"X-Accel-Buffering: no",
		"Connection: close",
		...crossOrigin(request),
	]);
}

/** A browser asks whether it may ask. */
export function preflightAnswer(request: HubRequest): Uint8Array {
	return bytesOf([
		"HTTP/1.1 204 No Content",
		"Access-Control-Allow-Methods: GET",
		`Access-Control-Allow-Headers: ${ALLOWED_FIELDS}`,
		`Access-Control-Max-Age: ${PREFLIGHT_SECONDS}`,
		"Connection: close",
		...crossOrigin(request),
	]);
}

/** `isBare`: as HEAD is answered, without what the head tells of. */
export function refusalAnswer(
	{ status, code, message }: RequestRefusal,
	request: HubRequest | undefined,
	isBare = false,
): Uint8Array {
	const body = JSON.stringify({ error: message, code });
	const head = [
		`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}`,
		"Content-Type: application/json",
		`Content-Length: ${Buffer.byteLength(body)}`,
		"Cache-Control: no-store",
		"Connection: close",
		...(status === 401 ? ['WWW-Authenticate: Bearer realm="hub"'] : []),
		...(status === 405 ? ["Allow: GET, OPTIONS"] : []),
		...(request === undefined || code === "bad_origin" ? [] : crossOrigin(request)),
	];
	return Buffer.concat([bytesOf(head), Buffer.from(isBare ? "" : body)]);
}

/** Its page may read the answer: its origin has been allowed. */
function crossOrigin({ origin }: HubRequest): readonly string[] {
	return origin === null ? [] : [`Access-Control-Allow-Origin: ${origin}`, "Vary: Origin"];
}

function bytesOf(lines: readonly string[]): Uint8Array {
	return Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1");
}

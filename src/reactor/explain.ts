/**
 * A client that is refused before anything was relayed is told why, in its own protocol: a TLS alert
 * (RFC 8446, section 6) or a short HTTP response (RFC 9110, section 15).
 */
import { PROTOCOL_HTTP, PROTOCOL_TLS } from "../protocol/index.js";
import { at } from "./at.js";
import { CHUNK_BYTES, type Core } from "./core.js";
import {
	BAD_REQUEST,
	CONNECT_REFUSED,
	CONNECT_TIMEOUT,
	HANDSHAKE_TIMEOUT,
	NO_ROUTE,
	REJECTED,
	UNRECOGNIZED,
	UPSTREAM_DOWN,
} from "./reasons.js";

/** Reads that empty the socket: unread bytes would turn the close into a reset, which destroys the answer. */
const READS_MAX = 2;

/** Tells the client why it is refused, if there is a way to. */
export function explain(core: Core, client: number, reason: number): void {
	const { table, kernel } = core;
	const protocol = at(table.protocol, client);
	const answers =
		protocol === PROTOCOL_TLS ? TLS_ALERTS : protocol === PROTOCOL_HTTP ? HTTP_RESPONSES : undefined;
	const answer = answers?.get(reason);
	if (answer === undefined) return;
	const fd = at(table.fd, client);
	for (let read = 0; read < READS_MAX && kernel.receive(fd, 0, CHUNK_BYTES) === CHUNK_BYTES; read++) {}
	kernel.memory.set(answer, 0);
	// A socket that has sent nothing yet takes it whole; if it is gone already, nobody is left to tell.
	kernel.send(fd, 0, answer.length);
}

/** A fatal alert, in the record version that every client accepts before the version is negotiated. */
function alert(description: number): Uint8Array {
	return Uint8Array.of(21, 3, 1, 0, 2, 2, description);
}

function response(status: string, text: string): Uint8Array {
	const body = `${text}\n`;
	return new TextEncoder().encode(
		`HTTP/1.1 ${status}\r\nContent-Type: text/plain\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
	);
}

const ALERT_DECODE_ERROR = 50;
const ALERT_INTERNAL_ERROR = 80;
const ALERT_UNRECOGNIZED_NAME = 112;

const TLS_ALERTS = new Map<number, Uint8Array>([
	[UNRECOGNIZED, alert(ALERT_DECODE_ERROR)],
	[NO_ROUTE, alert(ALERT_UNRECOGNIZED_NAME)],
	[REJECTED, alert(ALERT_UNRECOGNIZED_NAME)],
	[CONNECT_REFUSED, alert(ALERT_INTERNAL_ERROR)],
	[CONNECT_TIMEOUT, alert(ALERT_INTERNAL_ERROR)],
	[UPSTREAM_DOWN, alert(ALERT_INTERNAL_ERROR)],
]);

const HTTP_RESPONSES = new Map<number, Uint8Array>([
	[BAD_REQUEST, response("400 Bad Request", "the request is malformed")],
	[REJECTED, response("403 Forbidden", "this host is refused here")],
	[NO_ROUTE, response("404 Not Found", "no route leads to this host")],
	[HANDSHAKE_TIMEOUT, response("408 Request Timeout", "the request did not come in time")],
	[CONNECT_REFUSED, response("502 Bad Gateway", "the server behind this gateway refused")],
	[UPSTREAM_DOWN, response("503 Service Unavailable", "no server behind this gateway is up")],
	[CONNECT_TIMEOUT, response("504 Gateway Timeout", "the server behind this gateway did not answer")],
]);

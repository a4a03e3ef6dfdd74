/** The reasons of `parts/reasons.ts` as numbers, as rows and journals keep them. */
import { REASONS, type Reason } from "../../parts/reasons.js";

const INDEX = new Map<string, number>(REASONS.map((reason, index) => [reason, index]));

function indexOf(reason: Reason): number {
	const index = INDEX.get(reason);
	if (index === undefined) throw new Error(`no reason ${reason}`);
	return index;
}

export const CLIENT_CLOSED = indexOf("client_closed");
export const UPSTREAM_CLOSED = indexOf("upstream_closed");
export const CLIENT_RESET = indexOf("client_reset");
export const UPSTREAM_RESET = indexOf("upstream_reset");
export const HANDSHAKE_TIMEOUT = indexOf("handshake_timeout");
export const CONNECT_TIMEOUT = indexOf("connect_timeout");
export const CONNECT_REFUSED = indexOf("connect_refused");
export const UPSTREAM_DOWN = indexOf("upstream_down");
export const ANSWERED = indexOf("answered");
export const IDLE_TIMEOUT = indexOf("idle_timeout");
export const STALL_TIMEOUT = indexOf("stall_timeout");
export const HALF_CLOSED_TIMEOUT = indexOf("half_closed_timeout");
export const LIFETIME = indexOf("lifetime");
export const KEEPALIVE_LOST = indexOf("keepalive_lost");
export const UNRECOGNIZED = indexOf("unrecognized");
export const TLS_FAILED = indexOf("tls_failed");
export const BAD_REQUEST = indexOf("bad_request");
export const BAD_RESPONSE = indexOf("bad_response");
export const REQUEST_TIMEOUT = indexOf("request_timeout");
export const RESPONSE_TIMEOUT = indexOf("response_timeout");
export const RECYCLED = indexOf("recycled");
export const PROXY_HEADER = indexOf("proxy_header");
export const NO_ROUTE = indexOf("no_route");
export const REJECTED = indexOf("rejected");
export const UNAUTHORIZED = indexOf("unauthorized");
export const NO_TUNNEL = indexOf("no_tunnel");
export const NO_CERTIFICATE = indexOf("no_certificate");
export const LOOP = indexOf("loop");
export const LIMIT_CONNECTIONS = indexOf("limit_connections");
export const LIMIT_IP = indexOf("limit_ip");
export const LIMIT_RATE = indexOf("limit_rate");
export const LIMIT_BODY = indexOf("limit_body");
export const FD_PRESSURE = indexOf("fd_pressure");
export const MEMORY_PRESSURE = indexOf("memory_pressure");
export const OUTBOX_FULL = indexOf("outbox_full");
export const DRAINED = indexOf("drained");
export const SUPERSEDED = indexOf("superseded");
export const OPERATOR = indexOf("operator");
export const BANNED = indexOf("banned");
export const INTERNAL = indexOf("internal");

/** What a request for an upstream is answered with by us because that upstream did not answer it well. */
export const UPSTREAM_FAULTS: readonly number[] = [
	CONNECT_REFUSED,
	CONNECT_TIMEOUT,
	TLS_FAILED,
	UPSTREAM_DOWN,
	UPSTREAM_CLOSED,
	BAD_RESPONSE,
	RESPONSE_TIMEOUT,
];

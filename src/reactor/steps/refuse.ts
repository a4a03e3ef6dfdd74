/**
 * A client that is refused before anything was relayed is told why, in its own protocol: a TLS alert
 * (RFC 8446, section 6) or a short HTTP response (RFC 9110, section 15).
 */

import { i32, u8 } from "../../parts/at.js";
import type { AnswerStatus } from "../../protocol/http/answers.js";
import {
	tlsAlert as alert,
	PROTOCOL_H2C,
	PROTOCOL_HTTP,
	PROTOCOL_OTHER,
	PROTOCOL_TLS,
} from "../../protocol/index.js";
import { tell } from "../end/linger.js";
import {
	BAD_REQUEST,
	CONNECT_REFUSED,
	CONNECT_TIMEOUT,
	FD_PRESSURE,
	HANDSHAKE_TIMEOUT,
	LIMIT_CONNECTIONS,
	LIMIT_RATE,
	LOOP,
	MEMORY_PRESSURE,
	NO_CERTIFICATE,
	NO_ROUTE,
	NO_TUNNEL,
	REJECTED,
	TLS_FAILED,
	UPSTREAM_DOWN,
} from "../records/reasons.js";
import type { RoutingContext } from "../routing/context.js";
import { EXCHANGES } from "../table/marks.js";
import { answer, end, lastAnswer, type Next } from "../table/next.js";
import type { Session } from "../table/numbers.js";
import { isSecured } from "../wire/tls.js";

/** Tells the client why it is refused, if there is a way to; it ends once it has heard, or may ask for something else. */
export function refuseInItsWords(core: RoutingContext, session: Session, reason: number): Next {
	const protocol = u8(core.table.protocol, session);
	const status = protocol === PROTOCOL_HTTP ? STATUSES.get(reason) : undefined;
	if (status !== undefined) {
		const isRequest = (i32(core.table.flags, session) & EXCHANGES) !== 0;
		return isRequest ? answer(status, reason) : lastAnswer(status, reason);
	}
	// Where requests are read, what is none is told so; a client of HTTP/2 in its own words, for it reads no others.
	if (TURNED_AWAY.has(reason) && core.listenerOf(session).plan.readsRequests) {
		if (protocol === PROTOCOL_OTHER) return lastAnswer(400, reason);
		if (protocol === PROTOCOL_H2C) return tell(core, session, HTTP_1_1_REQUIRED, reason);
	}
	// Where TLS is ours, an alert in the open would mean nothing.
	const told = protocol === PROTOCOL_TLS && !isSecured(core, session) ? TLS_ALERTS.get(reason) : undefined;
	return told === undefined ? end(reason) : tell(core, session, told, reason);
}

const STATUSES = new Map<number, AnswerStatus>([
	[BAD_REQUEST, 400],
	[REJECTED, 403],
	[NO_ROUTE, 404],
	[HANDSHAKE_TIMEOUT, 408],
	[LIMIT_RATE, 429],
	[CONNECT_REFUSED, 502],
	[TLS_FAILED, 502],
	[UPSTREAM_DOWN, 503],
	[NO_TUNNEL, 503],
	[LIMIT_CONNECTIONS, 503],
	[FD_PRESSURE, 503],
	[MEMORY_PRESSURE, 503],
	[CONNECT_TIMEOUT, 504],
	[LOOP, 508],
]);

/** Why what is no request ends where requests are read. */
const TURNED_AWAY: ReadonlySet<number> = new Set([BAD_REQUEST, NO_ROUTE, REJECTED]);

/**
 * What a server of HTTP/2 begins with, an empty SETTINGS frame, and GOAWAY: no stream was looked at, and the client is to
 * use HTTP/1.1 (RFC 9113, 3.4, 6.8 and 7).
 */
const HTTP_1_1_REQUIRED = Uint8Array.of(
	...[0, 0, 0, 4, 0, 0, 0, 0, 0],
	...[0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x0d],
);

const ALERT_INTERNAL_ERROR = 80;
const ALERT_UNRECOGNIZED_NAME = 112;

const TLS_ALERTS = new Map<number, Uint8Array>([
	[NO_ROUTE, alert(ALERT_UNRECOGNIZED_NAME)],
	[NO_CERTIFICATE, alert(ALERT_UNRECOGNIZED_NAME)],
	[NO_TUNNEL, alert(ALERT_UNRECOGNIZED_NAME)],
	[REJECTED, alert(ALERT_UNRECOGNIZED_NAME)],
	[CONNECT_REFUSED, alert(ALERT_INTERNAL_ERROR)],
	[LIMIT_CONNECTIONS, alert(ALERT_INTERNAL_ERROR)],
	[LIMIT_RATE, alert(ALERT_INTERNAL_ERROR)],
	[TLS_FAILED, alert(ALERT_INTERNAL_ERROR)],
	[CONNECT_TIMEOUT, alert(ALERT_INTERNAL_ERROR)],
	[UPSTREAM_DOWN, alert(ALERT_INTERNAL_ERROR)],
	[LOOP, alert(ALERT_INTERNAL_ERROR)],
]);

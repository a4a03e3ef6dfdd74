/**
 * A client that is refused before anything was relayed is told why, in its own protocol: a TLS alert
 * (RFC 8446, section 6) or a short HTTP response (RFC 9110, section 15).
 */
import { EAGAIN, EINTR } from "../../kernel/constants.js";
import { at } from "../../parts/at.js";
import { NONE } from "../../parts/none.js";
import { type AnswerStatus, answer as prepared } from "../../protocol/http/answers.js";
import { NO_CAUSE } from "../../protocol/http/causes.js";
import { METHOD_HEAD } from "../../protocol/http/methods.js";
import {
	tlsAlert as alert,
	PROTOCOL_H2C,
	PROTOCOL_HTTP,
	PROTOCOL_OTHER,
	PROTOCOL_TLS,
} from "../../protocol/index.js";
import { type Core, SCRATCH_BYTES } from "../core.js";
import { close } from "../end/close.js";
import { answerRequest } from "../modes/http1/answer.js";
import { logOwnAnswer } from "../modes/http1/log.js";
import {
	BAD_REQUEST,
	CONNECT_REFUSED,
	CONNECT_TIMEOUT,
	FD_PRESSURE,
	HANDSHAKE_TIMEOUT,
	LOOP,
	MEMORY_PRESSURE,
	NO_CERTIFICATE,
	NO_ROUTE,
	REJECTED,
	STALL_TIMEOUT,
	TLS_FAILED,
	UNRECOGNIZED,
	UPSTREAM_DOWN,
} from "../records/reasons.js";
import { CLOSING, EXCHANGES, HAD_REQUESTS, REFUSED, REQUEST } from "../table/table.js";
import {
	block,
	keep,
	leave,
	lifetimeDeadline,
	lookAtBoth,
	mayKeep,
	moved,
	send,
	stallDeadline,
} from "../wire/outbox.js";
import { lowerWater } from "../wire/socket-options.js";
import { isSecured } from "../wire/transport.js";

/**
 * How long a client that was told may go on saying what it was saying. Closing at once would answer its
 * next byte with a reset, and a reset destroys the answer before it is read.
 */
const LINGER_MS = 1_000;

/** Reads per turn: one that pours must not keep the others waiting. */
const READS_PER_TURN = 16;

/** Tells the client why it is refused, if there is a way to; it is closed once it has heard, or may ask for something else. */
export function refuse(core: Core, client: number, reason: number): void {
	const protocol = at(core.table.protocol, client);
	const status = protocol === PROTOCOL_HTTP ? STATUSES.get(reason) : undefined;
	// Where TLS is ours, an alert in the open would mean nothing.
	const told = protocol === PROTOCOL_TLS && !isSecured(core, client) ? TLS_ALERTS.get(reason) : undefined;
	const isExchange = (at(core.table.flags, client) & EXCHANGES) !== 0;
	const isNoRequest = TURNED_AWAY.has(reason) && core.listenerOf(client).plan.readsRequests;
	if (status !== undefined && isExchange) answerRequest(core, client, status, reason);
	else if (status !== undefined) answerAndClose(core, client, status, reason);
	// Where requests are read, what is none is told so; a client of HTTP/2 in its own words, for it reads no others.
	else if (isNoRequest && protocol === PROTOCOL_OTHER) answerAndClose(core, client, 400, reason);
	else if (isNoRequest && protocol === PROTOCOL_H2C) tell(core, client, HTTP_1_1_REQUIRED, reason);
	else if (told !== undefined) tell(core, client, told, reason);
	else close(core, client, reason);
}

/** Tells a client that begins TLS as nobody can go on with it why that is, by an alert. */
export function refuseHello(core: Core, client: number, told: Uint8Array): void {
	tell(core, client, told, UNRECOGNIZED);
}

/** Answers a request with a status of our own, and closes once the client has heard. */
export function answerAndClose(core: Core, client: number, status: AnswerStatus, reason: number): void {
	// Only a listener that takes requests one by one knows their method.
	const hadRequests = (at(core.table.flags, client) & HAD_REQUESTS) !== 0;
	const isHead = hadRequests && at(core.exchanges.method, client) === METHOD_HEAD;
	const answer = prepared(status, true, isHead);
	if (core.listenerOf(client).plan.readsRequests) countAnswer(core, client, status, reason, answer.length);
	tell(core, client, answer, reason);
}

/** Counts an answer of our own, of so many bytes, and logs it if it is due. */
export function countAnswer(core: Core, client: number, status: number, reason: number, bytes: number): void {
	const { counters, table } = core;
	const hadRequests = (at(table.flags, client) & HAD_REQUESTS) !== 0;
	const isRouted = hadRequests && at(core.exchanges.startedMs, client) > 0;
	counters.requestAnswered(isRouted ? at(table.route, client) : NONE, at(table.listener, client), status);
	const isRefusal = status >= 400;
	if (isRefusal) counters.requestRefused(reason);
	if (isRouted) counters.upstreamFailed(at(table.upstream, client), status, reason);
	logOwnAnswer(core, client, isRouted, status, isRefusal ? reason : NONE, bytes);
	core.messageCause = NO_CAUSE;
}

function tell(core: Core, client: number, answer: Uint8Array, reason: number): void {
	const { table, kernel } = core;
	lowerWater(core, client);
	const emptied = emptySocket(core, client);
	kernel.memory.set(answer, 0);
	// A socket that has nothing to send takes it whole; if it is gone already, nobody is left to tell.
	const sent = send(core, client, 0, answer.length);
	if (sent > 0) moved(core, client, sent);
	if (sent >= 0 && sent < answer.length && emptied !== ENDED && mayKeep(core)) {
		tellLater(core, client, sent, answer.length, reason);
		return;
	}
	table.state[client] = REFUSED;
	table.reason[client] = reason;
	// Whoever never came to ask for anything has had its time.
	if (reason === HANDSHAKE_TIMEOUT || emptied === ENDED) close(core, client, reason);
	else linger(core, client, reason, emptied === MORE);
}

/** Earlier answers fill its socket: this one waits for its turn, and the connection ends then. */
function tellLater(core: Core, client: number, from: number, to: number, reason: number): void {
	keep(core, client, from, to - from);
	block(core, client);
	closeWhenTaken(core, client, reason);
}

/** It ends when it has taken what waits for it. */
function closeWhenTaken(core: Core, client: number, reason: number): void {
	const { table, wheel } = core;
	table.state[client] = REQUEST;
	table.flags[client] = at(table.flags, client) | CLOSING;
	table.reason[client] = reason;
	wheel.arm(client, core.nowMs + core.policyOf(client).stallMs);
}

/** Ends our direction. The client has a second to end its own, or to hear what was said last. */
export function lingerThenClose(core: Core, client: number, reason: number): void {
	const emptied = emptySocket(core, client);
	if (emptied !== ENDED) {
		linger(core, client, reason, emptied === MORE);
		return;
	}
	// It was told, and what it was told has only just gone: that is not to be destroyed by a reset.
	core.table.state[client] = REFUSED;
	core.table.reason[client] = reason;
	close(core, client, reason);
}

function linger(core: Core, client: number, reason: number, hasMore: boolean): void {
	const { table, kernel } = core;
	if (!leave(core, client)) {
		closeWhenTaken(core, client, reason);
		return;
	}
	if (kernel.shutdownWrite(at(table.fd, client)) < 0) {
		close(core, client, reason);
		return;
	}
	table.state[client] = REFUSED;
	table.reason[client] = reason;
	core.wheel.arm(client, core.nowMs + LINGER_MS);
	if (hasMore) core.enqueue(client);
}

/** A client that was told goes on, ends, or lets its time pass. */
export function refused(core: Core, client: number, timedOut: boolean): void {
	if (timedOut && hears(core, client)) return;
	const emptied = timedOut ? ENDED : emptySocket(core, client);
	if (emptied === ENDED) close(core, client, at(core.table.reason, client));
	else if (emptied === MORE) core.enqueue(client);
}

/**
 * Its second is over, but it is still taking what it was told, a long last answer for one: it may, within its lifetime
 * and for as long as it acknowledges something within `stall`. Closed now, its next byte would be answered by a reset
 * (RFC 9112, 9.6).
 */
function hears(core: Core, client: number): boolean {
	if (core.kernel.undelivered(at(core.table.fd, client)) <= 0) return false;
	if (lifetimeDeadline(core, client) <= core.nowMs) return false;
	lookAtBoth(core, client);
	if (stallDeadline(core, client) <= core.nowMs) {
		close(core, client, STALL_TIMEOUT);
		return true;
	}
	core.wheel.arm(client, core.nowMs + LINGER_MS);
	return true;
}

const EMPTY = 0;
const MORE = 1;
const ENDED = 2;

/** Throws away what has come: all of it, a turn's share, or up to the client's end. */
function emptySocket(core: Core, client: number): number {
	const fd = at(core.table.fd, client);
	for (let read = 0; read < READS_PER_TURN; read++) {
		const count = core.kernel.discard(fd, SCRATCH_BYTES);
		if (count === -EAGAIN) return EMPTY;
		if (count <= 0 && count !== -EINTR) return ENDED;
	}
	return MORE;
}

const STATUSES = new Map<number, AnswerStatus>([
	[BAD_REQUEST, 400],
	[REJECTED, 403],
	[NO_ROUTE, 404],
	[HANDSHAKE_TIMEOUT, 408],
	[CONNECT_REFUSED, 502],
	[TLS_FAILED, 502],
	[UPSTREAM_DOWN, 503],
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
	[REJECTED, alert(ALERT_UNRECOGNIZED_NAME)],
	[CONNECT_REFUSED, alert(ALERT_INTERNAL_ERROR)],
	[TLS_FAILED, alert(ALERT_INTERNAL_ERROR)],
	[CONNECT_TIMEOUT, alert(ALERT_INTERNAL_ERROR)],
	[UPSTREAM_DOWN, alert(ALERT_INTERNAL_ERROR)],
	[LOOP, alert(ALERT_INTERNAL_ERROR)],
]);

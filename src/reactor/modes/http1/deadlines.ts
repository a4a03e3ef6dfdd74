/** What a client that is read request by request may take its time for. */
import { at } from "../../../parts/at.js";
import type { Core } from "../../core.js";
import { close } from "../../end/close.js";
import {
	HALF_CLOSED_TIMEOUT,
	HANDSHAKE_TIMEOUT,
	IDLE_TIMEOUT,
	LIFETIME,
	REQUEST_TIMEOUT,
	RESPONSE_TIMEOUT,
	STALL_TIMEOUT,
} from "../../records/reasons.js";
import { answerAndClose, lingerThenClose } from "../../steps/refuse.js";
import { ENDING } from "../../table/table.js";
import {
	lifetimeDeadline,
	lookAtBoth,
	nextLook,
	stallDeadline,
	unlessQueued,
	waitsSince,
} from "../../wire/outbox.js";
import { ANSWERED, AWAITS_CONTINUE, KEEPS_CLIENT, REQUEST_CUT, REQUEST_SENT } from "./columns.js";
import { isBlocked, refuseAmid } from "./finish.js";

/** A request body is measured over so long. */
const RATE_WINDOW_MS = 10_000;

/**
 * A deadline that fires too soon is looked at again, and costs less than moving one with each request: what is armed
 * already stays, unless something may be due before it. Stall arms for itself, when a side takes no more.
 */
function isArmedBefore(core: Core, client: number, dueMs: number): boolean {
	const armedMs = at(core.table.deadlineMs, client);
	return armedMs !== 0 && armedMs <= Math.min(dueMs, lifetimeDeadline(core, client));
}

export function armRequest(core: Core, client: number): void {
	if (isArmedBefore(core, client, headDeadline(core, client))) return;
	core.wheel.arm(client, Math.min(requestDeadline(core, client), nextLook(core, client)));
}

export function armExchange(core: Core, client: number): void {
	const dueMs = Math.min(
		bodyDeadline(core, client),
		answerDeadline(core, client),
		silenceDeadline(core, client),
	);
	if (isArmedBefore(core, client, dueMs)) return;
	core.wheel.arm(client, Math.min(exchangeDeadline(core, client), nextLook(core, client)));
}

/** Between requests: the next head's, from its first byte; or how long a connection may wait for one. */
function requestDeadline(core: Core, client: number): number {
	const lastMs = lastDeadline(core, client, isBlocked(core, client));
	return Math.min(headDeadline(core, client), stallDeadline(core, client), lastMs);
}

function headDeadline(core: Core, client: number): number {
	const { table, exchanges } = core;
	const policy = core.policyOf(client);
	// Who has not got the last answer yet is not idle, and no head is waited for.
	if (isBlocked(core, client)) return Number.POSITIVE_INFINITY;
	if (at(exchanges.requests, client) === 0) return at(table.acceptedMs, client) + policy.handshakeMs;
	const headMs = at(exchanges.headMs, client);
	const dueMs = headMs > 0 ? headMs + policy.requestHeadMs : at(table.activeMs, client) + policy.keepAliveMs;
	return unlessQueued(core, client, dueMs);
}

/** The deadline of a connection between requests passed. */
export function requestTimedOut(core: Core, client: number): void {
	const lookAgainMs = lookAtBoth(core, client);
	const deadlineMs = requestDeadline(core, client);
	if (deadlineMs > core.nowMs) core.wheel.arm(client, Math.min(deadlineMs, lookAgainMs));
	else if (stallDeadline(core, client) <= core.nowMs) close(core, client, STALL_TIMEOUT);
	else if (isBlocked(core, client)) close(core, client, LIFETIME);
	else if (at(core.exchanges.headMs, client) > 0) answerAndClose(core, client, 408, REQUEST_TIMEOUT);
	else if (lifetimeDeadline(core, client) <= core.nowMs) lingerThenClose(core, client, LIFETIME);
	// Behind TLS, whose handshake was all that it ever said.
	else if (at(core.exchanges.requests, client) === 0) close(core, client, HANDSHAKE_TIMEOUT);
	else lingerThenClose(core, client, IDLE_TIMEOUT);
}

function exchangeDeadline(core: Core, client: number): number {
	return Math.min(
		bodyDeadline(core, client),
		answerDeadline(core, client),
		silenceDeadline(core, client),
		exchangeStall(core, client),
		lastDeadline(core, client, !core.exchanges.has(client, KEEPS_CLIENT)),
	);
}

/** No byte in either direction; another time when the client has ended its own: it may have left. */
function silenceDeadline(core: Core, client: number): number {
	const { idleMs, halfClosedMs } = core.policyOf(client);
	const silentMs = hasEnded(core, client) ? halfClosedMs : idleMs;
	return unlessQueued(core, client, at(core.table.activeMs, client) + silentMs);
}

function hasEnded(core: Core, client: number): boolean {
	return (at(core.table.flags, client) & ENDING) !== 0;
}

/** An upstream that is broken takes nothing more, which is no stall: what it said before is still passed on. */
function exchangeStall(core: Core, client: number): number {
	const isCut = core.exchanges.has(client, REQUEST_CUT);
	return isCut ? waitsSince(core, client) + core.policyOf(client).stallMs : stallDeadline(core, client);
}

/** Nobody is cut in the middle of an answer: from its lifetime on that is the last, and has `stall` to come to its end. */
function lastDeadline(core: Core, client: number, isLast: boolean): number {
	return lifetimeDeadline(core, client) + (isLast ? core.policyOf(client).stallMs : 0);
}

/** While the request's body comes: when its rate is judged next. */
function bodyDeadline(core: Core, client: number): number {
	const { exchanges } = core;
	const isOver = REQUEST_SENT | REQUEST_CUT | ANSWERED;
	if (exchanges.has(client, isOver | AWAITS_CONTINUE)) return Number.POSITIVE_INFINITY;
	if (bodyRate(core, client) === 0) return Number.POSITIVE_INFINITY;
	return unlessQueued(core, client, at(exchanges.rateMs, client) + RATE_WINDOW_MS);
}

/** Bytes per second; 0: the body may pause. */
function bodyRate(core: Core, client: number): number {
	return core.rulesOf(client).bodyBytesPerSecond ?? core.policyOf(client).bodyBytesPerSecond;
}

/** While the request is sent and not answered; or its head, when the client waits to be asked for the rest. */
function answerDeadline(core: Core, client: number): number {
	const { exchanges } = core;
	const waits = REQUEST_SENT | REQUEST_CUT | AWAITS_CONTINUE;
	if (exchanges.has(client, ANSWERED) || !exchanges.has(client, waits)) return Number.POSITIVE_INFINITY;
	return at(exchanges.sentMs, client) + core.policyOf(client).responseHeadMs;
}

/** The deadline of an exchange passed. */
export function exchangeTimedOut(core: Core, client: number): void {
	const { table, exchanges } = core;
	const link = at(table.peer, client);
	const lookAgainMs = lookAtBoth(core, client);
	if (bodyDeadline(core, client) <= core.nowMs && !renewBodyRate(core, client, link)) {
		refuseAmid(core, client, link, 408, REQUEST_TIMEOUT);
		return;
	}
	const deadlineMs = exchangeDeadline(core, client);
	if (deadlineMs > core.nowMs) core.wheel.arm(client, Math.min(deadlineMs, lookAgainMs));
	else if (answerDeadline(core, client) <= core.nowMs) refuseAmid(core, client, link, 504, RESPONSE_TIMEOUT);
	else if (exchangeStall(core, client) <= core.nowMs) close(core, client, STALL_TIMEOUT);
	else if (lifetimeDeadline(core, client) > core.nowMs)
		close(core, client, hasEnded(core, client) ? HALF_CLOSED_TIMEOUT : IDLE_TIMEOUT);
	else if (exchanges.has(client, KEEPS_CLIENT)) {
		exchanges.clear(client, KEEPS_CLIENT);
		armExchange(core, client);
	} else close(core, client, LIFETIME);
}

/** Whether enough of the body came since it was judged last. An upstream that does not take it is not the client's fault. */
function renewBodyRate(core: Core, client: number, link: number): boolean {
	const { table, exchanges } = core;
	const sent = at(table.sent, link);
	const wanted = (bodyRate(core, client) * (core.nowMs - at(exchanges.rateMs, client))) / 1_000;
	const isEnough = sent - at(exchanges.rateSent, client) >= wanted || isBlocked(core, link);
	exchanges.rateMs[client] = core.nowMs;
	exchanges.rateSent[client] = sent;
	return isEnough;
}

/** Until when a client that is read request by request may take its time: what is due, and when the wheel is to fire for it. */

import { f64, i32, u8 } from "../../../parts/at.js";
import { ENDING } from "../../table/marks.js";
import type { Link, Session } from "../../table/numbers.js";
import {
	handshakeDeadline,
	lifetimeDeadline,
	nextLook,
	stallDeadline,
	unlessQueued,
	waitsSince,
} from "../../wire/liveness.js";
import { isBlocked } from "../../wire/outbox.js";
import { wasHeldSince } from "../../wire/pace.js";
import { AWAITS_CONTINUE, KEEPS_CLIENT, OFFERED, REQUEST_CUT, REQUEST_SENT } from "./columns.js";
import type { Http1Context } from "./context.js";

/** A request body is measured over so long. */
const RATE_WINDOW_MS = 10_000;

/**
 * A deadline that fires too soon is looked at again, and costs less than moving one with each request: what is armed
 * already stays, unless something may be due before it. Stall arms for itself, when a side takes no more.
 */
function isArmedBefore(core: Http1Context, client: Session, dueMs: number): boolean {
	const armedMs = core.wheel.deadlineOf(client);
	return armedMs !== 0 && armedMs <= Math.min(dueMs, lifetimeDeadline(core, client));
}

export function armRequest(core: Http1Context, client: Session): void {
	if (isArmedBefore(core, client, headDeadline(core, client))) return;
	core.wheel.arm(client, Math.min(requestDeadline(core, client), nextLook(core, client)));
}

export function armExchange(core: Http1Context, client: Session): void {
	const dueMs = Math.min(
		bodyDeadline(core, client),
		answerDeadline(core, client),
		silenceDeadline(core, client),
	);
	if (isArmedBefore(core, client, dueMs)) return;
	core.wheel.arm(client, Math.min(exchangeDeadline(core, client), nextLook(core, client)));
}

/** Between requests: the next head's, from its first byte; or how long a connection may wait for one. */
export function requestDeadline(core: Http1Context, client: Session): number {
	const lastMs = lastDeadline(core, client, isBlocked(core, client));
	return Math.min(headDeadline(core, client), stallDeadline(core, client), lastMs);
}

function headDeadline(core: Http1Context, client: Session): number {
	const { table, exchanges } = core;
	const policy = core.policyOf(client);
	// A client that has not taken the last answer yet is not idle, and no head is waited for.
	if (isBlocked(core, client)) return Number.POSITIVE_INFINITY;
	if (i32(exchanges.requests, client) === 0) return handshakeDeadline(core, client);
	const headMs = f64(exchanges.headMs, client);
	const dueMs =
		headMs > 0 ? headMs + policy.requestHeadMs : table.activeMs(client, core.nowMs) + policy.keepAliveMs;
	return unlessQueued(core, client, dueMs);
}

export function exchangeDeadline(core: Http1Context, client: Session): number {
	return Math.min(
		bodyDeadline(core, client),
		answerDeadline(core, client),
		silenceDeadline(core, client),
		exchangeStall(core, client),
		lastDeadline(core, client, isLastAnswer(core, client)),
	);
}

/** No byte in either direction; another time when the client has ended its own: it may have left. */
function silenceDeadline(core: Http1Context, client: Session): number {
	const { idleMs, halfClosedMs } = core.policyOf(client);
	const silentMs = hasEnded(core, client) ? halfClosedMs : idleMs;
	return unlessQueued(core, client, core.table.activeMs(client, core.nowMs) + silentMs);
}

export function hasEnded(core: Http1Context, client: Session): boolean {
	return (i32(core.table.flags, client) & ENDING) !== 0;
}

/** An upstream that is broken takes nothing more, which is no stall: what it said before is still passed on. */
export function exchangeStall(core: Http1Context, client: Session): number {
	const isCut = core.exchanges.has(client, REQUEST_CUT);
	return isCut ? waitsSince(core, client) + core.policyOf(client).stallMs : stallDeadline(core, client);
}

/** The lifetime does not cut an answer: the one that is under way then is the last, and has `stall` to end. */
function lastDeadline(core: Http1Context, client: Session, isLast: boolean): number {
	return lifetimeDeadline(core, client) + (isLast ? core.policyOf(client).stallMs : 0);
}

/**
 * Its answer is the last, or may be as far as its lifetime goes: what was offered of its head stays as it was, for TLS may have
 * encrypted it.
 */
export function isLastAnswer({ exchanges }: Http1Context, client: Session): boolean {
	return !exchanges.has(client, KEEPS_CLIENT) || u8(exchanges.answer, client) === OFFERED;
}

/** While the request's body comes: when its rate is judged next. */
export function bodyDeadline(core: Http1Context, client: Session): number {
	const { exchanges } = core;
	if (exchanges.isAnswered(client)) return Number.POSITIVE_INFINITY;
	if (exchanges.has(client, REQUEST_SENT | REQUEST_CUT | AWAITS_CONTINUE)) return Number.POSITIVE_INFINITY;
	if (bodyRate(core, client) === 0) return Number.POSITIVE_INFINITY;
	return unlessQueued(core, client, f64(exchanges.rateMs, client) + RATE_WINDOW_MS);
}

/** Bytes per second; 0: the body may pause. */
function bodyRate(core: Http1Context, client: Session): number {
	return core.exchanges.rulesOf(client).bodyBytesPerSecond ?? core.policyOf(client).bodyBytesPerSecond;
}

/** While the request is sent and not answered; or its head, when the client waits to be asked for the rest. */
export function answerDeadline(core: Http1Context, client: Session): number {
	const { exchanges } = core;
	const waits = REQUEST_SENT | REQUEST_CUT | AWAITS_CONTINUE;
	if (exchanges.isAnswered(client) || !exchanges.has(client, waits)) return Number.POSITIVE_INFINITY;
	return unlessQueued(core, client, f64(exchanges.sentMs, client) + core.policyOf(client).responseHeadMs);
}

/** From now on, bytes of the request's body are expected. */
export function beginRate(core: Http1Context, client: Session, link: Link): void {
	const { exchanges } = core;
	exchanges.clear(client, AWAITS_CONTINUE);
	exchanges.rateMs[client] = core.nowMs;
	exchanges.rateSent[client] = f64(core.table.sent, link);
	armExchange(core, client);
}

/** Whether enough of the body came since it was judged last. An upstream that does not take it is not the client's fault, nor is its rate here. */
export function renewBodyRate(core: Http1Context, client: Session, link: Link): boolean {
	const { table, exchanges } = core;
	const sent = f64(table.sent, link);
	const wanted = (bodyRate(core, client) * (core.nowMs - f64(exchanges.rateMs, client))) / 1_000;
	const wasHeld = wasHeldSince(core, client, f64(exchanges.rateMs, client));
	const isEnough = sent - f64(exchanges.rateSent, client) >= wanted || isBlocked(core, link) || wasHeld;
	exchanges.rateMs[client] = core.nowMs;
	exchanges.rateSent[client] = sent;
	return isEnough;
}

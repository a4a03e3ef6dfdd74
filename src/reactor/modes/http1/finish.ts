/**
 * How an exchange ends: its upstream connection goes back to the pool or is given up, and the client goes on to its
 * next request, is answered by us, or ends.
 */
import { EPIPE } from "../../../kernel/constants.js";
import { at } from "../../../parts/at.js";
import { NONE } from "../../../parts/none.js";
import type { AnswerStatus } from "../../../protocol/http/answers.js";
import { FRAMING_CLOSE } from "../../../protocol/http/framing.js";
import {
	METHOD_DELETE,
	METHOD_GET,
	METHOD_HEAD,
	METHOD_OPTIONS,
	METHOD_PUT,
	METHOD_TRACE,
} from "../../../protocol/http/methods.js";
import type { Core } from "../../core.js";
import { close } from "../../end/close.js";
import { keepOwned } from "../../links/owned.js";
import { giveBack, isOwned, returnSpent } from "../../links/pool.js";
import { CLIENT_CLOSED, DRAINED, LIFETIME, RECYCLED, UPSTREAM_CLOSED } from "../../records/reasons.js";
import { RECYCLED_CUT, RECYCLED_STALE, RECYCLED_UPSTREAM_SAID } from "../../records/recycle-reasons.js";
import { dial } from "../../steps/dial.js";
import { lingerThenClose } from "../../steps/refuse.js";
import { BLOCKED, CLOSING, ENDING, READABLE, REQUEST } from "../../table/table.js";
import { lifetimeDeadline } from "../../wire/outbox.js";
import { answerRequest } from "./answer.js";
import {
	ANSWERED,
	KEEPS_CLIENT,
	KEEPS_UPSTREAM,
	REQUEST_CUT,
	REQUEST_SENT,
	RETRIED,
	REUSED,
	UPSTREAM_CUT,
	WIDENED,
} from "./columns.js";
import { armExchange, armRequest } from "./deadlines.js";
import { logAnswered } from "./log.js";
import { drainClient } from "./news.js";
import { readResponse } from "./read-response.js";
import { requestOver } from "./send-request.js";

/** The answer is complete: the upstream's connection goes back, and the client's goes on or ends. */
export function finish(core: Core, client: number, link: number): void {
	const { table, exchanges } = core;
	count(core, client);
	const isWhole = exchanges.has(client, REQUEST_SENT) && (at(table.flags, link) & (BLOCKED | ENDING)) === 0;
	release(core, client);
	if (isWhole && exchanges.has(client, KEEPS_UPSTREAM)) {
		if (isOwned(core, link)) keepOwned(core, client, link);
		else giveBack(core, link);
	} else returnSpent(core, link, isWhole ? RECYCLED_UPSTREAM_SAID : RECYCLED_CUT);
	if (!exchanges.has(client, KEEPS_CLIENT) || !exchanges.has(client, REQUEST_SENT)) {
		endClient(core, client);
		return;
	}
	nextRequest(core, client);
}

/** The client no longer holds an upstream connection: whoever closes it now has none to return. */
function release(core: Core, client: number): void {
	const { table, board, exchanges } = core;
	table.state[client] = REQUEST;
	exchanges.sentBefore[client] = at(exchanges.sentBefore, client) + at(table.sent, at(table.peer, client));
	board.leave(at(table.address, client));
	table.address[client] = NONE;
	table.peer[client] = NONE;
}

/** The client's connection goes on: another request may come, or has come. */
export function nextRequest(core: Core, client: number): void {
	const { table, exchanges } = core;
	table.activeMs[client] = core.nowMs;
	exchanges.nextRequest(client);
	armRequest(core, client);
	// Whoever pipelines has sent the next one; the others have their turn first.
	if ((at(table.flags, client) & READABLE) !== 0) core.enqueue(client);
	else if (core.draining) drainClient(core, client);
}

/** The last answer of a connection: once it is taken, our direction ends, and the client has a second to follow. */
function endClient(core: Core, client: number): void {
	const { table } = core;
	const reason = whyEnded(core, client);
	if ((at(table.flags, client) & BLOCKED) !== 0) {
		table.flags[client] = at(table.flags, client) | CLOSING;
		table.reason[client] = reason;
		armRequest(core, client);
	} else lingerThenClose(core, client, reason);
}

function whyEnded(core: Core, client: number): number {
	const { exchanges } = core;
	if (core.draining) return DRAINED;
	if (lifetimeDeadline(core, client) <= core.nowMs) return LIFETIME;
	// Answered before all of it was sent: what is left of it may come or not, so nothing can follow.
	const isEarly = !exchanges.has(client, REQUEST_SENT);
	if (isEarly || at(exchanges.response.framing, client) === FRAMING_CLOSE) return UPSTREAM_CLOSED;
	const { requestsPerConnection } = core.listenerOf(client).plan.http;
	return at(exchanges.requests, client) >= requestsPerConnection ? RECYCLED : CLIENT_CLOSED;
}

/** Counts and logs a request that was answered by its upstream. */
export function count(core: Core, client: number): void {
	logAnswered(core, client);
	const { table, exchanges, counters } = core;
	counters.requestServed(
		at(table.route, client),
		at(table.listener, client),
		at(exchanges.status, client),
		core.nowMs - at(exchanges.startedMs, client),
	);
}

/**
 * Whether what a lent connection says now was said before it was asked, and is no answer: when it is news of the wait behind
 * which it was lent, for all that a wait reports was there before anything is lent behind it; and while it has heard nothing
 * of the request.
 * What it says between the end of the wait and the sending of the request is not told apart (docs/reliability.md).
 */
export function wasSaidBefore(core: Core, client: number, link: number): boolean {
	const { table, exchanges } = core;
	if (at(exchanges.lentWait, link - table.sessions) === core.wait) return true;
	return at(table.sent, link) === 0 && exchanges.has(client, REUSED);
}

/** The upstream takes nothing more. It has heard enough, and may have said why: an early answer, then a reset, is common. */
export function upstreamBroke(core: Core, client: number, link: number): void {
	const { flags } = core.table;
	if (wasSaidBefore(core, client, link)) {
		upstreamFailed(core, client, link);
		return;
	}
	requestOver(core, client, REQUEST_CUT);
	// Behind an end of its stream a reset is a broken pipe, and what came before that end is whole.
	if (core.sendErrno !== EPIPE) core.exchanges.set(client, UPSTREAM_CUT);
	flags[link] = at(flags, link) | READABLE | ENDING;
	armExchange(core, client);
	readResponse(core, client, link);
}

/** The upstream's connection broke, or ended, before it answered. */
export function upstreamFailed(core: Core, client: number, link: number): void {
	const { exchanges } = core;
	const isKept = at(exchanges.headBytes, client) > 0;
	const isSafe = SAFE_METHODS.has(at(exchanges.method, client));
	if (isKept && isSafe && exchanges.has(client, REUSED) && !exchanges.has(client, RETRIED)) {
		// It had been closed while it was idle, which is nobody's fault.
		release(core, client);
		returnSpent(core, link, RECYCLED_STALE);
		exchanges.set(client, RETRIED);
		exchanges.clear(client, REQUEST_SENT | REQUEST_CUT | UPSTREAM_CUT | WIDENED);
		core.table.tried[client] = 0;
		core.table.attempts[client] = 0;
		dial(core, client);
		return;
	}
	refuseAmid(core, client, link, 502, UPSTREAM_CLOSED);
}

/** Requests that may be sent once more: RFC 9110, 9.2.2. */
export const SAFE_METHODS: ReadonlySet<number> = new Set([
	METHOD_GET,
	METHOD_HEAD,
	METHOD_OPTIONS,
	METHOD_TRACE,
	METHOD_PUT,
	METHOD_DELETE,
]);

/** Gives the upstream connection up before anything was sent on it. */
export function abandon(core: Core, client: number, link: number): void {
	release(core, client);
	if (isOwned(core, link)) keepOwned(core, client, link);
	else giveBack(core, link);
}

/** Ends an exchange with an answer of our own; or the session, with a reset when the upstream's has begun. */
export function refuseAmid(
	core: Core,
	client: number,
	link: number,
	status: AnswerStatus,
	reason: number,
): void {
	if (core.exchanges.has(core.table.clientOf(client), ANSWERED) || isBlocked(core, client)) {
		close(core, client, reason);
		return;
	}
	release(core, client);
	returnSpent(core, link, RECYCLED_CUT);
	answerRequest(core, client, status, reason);
}

export function isBlocked(core: Core, slot: number): boolean {
	return (at(core.table.flags, slot) & BLOCKED) !== 0;
}

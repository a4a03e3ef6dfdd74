/**
 * How an exchange ends: its upstream connection goes back to the pool or is given up, and the client goes on to its
 * next request, is answered by us, or ends.
 */

import { ECONNABORTED, EPIPE } from "../../../kernel/constants.js";
import { f64, i32, ref, setRef, u8, u16, u32 } from "../../../parts/at.js";
import { NO_CAUSE } from "../../../protocol/http/causes.js";
import { FRAMING_CLOSE } from "../../../protocol/http/framing.js";
import {
	METHOD_DELETE,
	METHOD_GET,
	METHOD_HEAD,
	METHOD_OPTIONS,
	METHOD_PUT,
	METHOD_TRACE,
} from "../../../protocol/http/methods.js";
import { failed } from "../../end/failure.js";
import { flushThenEnd, lingerThenEnd } from "../../end/linger.js";
import { keepOwned } from "../../links/owned.js";
import { giveBack, isOwned, returnSpent, takenOut } from "../../links/pool.js";
import {
	CLIENT_CLOSED,
	DRAINED,
	LIFETIME,
	RECYCLED,
	UPSTREAM_CLOSED,
	UPSTREAM_DOWN,
} from "../../records/reasons.js";
import { RECYCLED_CUT, RECYCLED_STALE, RECYCLED_UPSTREAM_SAID } from "../../records/recycle-reasons.js";
import { holdTo, LISTENERS } from "../../routing/hold.js";
import { AHEAD, BLOCKED, ENDING, EXCHANGES, ONLY_NEW, READABLE, REPEATABLE } from "../../table/marks.js";
import { answer, DIAL_ON, end, type Next, READ_ANSWER, READ_ON, STAY, to } from "../../table/next.js";
import { type Link, NONE, type Session } from "../../table/numbers.js";
import { DIAL, EXCHANGE, REQUEST } from "../../table/states.js";
import { stamp } from "../../table/times.js";
import { lifetimeDeadline } from "../../wire/liveness.js";
import { isBlocked } from "../../wire/outbox.js";
import { discard } from "../../wire/transport.js";
import {
	KEEPS_CLIENT,
	KEEPS_UPSTREAM,
	REQUEST_CUT,
	REQUEST_SENT,
	REUSED,
	UPSTREAM_CUT,
	WIDENED,
} from "./columns.js";
import type { Http1Context } from "./context.js";
import { armExchange, armRequest } from "./deadlines.js";
import { logAnswered, logCut } from "./log.js";

/** The answer is complete: the upstream's connection goes back, and the client's goes on or ends. */
export function finish(core: Http1Context, client: Session, link: Link): Next {
	const { table, exchanges } = core;
	count(core, client);
	const isWhole = exchanges.has(client, REQUEST_SENT) && (i32(table.flags, link) & (BLOCKED | ENDING)) === 0;
	release(core, client);
	if (isWhole && exchanges.has(client, KEEPS_UPSTREAM)) {
		if (isOwned(core, link)) keepOwned(core, client, link, exchanges.has(client, KEEPS_CLIENT));
		else giveBack(core, link);
	} else returnSpent(core, link, isWhole ? RECYCLED_UPSTREAM_SAID : RECYCLED_CUT);
	const goesOn = exchanges.has(client, KEEPS_CLIENT) && exchanges.has(client, REQUEST_SENT);
	return goesOn ? nextRequest(core, client) : endClient(core, client);
}

/** The session no longer holds an upstream connection: when it ends from here on, there is none to return. */
function release(core: Http1Context, client: Session): void {
	const { table, board, links } = core;
	const link = table.linkOf(client);
	table.state[client] = REQUEST;
	links.sentBefore[client] = f64(links.sentBefore, client) + f64(table.sent, link);
	board.leave(ref(table.address, client));
	setRef(table.address, client, NONE);
	table.part(client, link);
}

/** The client's connection goes on: another request may come, or has come. */
export function nextRequest(core: Http1Context, client: Session): Next {
	const { table, exchanges } = core;
	table.active[client] = stamp(core.nowMs);
	exchanges.nextRequest(client);
	holdTo(core, client, LISTENERS);
	const flags = i32(table.flags, client) & ~(ONLY_NEW | REPEATABLE);
	table.flags[client] = flags;
	// What is there of the next head has not been looked at.
	if ((flags & AHEAD) !== 0) core.inboxes.sinceMs[client] = 0;
	armRequest(core, client);
	// A client that pipelines has sent its next request; other connections have their turn first.
	if ((flags & READABLE) !== 0) core.queue.add(client);
	else if (core.draining) return letGo(core, client);
	return STAY;
}

/**
 * A drain has begun: a client between requests is closed, unless its next request has come already, or an answer is
 * still to be taken. The others hear it with their answer.
 */
export function letGo({ table }: Http1Context, client: Session): Next {
	table.flags[client] = i32(table.flags, client) | READABLE;
	return READ_ON;
}

/** The last answer of a connection: once it is taken, our direction ends, and the client has a second to follow. */
function endClient(core: Http1Context, client: Session): Next {
	const reason = whyEnded(core, client);
	return isBlocked(core, client) ? flushThenEnd(core, client, reason) : lingerThenEnd(core, client, reason);
}

function whyEnded(core: Http1Context, client: Session): number {
	const { exchanges } = core;
	if (core.draining) return DRAINED;
	if (lifetimeDeadline(core, client) <= core.nowMs) return LIFETIME;
	// Answered before all of it was sent: what is left of it may come or not, so nothing can follow.
	const isEarly = !exchanges.has(client, REQUEST_SENT);
	if (isEarly || u8(exchanges.response.framing, client) === FRAMING_CLOSE) return UPSTREAM_CLOSED;
	const { requestsPerConnection } = core.listenerOf(client).plan.http;
	return i32(exchanges.requests, client) >= requestsPerConnection ? RECYCLED : CLIENT_CLOSED;
}

/** The request at hand was its connection's last: what follows is no HTTP, or an answer without an end. */
export function giveOver(core: Http1Context, client: Session, status: number): void {
	const { table, exchanges } = core;
	const head = i32(exchanges.headBytes, client);
	if (head > 0) discard(core, client, head);
	exchanges.headBytes[client] = 0;
	exchanges.status[client] = status;
	count(core, client);
	table.flags[client] = i32(table.flags, client) & ~EXCHANGES;
}

/** Counts and logs a request that was answered by its upstream. */
export function count(core: Http1Context, client: Session): void {
	logAnswered(core, client);
	const { table, exchanges, counters } = core;
	counters.requestServed(
		ref(table.route, client),
		u16(table.listener, client),
		u16(exchanges.status, client),
		core.nowMs - f64(exchanges.startedMs, client),
	);
}

/**
 * Whether what a lent connection says now was said before it was asked, and is no answer: when it is news of the wait behind
 * which it was lent, for all that a wait reports was there before anything is lent behind it; and while it has heard nothing
 * of the request.
 * What it says between the end of the wait and the sending of the request is not told apart (docs/reliability.md).
 */
export function wasSaidBefore(core: Http1Context, client: Session, link: Link): boolean {
	const { table, exchanges } = core;
	if (f64(core.links.lentWait, table.placeOf(link)) === core.wait) return true;
	return f64(table.sent, link) === 0 && exchanges.has(client, REUSED);
}

/**
 * The upstream takes nothing more. It has heard enough, and may have said why: an early answer, then a reset, is common.
 * `errno`: of the send that failed.
 */
export function upstreamBroke(core: Http1Context, client: Session, link: Link, errno: number): Next {
	const { flags } = core.table;
	if (wasSaidBefore(core, client, link)) return upstreamFailed(core, client, link);
	core.exchanges.requestOver(client, REQUEST_CUT, core.nowMs);
	// Behind an end of its stream a reset is a broken pipe, and what came before that end is whole.
	if (errno !== EPIPE) core.exchanges.set(client, UPSTREAM_CUT);
	flags[link] = i32(flags, link) | READABLE | ENDING;
	armExchange(core, client);
	return READ_ANSWER;
}

/** The upstream's connection broke, or ended, before it answered. */
export function upstreamFailed(core: Http1Context, client: Session, link: Link): Next {
	const { exchanges, table } = core;
	const isKept = i32(exchanges.headBytes, client) > 0;
	const isSafe = isSafeMethod(u8(exchanges.method, client));
	const isFresh = wasNotThere(core, client, link);
	if (!isKept || !isSafe || !exchanges.has(client, REUSED) || isFresh)
		return refuseAmid(core, client, link, 502, UPSTREAM_CLOSED);
	// The upstream had closed it while it was idle: that is no failure of its address.
	release(core, client);
	returnSpent(core, link, RECYCLED_STALE);
	table.flags[client] = i32(table.flags, client) | ONLY_NEW;
	// Its head is not at hand any more, also where a line is there for it at once.
	table.state[client] = DIAL;
	exchanges.clear(client, REQUEST_SENT | REQUEST_CUT | UPSTREAM_CUT | WIDENED);
	table.tried[client] = 0;
	table.attempts[client] = 0;
	return to(DIAL_ON, UPSTREAM_DOWN);
}

/**
 * A connection that did not wait for this request: it was made for it, or is a line that was parked since. Of a tunnel whose agent's
 * network has forgotten its lines each may have to be tried, and who comes waits for none of them twice.
 */
function wasNotThere({ table, links, exchanges }: Http1Context, client: Session, link: Link): boolean {
	const place = table.placeOf(link);
	if (u32(links.tunnel, place) === 0) return (i32(table.flags, client) & ONLY_NEW) !== 0;
	return f64(links.idleSinceMs, place) > f64(exchanges.startedMs, client);
}

/** Requests that may be sent once more: RFC 9110, 9.2.2. */
export function isSafeMethod(method: number): boolean {
	return method >= 0 && ((SAFE_METHODS >> method) & 1) !== 0;
}

/** A bit for each. */
const SAFE_METHODS = [
	METHOD_GET,
	METHOD_HEAD,
	METHOD_OPTIONS,
	METHOD_TRACE,
	METHOD_PUT,
	METHOD_DELETE,
].reduce((bits, method) => bits | (1 << method), 0);

/** Gives the upstream connection up before anything was sent on it. */
export function abandon(core: Http1Context, client: Session, link: Link): void {
	release(core, client);
	if (isOwned(core, link)) keepOwned(core, client, link, core.exchanges.has(client, KEEPS_CLIENT));
	else giveBack(core, link);
}

/** Ends an exchange with an answer of our own; or the session, with a reset when the upstream's has begun. */
export function refuseAmid(
	core: Http1Context,
	client: Session,
	link: Link,
	status: number,
	reason: number,
	cause = NO_CAUSE,
): Next {
	if (core.exchanges.isAnswered(client) || isBlocked(core, client)) return end(reason, cause);
	release(core, client);
	returnSpent(core, link, RECYCLED_CUT);
	return answer(status, reason, cause);
}

/**
 * The session ends, and a request that was under way with it: that is logged, and its upstream connection counted as not to be
 * used again. True: its answer had begun.
 */
export function cutRequest(core: Http1Context, client: Session, reason: number, cause: number): boolean {
	logCut(core, client, reason, cause);
	if (u8(core.table.state, client) !== EXCHANGE) return false;
	takenOut(core, core.table.linkOf(client), RECYCLED_CUT);
	return core.exchanges.isAnswered(client);
}

/** A system call on the client's connection failed. Where nothing was under way, that may be its end as any other. */
export function clientFailed(core: Http1Context, client: Session, errno: number): Next {
	const isBetween =
		errno === ECONNABORTED &&
		u8(core.table.state, client) === REQUEST &&
		!isBlocked(core, client) &&
		f64(core.exchanges.headMs, client) === 0;
	return failed(core, client, errno, isBetween);
}

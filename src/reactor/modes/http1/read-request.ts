/** How an exchange begins: the head of a request is read, as it comes. */

import { EAGAIN, ENOBUFS } from "../../../kernel/constants.js";
import { f64, i32, u16 } from "../../../parts/at.js";
import { NO_CAUSE } from "../../../protocol/http/causes.js";
import { HALF_A_LINE, HEAD_LIMIT_BYTES, headEnd, strayLines } from "../../../protocol/http/head-end.js";
import { parseRequest, refusalOfMethod } from "../../../protocol/http/request.js";
import { COMPLETE, NEED_MORE, type Verdict } from "../../../protocol/index.js";
import { gatherHead } from "../../admission/head-room.js";
import { lingerThenEnd } from "../../end/linger.js";
import { CHUNK_BYTES, IN_AT } from "../../memory/arena.js";
import { BAD_REQUEST, CLIENT_CLOSED, DRAINED, INTERNAL, MEMORY_PRESSURE } from "../../records/reasons.js";
import {
	AHEAD,
	BLOCKED,
	ENDING,
	EXCHANGES,
	HAD_REQUESTS,
	READABLE,
	SECURED,
	WHOLE_HEADS,
} from "../../table/marks.js";
import { end, FIRST_HEAD, lastAnswer, type Next, READ_ON, STAY } from "../../table/next.js";
import type { Session } from "../../table/numbers.js";
import { REQUEST } from "../../table/states.js";
import { offset } from "../../table/times.js";
import { putBack } from "../../wire/ahead.js";
import { lowerWater, widenWindow } from "../../wire/socket-options.js";
import { isSecured } from "../../wire/tls.js";
import { discard, emptied, peek, receive, takeError } from "../../wire/transport.js";
import type { Http1Context } from "./context.js";
import { armRequest } from "./deadlines.js";
import { clientFailed } from "./finish.js";
import { readPath, routeRequest } from "./route-request.js";

/** What is looked at of a request or a response at once: the longest head, and as much of a body. */
export const PEEK_BYTES = 2 * HEAD_LIMIT_BYTES;

/**
 * What a look at empty lines counts against what a turn may move, at least: it takes as long as copying so much does. A client
 * that sends the next line as fast as one is taken would otherwise be looked at again and again in one turn.
 */
const LOOK_COST_BYTES = 1_024;

/**
 * A connection on a listener that reads requests. `isAtHand`: FIRST_HEAD when its first head was recognised, and is at hand; 0 when
 * nothing was looked at.
 */
export function beginRequests(core: Http1Context, client: Session, isAtHand: number): Next {
	const { table, exchanges } = core;
	// What comes next may be shorter than the rest of the first head was.
	if (lowerWater(core, client) < 0) return end(INTERNAL);
	table.state[client] = REQUEST;
	table.flags[client] = i32(table.flags, client) | EXCHANGES | HAD_REQUESTS | READABLE;
	table.recognized[client] = offset(f64(table.acceptedMs, client), core.nowMs);
	core.links.begin(client);
	exchanges.begin(client);
	// When the head began is not known: at the latest when the connection was accepted.
	if (isAtHand === FIRST_HEAD) exchanges.headMs[client] = f64(table.acceptedMs, client);
	core.counters.handshakeTook(u16(table.listener, client), core.nowMs - f64(table.acceptedMs, client));
	armRequest(core, client);
	if (isAtHand !== FIRST_HEAD) return readRequest(core, client);
	const { verdict, count } = core.headAtHand;
	if (verdict === COMPLETE) noteRead(core, client, count, true);
	return takeHead(core, client, verdict);
}

/** Looks at what the client has sent. */
export function readRequest(core: Http1Context, client: Session): Next {
	const { kernel, table, exchanges, headAtHand } = core;
	const requestHead = headAtHand.head;
	// Answers go out in order: the next request waits until the last answer is taken.
	if ((i32(table.flags, client) & (BLOCKED | READABLE)) !== READABLE) return STAY;
	const isTaken = mayTake(core, client);
	const count = isTaken ? receive(core, client, IN_AT, PEEK_BYTES) : peek(core, client, IN_AT, PEEK_BYTES);
	if (count === -EAGAIN) {
		table.flags[client] = i32(table.flags, client) & ~READABLE;
		return core.draining ? lingerThenEnd(core, client, DRAINED) : STAY;
	}
	if (count < 0) return clientFailed(core, client, -count);
	if (count === 0) return end(CLIENT_CLOSED);
	const isFirst = f64(exchanges.headMs, client) === 0;
	// Only where a head begins, and only behind another request: a first one is known by how it begins.
	const stray =
		isFirst && i32(exchanges.requests, client) > 0 ? strayLines(kernel.memory, IN_AT, IN_AT + count) : 0;
	if (stray !== 0) return passOver(core, client, count, stray, isTaken);
	if (isFirst) {
		exchanges.headMs[client] = core.nowMs;
		armRequest(core, client);
	}
	const scanned = i32(exchanges.scanned, client);
	if (scanned > 0) {
		const headEndsAt = headEnd(kernel.memory, IN_AT, IN_AT + count, scanned);
		if (headEndsAt < 0) return waitForHead(core, client, count, ~headEndsAt);
	}
	const verdict = parseRequest(kernel.memory, IN_AT, IN_AT + count, requestHead);
	headAtHand.found(client, verdict, count);
	if (verdict === COMPLETE) noteRead(core, client, count, scanned === 0);
	if (isTaken) putBack(core, client, IN_AT, count, f64(exchanges.headMs, client));
	if (verdict === NEED_MORE) return waitForHead(core, client, count, requestHead.scanFrom);
	return takeHead(core, client, verdict);
}

/**
 * Empty lines behind a request, which some clients send after a body, are not the next one (RFC 9112, 2.2): they are
 * taken. So the rest of a head that has not begun is not waited for, and a client that then stays silent is idle.
 */
function passOver(core: Http1Context, client: Session, count: number, stray: number, isTaken: boolean): Next {
	const { table } = core;
	if (stray === HALF_A_LINE) {
		if (isTaken) putBack(core, client, IN_AT, count);
		// More of it is announced. An end need not be, and nothing can follow that.
		if ((i32(table.flags, client) & ENDING) !== 0) return end(CLIENT_CLOSED);
		if (core.draining) return lingerThenEnd(core, client, DRAINED);
		table.flags[client] = i32(table.flags, client) & ~READABLE;
		return STAY;
	}
	core.budget.turnBytes -= Math.max(stray, LOOK_COST_BYTES);
	if (!isTaken) discard(core, client, stray);
	else if (stray < count) putBack(core, client, IN_AT + stray, count - stray);
	return readOn(core, client);
}

/** Looks once more at what has come, in this turn if it has bytes left. */
function readOn(core: Http1Context, client: Session): Next {
	if (core.budget.turnBytes > 0) return READ_ON;
	core.queue.add(client);
	return STAY;
}

/** The head at hand, COMPLETE or MALFORMED, is routed or refused. */
function takeHead(core: Http1Context, client: Session, verdict: Verdict): Next {
	const requestHead = core.headAtHand.of(client);
	if (verdict === COMPLETE) {
		requestHead.cause = refusalOfMethod(requestHead.method);
		if (requestHead.cause === NO_CAUSE) requestHead.cause = readPath(core, client);
	}
	if (requestHead.cause === NO_CAUSE) return routeRequest(core, client);
	core.counters.badRequest(requestHead.cause);
	return lastAnswer(requestHead.status, BAD_REQUEST, requestHead.cause);
}

/**
 * Whether a head may be taken at once, and put back until it is answered: a call less than looking at it and taking it
 * later. Only from clients whose last head was whole when it came, so that slow ones hold nothing but their row; and
 * only while most chunks are free.
 */
function mayTake(core: Http1Context, client: Session): boolean {
	if ((i32(core.table.flags, client) & (WHOLE_HEADS | SECURED | AHEAD)) !== WHOLE_HEADS) return false;
	return 2 * core.chunks.available > core.chunks.count && core.budget.room >= CHUNK_BYTES;
}

function waitForHead(core: Http1Context, client: Session, count: number, scanFrom: number): Next {
	const { flags } = core.table;
	const { scanned } = core.exchanges;
	if (isSecured(core, client)) return waitForRecords(core, client, count, scanFrom);
	if (i32(scanned, client) === 0) widenWindow(core, client);
	flags[client] = i32(flags, client) & ~WHOLE_HEADS;
	scanned[client] = scanFrom;
	return waitForNews(core, client);
}

/** Through TLS a peek shows one record at a time: what there is beyond it is read ahead, and looked at again. */
function waitForRecords(core: Http1Context, client: Session, count: number, scanFrom: number): Next {
	core.exchanges.scanned[client] = scanFrom;
	const now = gatherHead(core, client, count, f64(core.exchanges.headMs, client));
	if (now > count) return readOn(core, client);
	if (now === -ENOBUFS) return end(MEMORY_PRESSURE);
	return now < 0 ? clientFailed(core, client, -now) : waitForNews(core, client);
}

/** The rest of the head is still to come, unless the client has ended, or was reset, within it. */
function waitForNews(core: Http1Context, client: Session): Next {
	const { flags } = core.table;
	if ((i32(flags, client) & ENDING) !== 0) {
		const error = takeError(core, client);
		return error === 0 ? end(CLIENT_CLOSED) : clientFailed(core, client, error);
	}
	flags[client] = i32(flags, client) & ~READABLE;
	return STAY;
}

/**
 * A head that is all there is leaves nothing to be read when it is taken; an end that was announced can still
 * follow. What stands behind it, the next request for one, is not announced again.
 */
export function noteRead(core: Http1Context, client: Session, count: number, isWhole: boolean): void {
	const { flags } = core.table;
	if (isWhole) flags[client] = i32(flags, client) | WHOLE_HEADS;
	if (count === core.headAtHand.of(client).headLength) emptied(core, client);
}

/**
 * A request that the gateway answers itself. Its connection goes on where nothing on it is in doubt: the request
 * has been read to its end, or is a head that can be taken whole, and the client meant to send another.
 */

import { f64, i32, ref, u8, u16 } from "../../../parts/at.js";
import { type AnswerStatus, answer as prepared } from "../../../protocol/http/answers.js";
import { NO_CAUSE } from "../../../protocol/http/causes.js";
import { METHOD_HEAD } from "../../../protocol/http/methods.js";
import { tell } from "../../end/linger.js";
import { OUT_AT } from "../../memory/arena.js";
import {
	CLIENT_CLOSED,
	LIMIT_CONNECTIONS,
	LIMIT_RATE,
	NO_ROUTE,
	NO_TUNNEL,
	REJECTED,
	UNAUTHORIZED,
	UPSTREAM_FAULTS,
} from "../../records/reasons.js";
import { HAD_REQUESTS } from "../../table/marks.js";
import { lastAnswer, type Next } from "../../table/next.js";
import { NONE, type Session } from "../../table/numbers.js";
import { REQUEST } from "../../table/states.js";
import { isBlocked, mayKeep, sendOrKeep } from "../../wire/outbox.js";
import { discard } from "../../wire/transport.js";
import { FIXED, KEEPS_CLIENT, REQUEST_SENT, SPEAKS_1_1 } from "./columns.js";
import type { Http1Context } from "./context.js";
import { clientFailed, nextRequest } from "./finish.js";
import { logOwnAnswer } from "./log.js";

/**
 * Nothing is at fault (with CLIENT_CLOSED), or not the client's connection. Under pressure it ends all the same: that
 * is what frees something.
 */
const GOES_ON: ReadonlySet<number> = new Set([
	...[CLIENT_CLOSED, NO_ROUTE, REJECTED, UNAUTHORIZED, NO_TUNNEL, LIMIT_RATE, LIMIT_CONNECTIONS],
	...UPSTREAM_FAULTS,
]);

/** Answers the request at hand, whose upstream connection is given up already. Where the connection cannot go on, this is its last answer. */
export function answerRequest(
	core: Http1Context,
	session: Session,
	status: AnswerStatus,
	reason: number,
	cause: number,
): Next {
	const { table, kernel, exchanges } = core;
	if (!GOES_ON.has(reason) || !goesOn(core, session)) return lastAnswer(status, reason, cause);
	// Before the head that it may be made of is taken.
	const bytes = bytesOf(core, session, status, false, u8(exchanges.method, session) === METHOD_HEAD);
	const head = i32(exchanges.headBytes, session);
	if (head > 0) discard(core, session, head);
	table.state[session] = REQUEST;
	countAnswer(core, session, status, reason, cause, bytes.length);
	kernel.memory.set(bytes, OUT_AT);
	const result = sendOrKeep(core, session, OUT_AT, bytes.length);
	return result < 0 ? clientFailed(core, session, -result) : nextRequest(core, session);
}

function goesOn(core: Http1Context, session: Session): boolean {
	const { exchanges } = core;
	const wantsTo = exchanges.has(session, KEEPS_CLIENT) && exchanges.has(session, SPEAKS_1_1);
	const isRead = i32(exchanges.headBytes, session) > 0 || exchanges.has(session, REQUEST_SENT);
	return wantsTo && isRead && !core.draining && !isBlocked(core, session) && mayKeep(core);
}

/** Answers a request with a status of our own, and ends the session once the client has heard. */
export function answerAndEnd(
	core: Http1Context,
	session: Session,
	status: AnswerStatus,
	reason: number,
	cause: number,
): Next {
	// Only a session whose requests are read one by one has a method.
	const hadRequests = (i32(core.table.flags, session) & HAD_REQUESTS) !== 0;
	const isHead = hadRequests && u8(core.exchanges.method, session) === METHOD_HEAD;
	const bytes = bytesOf(core, session, status, true, isHead);
	if (core.listenerOf(session).plan.readsRequests)
		countAnswer(core, session, status, reason, cause, bytes.length);
	return tell(core, session, bytes, reason);
}

/** The same in words that are not ours: where a status says that it was refused, `reason` says why. */
export function answerWith(
	core: Http1Context,
	session: Session,
	bytes: Uint8Array,
	status: number,
	reason: number,
): Next {
	if ((i32(core.table.flags, session) & HAD_REQUESTS) !== 0)
		countAnswer(core, session, status, reason, NO_CAUSE, bytes.length);
	return tell(core, session, bytes, status < 400 ? CLIENT_CLOSED : reason);
}

/** What its route says, or what is prepared for the status. */
function bytesOf(
	core: Http1Context,
	session: Session,
	status: AnswerStatus,
	closes: boolean,
	isHead: boolean,
): Uint8Array {
	const hadRequests = (i32(core.table.flags, session) & HAD_REQUESTS) !== 0;
	const fixed =
		hadRequests && core.exchanges.has(session, FIXED) ? core.exchanges.rulesOf(session).answer : null;
	if (fixed === null) return prepared(status, closes, isHead);
	if (!fixed.redirects) return fixed.write(closes, isHead, "", "");
	const { authority, pathStart, pathEnd } = core.headAtHand.of(session);
	const host = latin1(authority.host, 0, authority.hostLength);
	if (host === "") return prepared(400, closes, isHead);
	return fixed.write(closes, isHead, host, latin1(core.kernel.memory, pathStart, pathEnd));
}

/** A copy: decoders do not take shared memory. The parser has let visible ASCII pass, and what is above it. */
function latin1(bytes: Uint8Array, start: number, end: number): string {
	return Buffer.from(bytes.slice(start, end)).toString("latin1");
}

/** Counts an answer of our own, of so many bytes, and logs it if it is due. */
function countAnswer(
	core: Http1Context,
	session: Session,
	status: number,
	reason: number,
	cause: number,
	bytes: number,
): void {
	const { counters, table } = core;
	const hadRequests = (i32(table.flags, session) & HAD_REQUESTS) !== 0;
	const isRouted = hadRequests && f64(core.exchanges.startedMs, session) > 0;
	counters.requestAnswered(isRouted ? ref(table.route, session) : NONE, u16(table.listener, session), status);
	const isRefusal = status >= 400;
	if (isRefusal) counters.requestRefused(reason);
	if (isRouted) counters.upstreamFailed(ref(table.upstream, session), status, reason);
	logOwnAnswer(core, session, isRouted, status, isRefusal ? reason : NONE, cause, bytes);
}

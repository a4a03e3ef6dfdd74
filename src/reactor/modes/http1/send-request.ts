/** The first half of an exchange: a request is sent, its head and its body. */

import { EAGAIN } from "../../../kernel/constants.js";
import { f64, i32, ref, u8 } from "../../../parts/at.js";
import { statusOf } from "../../../protocol/http/causes.js";
import { FRAMING_NONE } from "../../../protocol/http/framing.js";
import { parseRequest } from "../../../protocol/http/request.js";
import { NO_ROOM, writeRequestHead } from "../../../protocol/http/rewrite.js";
import { COMPLETE } from "../../../protocol/index.js";
import { contains } from "../../../route/router.js";
import type { ReactorListener } from "../../admission/listener.js";
import { failed } from "../../end/failure.js";
import { own } from "../../links/owned.js";
import { borrowed, hasBytes } from "../../links/pool.js";
import { CHUNK_BYTES, IN_AT, OUT_AT, SUBJECT_AT, SUBJECT_BYTES } from "../../memory/arena.js";
import {
	BAD_REQUEST,
	CLIENT_CLOSED,
	CLIENT_RESET,
	LIMIT_BODY,
	UPSTREAM_DOWN,
} from "../../records/reasons.js";
import { BLOCKED, PACED, READABLE } from "../../table/marks.js";
import { answer, end, lastAnswer, NEW_LINK, type Next, STAY } from "../../table/next.js";
import type { Link, Session } from "../../table/numbers.js";
import { EXCHANGE, REQUEST } from "../../table/states.js";
import { stamp } from "../../table/times.js";
import { countAnew, NOT_TAKEN, sendWhole } from "../../wire/outbox.js";
import { mayMove } from "../../wire/pace.js";
import { isSecured } from "../../wire/tls.js";
import { discard, peek } from "../../wire/transport.js";
import {
	BODY_DONE,
	BODY_ENDED,
	BODY_MALFORMED,
	BODY_MOVED,
	BODY_TOO_LARGE,
	BODY_WAITS,
	BODY_WRITE_FAILED,
	detailOf,
	KEEPS_TRAILERS,
	moveBody,
	stepOf,
} from "./body.js";
import { AWAITS_CONTINUE, HASTY, REQUEST_CUT, REQUEST_SENT, REUSED, SPOILT, WEBSOCKET } from "./columns.js";
import type { Http1Context } from "./context.js";
import { armExchange, beginRate } from "./deadlines.js";
import { abandon, refuseAmid, upstreamBroke, upstreamFailed } from "./finish.js";
import { noteAddress } from "./log.js";
import { noteRead, PEEK_BYTES } from "./read-request.js";
import { hasForm } from "./route-request.js";

/** Buffers that a body may move before others have their turn. */
export const ROUNDS_PER_TURN = 16;

/** The request's upstream connection is there: NEW_LINK, or 0 for one that the pool has lent. */
export function sendRequest(core: Http1Context, client: Session, how: number): Next {
	const { table, exchanges } = core;
	const link = table.linkOf(client);
	const isNew = how === NEW_LINK;
	// While it was dialled for, other heads lay where this one was, also when the pool has one for it in the end.
	const isAtHand = u8(table.state, client) === REQUEST;
	table.state[client] = EXCHANGE;
	table.state[link] = EXCHANGE;
	table.active[client] = stamp(core.nowMs);
	countAnew(core, link);
	if (isNew) exchanges.clear(client, REUSED);
	else exchanges.set(client, REUSED);
	borrowed(core, link, isNew);
	noteAddress(core, client);
	// Bytes that were seen once stay, unless the connection was reset.
	if (!isAtHand && !readAgain(core, client)) return end(CLIENT_RESET);
	if (isNew && hasBytes(core, link)) {
		// Such as a refusal by one that is full. It came with the news of the connection, and is not announced again.
		table.flags[link] = i32(table.flags, link) | READABLE;
		exchanges.set(client, HASTY);
	} else exchanges.clear(client, HASTY);
	exchanges.clear(client, SPOILT);
	return sendHead(core, client, link);
}

/** Reads the head at hand once more: it was peeked, and stayed where it was. False: the client is gone. */
function readAgain(core: Http1Context, client: Session): boolean {
	const { kernel, headAtHand } = core;
	const count = peek(core, client, IN_AT, PEEK_BYTES);
	if (count <= 0) return false;
	const verdict = parseRequest(kernel.memory, IN_AT, IN_AT + count, headAtHand.head);
	headAtHand.found(client, verdict, count);
	if (verdict !== COMPLETE) return false;
	noteRead(core, client, count, false);
	return true;
}

function sendHead(core: Http1Context, client: Session, link: Link): Next {
	const { table, kernel, exchanges, requestRewrite } = core;
	const requestHead = core.headAtHand.of(client);
	const listener = core.listenerOf(client);
	const upstream = core.upstreams.get(ref(table.upstream, client));
	if (upstream === undefined) {
		// It went with a reload, and what it was to be told as Host with it.
		abandon(core, client, link);
		return answer(503, UPSTREAM_DOWN);
	}
	requestRewrite.host = upstream.plan.host;
	requestRewrite.authority = upstream.plan.authority;
	requestRewrite.path = null;
	if (listener.plan.http.paths === "normalize" && hasForm(core, client)) {
		// Other requests were read since this one was routed.
		core.pathForm.read(kernel.memory, requestHead.pathStart, requestHead.pathEnd);
		requestRewrite.path = core.pathForm;
	}
	const rules = exchanges.rulesOf(client);
	requestRewrite.via = rules.via;
	requestRewrite.edits = rules.request;
	requestRewrite.keepsTrailers = upstream.plan.trailers;
	exchanges.request.manner[client] = upstream.plan.trailers ? KEEPS_TRAILERS : 0;
	requestRewrite.keepsUpgrade = exchanges.has(client, WEBSOCKET);
	requestRewrite.isTrusted = isTrusted(core, listener, client);
	requestRewrite.peerFamily = u8(table.family, client) as 4 | 6; // written by accept and by PROXY headers
	requestRewrite.peer = table.source;
	requestRewrite.peerOffset = client * 16;
	requestRewrite.isSecure = isSecured(core, client);
	tellSubject(core, client);
	if (requestHead.fields.bindsConnection) own(core, client, link);
	const length = writeRequestHead(kernel.memory, requestHead, requestRewrite, kernel.memory, OUT_AT);
	if (length === NO_ROOM || length > CHUNK_BYTES) {
		abandon(core, client, link);
		return lastAnswer(431, BAD_REQUEST);
	}
	const { headLength } = requestHead;
	const hasBody = u8(exchanges.request.framing, client) !== FRAMING_NONE;
	if (!hasBody) {
		exchanges.headBytes[client] = headLength;
		exchanges.requestOver(client, REQUEST_SENT, core.nowMs);
	} else {
		exchanges.headBytes[client] = 0;
		exchanges.sentMs[client] = core.nowMs;
		if (requestHead.expectContinue) exchanges.set(client, AWAITS_CONTINUE);
		discard(core, client, headLength);
		// There may be more than the head in what was peeked.
		table.flags[client] = i32(table.flags, client) | READABLE;
	}
	const result = sendWhole(core, link, OUT_AT, length);
	if (result === NOT_TAKEN || result === -EAGAIN) return upstreamFailed(core, client, link);
	if (result < 0) return upstreamBroke(core, client, link, -result);
	exchanges.rateMs[client] = core.nowMs;
	exchanges.rateSent[client] = f64(table.sent, link);
	armExchange(core, client);
	if (exchanges.has(client, HASTY)) core.queue.add(link);
	return hasBody ? sendBody(core, client, link) : STAY;
}

/** Puts the subject of the client's certificate into its field; what the client itself put there does not go on. */
function tellSubject(core: Http1Context, client: Session): void {
	const { requestRewrite, kernel, secures } = core;
	requestRewrite.subjectEnd = 0;
	if (requestRewrite.subjectName === undefined || !requestRewrite.isSecure) return;
	// Not sooner: asking for the library loads it, and a machine that needs no TLS may have none.
	const length = core.tls.copyPeerSubject(f64(secures.session, client), SUBJECT_AT, SUBJECT_BYTES);
	requestRewrite.subject = kernel.memory;
	requestRewrite.subjectStart = SUBJECT_AT;
	// A subject that is too long is told as none, so a server that decides by it refuses the request.
	requestRewrite.subjectEnd = SUBJECT_AT + Math.max(0, length);
}

function isTrusted(core: Http1Context, listener: ReactorListener, client: Session): boolean {
	const { forwardedTrusted } = listener.plan.http;
	if (forwardedTrusted.length === 0) return false;
	const family = u8(core.table.family, client);
	for (const block of forwardedTrusted)
		if (contains(block, family, core.table.source, client * 16)) return true;
	return false;
}

/** Moves the request's body on, as far as it has come and is taken. */
export function sendBody(core: Http1Context, client: Session, link: Link): Next {
	const { table, exchanges } = core;
	for (let round = 0; round < ROUNDS_PER_TURN; round++) {
		if (exchanges.has(client, REQUEST_SENT | REQUEST_CUT)) return STAY;
		if ((i32(table.flags, client) & READABLE) === 0 || (i32(table.flags, link) & BLOCKED) !== 0) return STAY;
		if ((i32(table.flags, client) & PACED) !== 0 && !mayMove(core, client)) return STAY;
		if (core.budget.turnBytes <= 0) break;
		const result = moveBody(core, client, link, client, exchanges.request);
		if (result === BODY_WAITS) return STAY;
		// It comes without having been asked for.
		if (exchanges.has(client, AWAITS_CONTINUE)) beginRate(core, client, link);
		if (result !== BODY_MOVED) return bodyOver(core, client, link, result);
	}
	core.queue.add(client);
	return STAY;
}

/** No more of the request's body goes to the upstream. */
function bodyOver(core: Http1Context, client: Session, link: Link, result: number): Next {
	const { exchanges } = core;
	const detail = detailOf(result);
	switch (stepOf(result)) {
		case BODY_DONE:
			exchanges.requestOver(client, REQUEST_SENT, core.nowMs);
			// Its answer may be due before the body was.
			armExchange(core, client);
			return STAY;
		case BODY_WRITE_FAILED:
			return upstreamBroke(core, client, link, detail);
		case BODY_ENDED:
			// It ended before its own length: what was sent of it must not pass for a whole request.
			if (!exchanges.isAnswered(client)) return end(CLIENT_CLOSED);
			// It has heard enough itself; the rest of its answer is still to come.
			exchanges.requestOver(client, REQUEST_CUT, core.nowMs);
			return STAY;
		case BODY_MALFORMED:
			core.counters.badRequest(detail);
			return refuseAmid(core, client, link, statusOf(detail), BAD_REQUEST, detail);
		case BODY_TOO_LARGE:
			return refuseAmid(core, client, link, 413, LIMIT_BODY);
		default:
			return failed(core, client, detail);
	}
}

/** The first half of an exchange: a request is sent, its head and its body. */
import { EAGAIN } from "../../../kernel/constants.js";
import { at } from "../../../parts/at.js";
import type { AnswerStatus } from "../../../protocol/http/answers.js";
import { statusOf } from "../../../protocol/http/causes.js";
import { FRAMING_NONE } from "../../../protocol/http/framing.js";
import { parseRequest } from "../../../protocol/http/request.js";
import { NO_ROOM, writeRequestHead } from "../../../protocol/http/rewrite.js";
import { COMPLETE } from "../../../protocol/index.js";
import { CHUNK_BYTES, type Core, type ReactorListener, SUBJECT_AT, SUBJECT_BYTES } from "../../core.js";
import { close, closeFailed } from "../../end/close.js";
import { own } from "../../links/owned.js";
import { borrowed, hasBytes } from "../../links/pool.js";
import {
	BAD_REQUEST,
	CLIENT_CLOSED,
	CLIENT_RESET,
	LIMIT_BODY,
	UPSTREAM_DOWN,
} from "../../records/reasons.js";
import { answerAndClose } from "../../steps/refuse.js";
import { BLOCKED, EXCHANGE, READABLE, REQUEST } from "../../table/table.js";
import { countAnew, EMPTIED, mayKeep, moved, send, sendOrKeep } from "../../wire/outbox.js";
import { discard, isSecured, peek } from "../../wire/transport.js";
import { answerRequest } from "./answer.js";
import {
	BODY_DONE,
	BODY_ENDED,
	BODY_MALFORMED,
	BODY_MOVED,
	BODY_TOO_LARGE,
	BODY_WAITS,
	BODY_WRITE_FAILED,
	IN_AT,
	KEEPS_TRAILERS,
	moveBody,
} from "./body.js";
import {
	ANSWERED,
	AWAITS_CONTINUE,
	HASTY,
	REQUEST_CUT,
	REQUEST_SENT,
	REUSED,
	SPOILT,
	WEBSOCKET,
} from "./columns.js";
import { armExchange } from "./deadlines.js";
import { abandon, refuseAmid, upstreamBroke, upstreamFailed } from "./finish.js";
import { noteAddress } from "./log.js";
import { noteRead, PEEK_BYTES } from "./read-request.js";
import { hasForm } from "./route-request.js";

/** Where heads are written, within the scratch space. */
export const OUT_AT = 32 * 1024;

/** Buffers that a body may move before others have their turn. */
export const ROUNDS_PER_TURN = 16;

/** The request's upstream connection is there: new, or lent by the pool. */
export function beginExchange(core: Core, client: number, link: number, isNew: boolean): void {
	const { table, exchanges } = core;
	// While it was dialled for, other heads lay where this one was, also when the pool has one for it in the end.
	const isAtHand = at(table.state, client) === REQUEST;
	table.state[client] = EXCHANGE;
	table.state[link] = EXCHANGE;
	table.peer[client] = link;
	table.peer[link] = client;
	table.activeMs[client] = core.nowMs;
	countAnew(core, link);
	if (isNew) exchanges.clear(client, REUSED);
	else exchanges.set(client, REUSED);
	borrowed(core, link);
	noteAddress(core, client);
	if (!isAtHand && !readAgain(core, client)) return;
	if (isNew && hasBytes(core, link)) {
		// Such as a refusal by one that is full. It came with the news of the connection, and is not announced again.
		table.flags[link] = at(table.flags, link) | READABLE;
		exchanges.set(client, HASTY);
	} else exchanges.clear(client, HASTY);
	exchanges.clear(client, SPOILT);
	sendHead(core, client, link);
}

/** Reads the head at hand once more: it was peeked, and stayed where it was. False: the client is gone, and so is the session. */
function readAgain(core: Core, client: number): boolean {
	const { kernel, requestHead } = core;
	const count = peek(core, client, IN_AT, PEEK_BYTES);
	if (count > 0 && parseRequest(kernel.memory, IN_AT, IN_AT + count, requestHead) === COMPLETE) {
		noteRead(core, client, count, false);
		return true;
	}
	// Bytes that were seen once stay, unless the connection was reset.
	close(core, client, CLIENT_RESET);
	return false;
}

function sendHead(core: Core, client: number, link: number): void {
	const { table, kernel, exchanges, requestHead, requestRewrite } = core;
	const listener = core.listenerOf(client);
	const upstream = core.upstreams.get(at(table.upstream, client));
	if (upstream === undefined) {
		// It went with a reload, and what it was to be told as Host with it.
		abandon(core, client, link);
		answerRequest(core, client, 503, UPSTREAM_DOWN);
		return;
	}
	requestRewrite.host = upstream.plan.host;
	requestRewrite.authority = upstream.plan.authority;
	requestRewrite.path = null;
	if (listener.plan.http.paths === "normalize" && hasForm(core)) {
		// Other requests were read since this one was routed.
		core.pathForm.read(kernel.memory, requestHead.pathStart, requestHead.pathEnd);
		requestRewrite.path = core.pathForm;
	}
	const rules = core.rulesOf(client);
	requestRewrite.via = rules.via;
	requestRewrite.edits = rules.request;
	requestRewrite.keepsTrailers = upstream.plan.trailers;
	exchanges.request.manner[client] = upstream.plan.trailers ? KEEPS_TRAILERS : 0;
	requestRewrite.keepsUpgrade = exchanges.has(client, WEBSOCKET);
	requestRewrite.isTrusted = isTrusted(core, listener, client);
	requestRewrite.peerFamily = at(table.family, client) as 4 | 6; // written by accept and by PROXY headers
	requestRewrite.peer = table.source;
	requestRewrite.peerOffset = client * 16;
	requestRewrite.isSecure = isSecured(core, client);
	tellSubject(core, client);
	if (requestHead.fields.bindsConnection) own(core, client, link);
	const length = writeRequestHead(kernel.memory, requestHead, requestRewrite, kernel.memory, OUT_AT);
	if (length === NO_ROOM || length > CHUNK_BYTES) {
		abandon(core, client, link);
		answerAndClose(core, client, 431, BAD_REQUEST);
		return;
	}
	const { headLength } = requestHead;
	const hasBody = at(exchanges.request.framing, client) !== FRAMING_NONE;
	if (!hasBody) {
		exchanges.headBytes[client] = headLength;
		requestOver(core, client, REQUEST_SENT);
	} else {
		exchanges.headBytes[client] = 0;
		exchanges.sentMs[client] = core.nowMs;
		if (requestHead.expectContinue) exchanges.set(client, AWAITS_CONTINUE);
		discard(core, client, headLength);
		// There may be more than the head in what was peeked.
		table.flags[client] = at(table.flags, client) | READABLE;
	}
	const result = sendHeadBytes(core, link, length);
	if (result === NOT_TAKEN || result === -EAGAIN) {
		upstreamFailed(core, client, link);
		return;
	}
	if (result < 0) {
		upstreamBroke(core, client, link);
		return;
	}
	exchanges.rateMs[client] = core.nowMs;
	exchanges.rateSent[client] = at(table.sent, link);
	armExchange(core, client);
	if (exchanges.has(client, HASTY)) core.enqueue(link);
	if (hasBody) sendBody(core, client, link);
}

/** Whose certificate the client has shown; nobody else's name goes on in that field. */
function tellSubject(core: Core, client: number): void {
	const { requestRewrite, kernel, secures } = core;
	requestRewrite.subjectEnd = 0;
	if (requestRewrite.subjectName === undefined || !requestRewrite.isSecure) return;
	// Not sooner: asking for the library loads it, and a machine that needs no TLS may have none.
	const length = core.tls.copyPeerSubject(at(secures.session, client), SUBJECT_AT, SUBJECT_BYTES);
	requestRewrite.subject = kernel.memory;
	requestRewrite.subjectStart = SUBJECT_AT;
	// One that is too long is told as none: whoever decides by it then refuses.
	requestRewrite.subjectEnd = SUBJECT_AT + Math.max(0, length);
}

function isTrusted(core: Core, listener: ReactorListener, client: number): boolean {
	const { forwardedTrusted } = listener.plan.http;
	if (forwardedTrusted.length === 0) return false;
	return core.isWithin(forwardedTrusted, at(core.table.family, client), client * 16);
}

/**
 * Sends what was written at OUT_AT. Returns EMPTIED or WAITS when it goes; NOT_TAKEN when none of it does and no
 * chunk is there to keep it in, so that whoever has not taken it yet can wait; otherwise a negative errno:
 * EAGAIN when a part of it does and there is no chunk for the rest.
 */
export function sendHeadBytes(core: Core, to: number, length: number): number {
	if (mayKeep(core)) return sendOrKeep(core, to, OUT_AT, length);
	const sent = send(core, to, OUT_AT, length);
	if (sent === 0) return NOT_TAKEN;
	if (sent < 0) return sent;
	moved(core, to, sent);
	return sent === length ? EMPTIED : -EAGAIN;
}

export const NOT_TAKEN = 2;

/** REQUEST_SENT or REQUEST_CUT: from here on its answer is waited for. */
export function requestOver(core: Core, client: number, how: number): void {
	core.exchanges.set(client, how);
	core.exchanges.sentMs[client] = core.nowMs;
}

/** Moves the request's body on, as far as it has come and is taken. */
export function sendBody(core: Core, client: number, link: number): void {
	const { table, exchanges } = core;
	for (let round = 0; round < ROUNDS_PER_TURN; round++) {
		if (exchanges.has(client, REQUEST_SENT | REQUEST_CUT)) return;
		if ((at(table.flags, client) & READABLE) === 0 || (at(table.flags, link) & BLOCKED) !== 0) return;
		if (core.turnBytes <= 0) break;
		const step = moveBody(core, client, link, client, exchanges.request);
		if (step === BODY_WAITS) return;
		// It comes without having been asked for.
		if (exchanges.has(client, AWAITS_CONTINUE)) beginRate(core, client, link);
		if (step !== BODY_MOVED) {
			bodyOver(core, client, link, step);
			return;
		}
	}
	core.enqueue(client);
}

/** No more of the request's body goes to the upstream. */
function bodyOver(core: Core, client: number, link: number, step: number): void {
	const { exchanges } = core;
	switch (step) {
		case BODY_DONE:
			requestOver(core, client, REQUEST_SENT);
			// Its answer may be due before the body was.
			armExchange(core, client);
			return;
		case BODY_WRITE_FAILED:
			upstreamBroke(core, client, link);
			return;
		case BODY_ENDED:
			if (exchanges.has(client, ANSWERED)) {
				// It has heard enough itself; the rest of its answer is still to come.
				requestOver(core, client, REQUEST_CUT);
				return;
			}
			// It ended before its own length: what was sent of it must not pass for a whole request.
			close(core, client, CLIENT_CLOSED);
			return;
		case BODY_MALFORMED: {
			const cause = core.messageCause;
			core.counters.badRequest(cause);
			refuseAmid(core, client, link, statusOf(cause) as AnswerStatus, BAD_REQUEST); // of HTTP_CAUSES
			return;
		}
		case BODY_TOO_LARGE:
			refuseAmid(core, client, link, 413, LIMIT_BODY);
			return;
		default:
			closeFailed(core, client, core.receiveErrno);
	}
}

/** From now on, bytes of the body are expected. */
export function beginRate(core: Core, client: number, link: number): void {
	const { exchanges } = core;
	exchanges.clear(client, AWAITS_CONTINUE);
	exchanges.rateMs[client] = core.nowMs;
	exchanges.rateSent[client] = at(core.table.sent, link);
	armExchange(core, client);
}

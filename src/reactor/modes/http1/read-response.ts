/** The second half of an exchange: the upstream's answer is passed on, its interim heads, its head, its body. */

import { EAGAIN, ENOBUFS, EPOLLIN } from "../../../kernel/constants.js";
import { f64, i32, ref, u8 } from "../../../parts/at.js";
import { HEAD_INCOMPLETE, HEAD_TOO_LARGE, UNEXPECTED_UPGRADE } from "../../../protocol/http/causes.js";
import {
	FRAMING_CHUNKED,
	FRAMING_CLOSE,
	FRAMING_LENGTH,
	FRAMING_NONE,
} from "../../../protocol/http/framing.js";
import { parseResponse, STATUS_CONTINUE } from "../../../protocol/http/response.js";
import { isDecoded, NO_ROOM, writeResponseHead } from "../../../protocol/http/rewrite.js";
import { isWebSocketResponse } from "../../../protocol/http/upgrade.js";
import { COMPLETE, MALFORMED, NEED_MORE } from "../../../protocol/index.js";
import { gatherHead } from "../../admission/head-room.js";
import { failed } from "../../end/failure.js";
import { closeOwned, own } from "../../links/owned.js";
import { noteKept, takenOut } from "../../links/pool.js";
import { CHUNK_BYTES, IN_AT, OUT_AT } from "../../memory/arena.js";
import { BAD_RESPONSE, MEMORY_PRESSURE, UPSTREAM_CLOSED, UPSTREAM_RESET } from "../../records/reasons.js";
import { RECYCLED_UPGRADED } from "../../records/recycle-reasons.js";
import { AHEAD, BLOCKED, ENDING, EXCHANGES, PACED, READABLE, SECURED } from "../../table/marks.js";
import { end, type Next, RELAY_ON, STAY, to } from "../../table/next.js";
import type { Link, Session } from "../../table/numbers.js";
import { putBack } from "../../wire/ahead.js";
import { block, mayKeep, NOT_TAKEN, sendWhole } from "../../wire/outbox.js";
import { mayMove } from "../../wire/pace.js";
import { widenWindow } from "../../wire/socket-options.js";
import { isSecured } from "../../wire/tls.js";
import { discard, emptied, peek, receive } from "../../wire/transport.js";
import {
	BODY_DONE,
	BODY_ENDED,
	BODY_MALFORMED,
	BODY_MOVED,
	BODY_READ_FAILED,
	BODY_WAITS,
	BODY_WRITE_FAILED,
	copyWholeChunks,
	DECODES,
	detailOf,
	KEEPS_TRAILERS,
	moveBody,
	NOT_WHOLE,
	spoil,
	stepOf,
} from "./body.js";
import {
	ANSWERED,
	AWAITS_CONTINUE,
	HASTY,
	KEEPS_CLIENT,
	KEEPS_UPSTREAM,
	OFFERED,
	REQUEST_SENT,
	SPEAKS_1_1,
	SPOILT,
	UPSTREAM_CUT,
	WEBSOCKET,
	WIDENED,
} from "./columns.js";
import type { Http1Context } from "./context.js";
import { beginRate } from "./deadlines.js";
import { count as countServed, finish, refuseAmid, upstreamFailed } from "./finish.js";
import { PEEK_BYTES } from "./read-request.js";
import { ROUNDS_PER_TURN } from "./send-request.js";

/** A head was passed on, and there may be more to read. */
const MORE = -1;

/** What the upstream has said: interim heads, the final head, then its body. */
export function readResponse(core: Http1Context, client: Session): Next {
	const { table, exchanges } = core;
	const link = table.linkOf(client);
	for (let round = 0; round < ROUNDS_PER_TURN; round++) {
		if ((i32(table.flags, link) & READABLE) === 0 || (i32(table.flags, client) & BLOCKED) !== 0) return STAY;
		if ((i32(table.flags, client) & PACED) !== 0 && !mayMove(core, client)) return STAY;
		const isAnswered = exchanges.isAnswered(client);
		// A head is little, and often all there is.
		if (core.budget.turnBytes <= 0 && isAnswered) break;
		const next = isAnswered ? readBody(core, client, link) : readHead(core, client, link);
		if (next !== MORE) return next;
	}
	core.queue.add(link);
	return STAY;
}

function readBody(core: Http1Context, client: Session, link: Link): Next {
	const { exchanges } = core;
	const result = moveBody(core, link, client, client, exchanges.response);
	if (result === BODY_MOVED) return MORE;
	switch (stepOf(result)) {
		case BODY_WAITS:
			return STAY;
		case BODY_DONE:
			return finish(core, client, link);
		case BODY_ENDED: {
			if (exchanges.has(client, UPSTREAM_CUT)) return end(UPSTREAM_RESET);
			const endsSo = u8(exchanges.response.framing, client) === FRAMING_CLOSE;
			return endsSo ? finish(core, client, link) : end(UPSTREAM_CLOSED);
		}
		case BODY_READ_FAILED:
			return failed(core, link, detailOf(result));
		case BODY_WRITE_FAILED:
			return failed(core, client, detailOf(result));
		case BODY_MALFORMED:
			core.counters.badResponse(detailOf(result));
			return end(BAD_RESPONSE, detailOf(result));
		default:
			throw new Error(`a body's step ended as nothing that is known: ${result}`);
	}
}

/** MORE: it was passed on. STAY: there is none yet. */
function readHead(core: Http1Context, client: Session, link: Link): Next {
	const { kernel, table, exchanges, responseHead, responseRewrite } = core;
	const isTaken = mayTake(core, link);
	const count = isTaken ? receive(core, link, IN_AT, PEEK_BYTES) : peek(core, link, IN_AT, PEEK_BYTES);
	if (count === -EAGAIN) {
		table.flags[link] = i32(table.flags, link) & ~READABLE;
		return STAY;
	}
	if (count <= 0) return upstreamFailed(core, client, link);
	const minor = exchanges.has(client, SPEAKS_1_1) ? 1 : 0;
	const method = u8(exchanges.method, client);
	const verdict = parseResponse(kernel.memory, IN_AT, IN_AT + count, method, responseHead);
	if (isTaken && (verdict !== COMPLETE || responseHead.isInterim)) putBack(core, link, IN_AT, count);
	if (verdict === NEED_MORE && isSecured(core, link)) {
		const now = gatherHead(core, link, count, 0);
		if (now > count) return MORE;
		if (now === -ENOBUFS) return refuseAmid(core, client, link, 503, MEMORY_PRESSURE);
	}
	if (verdict === NEED_MORE && (i32(table.flags, link) & ENDING) === 0) {
		table.flags[link] = i32(table.flags, link) & ~READABLE;
		// Once: each time, the kernel tells anew of what is there.
		if (!exchanges.has(client, WIDENED)) {
			exchanges.set(client, WIDENED);
			widenWindow(core, link);
		}
		return STAY;
	}
	if (verdict !== COMPLETE)
		return refuseResponse(core, client, link, verdict === MALFORMED ? responseHead.cause : HEAD_INCOMPLETE);
	const isWebSocket = exchanges.has(client, WEBSOCKET) && isWebSocketResponse(kernel.memory, responseHead);
	if (responseHead.isUpgrade && !isWebSocket) return refuseResponse(core, client, link, UNEXPECTED_UPGRADE);
	const { headLength, fields } = responseHead;
	if (fields.bindsConnection) own(core, client, link);
	noteKept(core, link, fields.keepAliveSeconds);
	// What it says of a body may come, and be taken for the answer.
	if (responseHead.isInterim && !responseHead.keepAlive) spoil(core, client);
	if (responseHead.isInterim && minor === 0) {
		discard(core, link, headLength);
		return MORE;
	}
	const keeps = responseHead.isInterim || keepsClient(core, client);
	const rules = exchanges.rulesOf(client);
	responseRewrite.via = rules.via;
	responseRewrite.edits = rules.response;
	responseRewrite.requestMinor = minor;
	responseRewrite.closes = !keeps;
	const length = writeResponseHead(kernel.memory, responseHead, responseRewrite, kernel.memory, OUT_AT);
	if (length === NO_ROOM || length > CHUNK_BYTES) return refuseResponse(core, client, link, HEAD_TOO_LARGE);
	const isOut = isTaken && !responseHead.isInterim;
	return passHead(core, client, link, length, count, isOut, keeps);
}

/** The upstream broke a rule of HTTP, which the log names. */
function refuseResponse(core: Http1Context, client: Session, link: Link, cause: number): Next {
	core.counters.badResponse(cause);
	return refuseAmid(core, client, link, 502, BAD_RESPONSE, cause);
}

/**
 * Most answers are there whole with their head, and nothing behind them: taken at once, they cost a call less. What
 * proves to be otherwise is put back, so there must be room for that, and for what the client does not take. TLS shows
 * what it has decrypted without a call.
 */
function mayTake(core: Http1Context, link: Link): boolean {
	if ((i32(core.table.flags, link) & (SECURED | AHEAD)) !== 0) return false;
	return core.chunks.available >= 2 && core.budget.room >= 2 * CHUNK_BYTES;
}

/**
 * Whether the client's connection goes on, decided once: when the answer could not be sent at first, TLS may have
 * encrypted it as it was.
 */
function keepsClient(core: Http1Context, client: Session): boolean {
	const { exchanges } = core;
	if (u8(exchanges.answer, client) === OFFERED) return exchanges.has(client, KEEPS_CLIENT);
	const keeps = exchanges.has(client, KEEPS_CLIENT) && exchanges.has(client, REQUEST_SENT) && !core.draining;
	if (!keeps) exchanges.clear(client, KEEPS_CLIENT);
	return keeps;
}

/** Sends the head, together with what is there of a short body. `isOut`: what is at hand was taken, not peeked. */
function passHead(
	core: Http1Context,
	client: Session,
	link: Link,
	length: number,
	count: number,
	isOut: boolean,
	keeps: boolean,
): Next {
	const { exchanges, responseHead } = core;
	const { headLength, framing, contentLength, isInterim, statusCode } = responseHead;
	const manner = isDecoded(responseHead, core.responseRewrite) ? DECODES : KEEPS_TRAILERS;
	if (!isInterim) exchanges.response.begin(client, framing, contentLength, manner);
	// Most answers are short: one call for all of it.
	const added = mayKeep(core) ? copyBodyAtHand(core, client, count, length) : 0;
	// Of the upstream's bytes: what goes on of chunks may be more than they were, or less.
	const isWritten = added > 0 && framing === FRAMING_CHUNKED;
	const part = isWritten ? core.trailers.position - IN_AT - headLength : added;
	const result = sendWhole(core, client, OUT_AT, length + added);
	if (result === NOT_TAKEN) {
		// The answer before this one fills its socket. This one stays where it is.
		if (!isInterim) exchanges.answer[client] = OFFERED;
		block(core, client);
		return STAY;
	}
	if (result < 0) return result === -EAGAIN ? end(MEMORY_PRESSURE) : failed(core, client, -result);
	const rest = count - headLength - part;
	if (!isOut) discard(core, link, headLength + part);
	else if (rest > 0) putBack(core, link, IN_AT + headLength + part, rest);
	if (rest === 0 && count < PEEK_BYTES) emptied(core, link);
	if (isInterim) {
		if (statusCode === STATUS_CONTINUE && exchanges.has(client, AWAITS_CONTINUE))
			beginRate(core, client, link);
		return MORE;
	}
	answered(core, client, keeps);
	if (framing === FRAMING_LENGTH) exchanges.response.left[client] = contentLength - part;
	if (responseHead.isUpgrade) return becomeRelay(core, client, link);
	const isDone =
		framing === FRAMING_NONE ||
		(framing === FRAMING_LENGTH && f64(exchanges.response.left, client) === 0) ||
		(framing === FRAMING_CHUNKED && part > 0);
	return isDone ? finish(core, client, link) : MORE;
}

/**
 * Writes what may go of the body with the head, of `length` bytes, behind it: of chunks all of them or nothing,
 * otherwise what is there. Returns how many bytes that are.
 */
function copyBodyAtHand(core: Http1Context, client: Session, count: number, length: number): number {
	const { responseHead, kernel } = core;
	const { headLength, framing, contentLength } = responseHead;
	const room = CHUNK_BYTES - length;
	const available = Math.min(count - headLength, room);
	const start = IN_AT + headLength;
	if (available === 0) return 0;
	if (framing === FRAMING_LENGTH || framing === FRAMING_CLOSE) {
		const part = framing === FRAMING_LENGTH ? Math.min(contentLength, available) : available;
		kernel.memory.copyWithin(OUT_AT + length, start, start + part);
		return part;
	}
	if (framing !== FRAMING_CHUNKED) return 0;
	const written = copyWholeChunks(core, client, start, available, OUT_AT + length);
	// Written anew, trailers may be longer than they were.
	return written === NOT_WHOLE || written > room ? 0 : written;
}

/** The head of the answer has gone: the request need not be sent again. */
function answered(core: Http1Context, client: Session, keeps: boolean): void {
	const { exchanges, responseHead } = core;
	const kept = i32(exchanges.headBytes, client);
	if (kept > 0) discard(core, client, kept);
	exchanges.headBytes[client] = 0;
	exchanges.answer[client] = ANSWERED;
	exchanges.status[client] = responseHead.statusCode;
	const tookMs = core.nowMs - f64(exchanges.startedMs, client);
	core.counters.upstreamAnswered(ref(core.table.upstream, client), responseHead.statusCode, tookMs);
	const endsItself = responseHead.framing === FRAMING_CLOSE || isDecoded(responseHead, core.responseRewrite);
	if (!keeps || endsItself) exchanges.clear(client, KEEPS_CLIENT);
	if (responseHead.keepAlive && !exchanges.has(client, HASTY | SPOILT)) exchanges.set(client, KEEPS_UPSTREAM);
}

/** 101: what follows is no HTTP. The session goes on as a relayed one, on the same descriptors. */
function becomeRelay(core: Http1Context, client: Session, link: Link): Next {
	const { table } = core;
	countServed(core, client);
	takenOut(core, link, RECYCLED_UPGRADED);
	closeOwned(core, client);
	table.flags[client] = (i32(table.flags, client) & ~EXCHANGES) | READABLE;
	table.flags[link] = i32(table.flags, link) | READABLE;
	return to(RELAY_ON, EPOLLIN);
}

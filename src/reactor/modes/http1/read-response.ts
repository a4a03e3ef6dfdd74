/** The second half of an exchange: the upstream's answer is passed on, its interim heads, its head, its body. */
import { EAGAIN, ENOBUFS, EPOLLIN } from "../../../kernel/constants.js";
import { at } from "../../../parts/at.js";
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
import { CHUNK_BYTES, type Core } from "../../core.js";
import { close, closeFailed } from "../../end/close.js";
import { closeOwned, own } from "../../links/owned.js";
import { noteKept, takenOut } from "../../links/pool.js";
import { BAD_RESPONSE, MEMORY_PRESSURE, UPSTREAM_CLOSED, UPSTREAM_RESET } from "../../records/reasons.js";
import { RECYCLED_UPGRADED } from "../../records/recycle-reasons.js";
import { AHEAD, BLOCKED, ENDING, EXCHANGE, EXCHANGES, READABLE, SECURED } from "../../table/table.js";
import { block, mayKeep } from "../../wire/outbox.js";
import { widenWindow } from "../../wire/socket-options.js";
import { discard, emptied, gather, isSecured, peek, putBack, receive } from "../../wire/transport.js";
import { beginRelay } from "../relay/relay.js";
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
	IN_AT,
	KEEPS_TRAILERS,
	moveBody,
	NOT_WHOLE,
	spoil,
} from "./body.js";
import {
	ANSWERED,
	AWAITS_CONTINUE,
	HASTY,
	HEAD_WRITTEN,
	KEEPS_CLIENT,
	KEEPS_UPSTREAM,
	REQUEST_SENT,
	SPEAKS_1_1,
	SPOILT,
	UPSTREAM_CUT,
	WEBSOCKET,
	WIDENED,
} from "./columns.js";
import { count, finish, refuseAmid, upstreamFailed } from "./finish.js";
import { PEEK_BYTES } from "./read-request.js";
import { beginRate, NOT_TAKEN, OUT_AT, ROUNDS_PER_TURN, sendHeadBytes } from "./send-request.js";

/** What the upstream has said: interim heads, the final head, then its body. */
export function readResponse(core: Core, client: number, link: number): void {
	const { table, exchanges } = core;
	const generation = at(table.generation, client);
	for (let round = 0; round < ROUNDS_PER_TURN; round++) {
		if ((at(table.flags, link) & READABLE) === 0 || (at(table.flags, client) & BLOCKED) !== 0) return;
		// A head is little, and often all there is.
		if (core.turnBytes <= 0 && exchanges.has(client, ANSWERED)) break;
		if (!exchanges.has(client, ANSWERED)) {
			if (!readResponseHead(core, client, link)) return;
			continue;
		}
		const step = moveBody(core, link, client, client, exchanges.response);
		if (step === BODY_WAITS) return;
		if (step === BODY_DONE) {
			finish(core, client, link);
			return;
		}
		const endsSo = at(exchanges.response.framing, client) === FRAMING_CLOSE;
		if (step === BODY_ENDED && endsSo && !exchanges.has(client, UPSTREAM_CUT)) {
			finish(core, client, link);
			return;
		}
		if (step === BODY_MOVED) continue;
		if (step === BODY_READ_FAILED) closeFailed(core, link, core.receiveErrno);
		else if (step === BODY_WRITE_FAILED) closeFailed(core, client, core.sendErrno);
		else if (step === BODY_MALFORMED) {
			core.counters.badResponse(core.messageCause);
			close(core, client, BAD_RESPONSE);
		} else close(core, client, exchanges.has(client, UPSTREAM_CUT) ? UPSTREAM_RESET : UPSTREAM_CLOSED);
		return;
	}
	if (at(table.generation, client) === generation) core.enqueue(link);
}

/** False when there is none yet, or the session has gone on or ended. */
function readResponseHead(core: Core, client: number, link: number): boolean {
	const { kernel, table, exchanges, responseHead, responseRewrite } = core;
	const isTaken = mayTake(core, link);
	const count = isTaken ? receive(core, link, IN_AT, PEEK_BYTES) : peek(core, link, IN_AT, PEEK_BYTES);
	if (count === -EAGAIN) {
		table.flags[link] = at(table.flags, link) & ~READABLE;
		return false;
	}
	if (count <= 0) {
		upstreamFailed(core, client, link);
		return false;
	}
	const minor = exchanges.has(client, SPEAKS_1_1) ? 1 : 0;
	const method = at(exchanges.method, client);
	const verdict = parseResponse(kernel.memory, IN_AT, IN_AT + count, method, responseHead);
	if (isTaken && (verdict !== COMPLETE || responseHead.isInterim)) putBack(core, link, IN_AT, count);
	if (verdict === NEED_MORE && isSecured(core, link)) {
		const now = gather(core, link, count);
		if (now > count) return true;
		if (now === -ENOBUFS) {
			refuseAmid(core, client, link, 503, MEMORY_PRESSURE);
			return false;
		}
	}
	if (verdict === NEED_MORE && (at(table.flags, link) & ENDING) === 0) {
		table.flags[link] = at(table.flags, link) & ~READABLE;
		// Once: each time, the kernel tells anew of what is there.
		if (!exchanges.has(client, WIDENED)) {
			exchanges.set(client, WIDENED);
			widenWindow(core, link);
		}
		return false;
	}
	if (verdict !== COMPLETE) {
		refuseResponse(core, client, link, verdict === MALFORMED ? responseHead.cause : HEAD_INCOMPLETE);
		return false;
	}
	const isWebSocket = exchanges.has(client, WEBSOCKET) && isWebSocketResponse(kernel.memory, responseHead);
	if (responseHead.isUpgrade && !isWebSocket) {
		refuseResponse(core, client, link, UNEXPECTED_UPGRADE);
		return false;
	}
	const { headLength, fields } = responseHead;
	if (fields.bindsConnection) own(core, client, link);
	noteKept(core, link, fields.keepAliveSeconds);
	// What it says of a body may come, and be taken for the answer.
	if (responseHead.isInterim && !responseHead.keepAlive) spoil(core, client);
	if (responseHead.isInterim && minor === 0) {
		discard(core, link, headLength);
		return true;
	}
	const keeps = responseHead.isInterim || keepsClient(core, client);
	const rules = core.rulesOf(client);
	responseRewrite.via = rules.via;
	responseRewrite.edits = rules.response;
	responseRewrite.requestMinor = minor;
	responseRewrite.closes = !keeps;
	const length = writeResponseHead(kernel.memory, responseHead, responseRewrite, kernel.memory, OUT_AT);
	if (length === NO_ROOM || length > CHUNK_BYTES) {
		refuseResponse(core, client, link, HEAD_TOO_LARGE);
		return false;
	}
	const isOut = isTaken && !responseHead.isInterim;
	return passResponseHead(core, client, link, length, count, isOut, keeps);
}

/** The upstream broke a rule of HTTP, which the log names. */
function refuseResponse(core: Core, client: number, link: number, cause: number): void {
	core.counters.badResponse(cause);
	core.messageCause = cause;
	refuseAmid(core, client, link, 502, BAD_RESPONSE);
}

/**
 * Most answers are there whole with their head, and nothing behind them: taken at once, they cost a call less. What
 * proves to be otherwise is put back, so there must be room for that, and for what the client does not take. TLS shows
 * what it has decrypted without a call.
 */
function mayTake(core: Core, link: number): boolean {
	if ((at(core.table.flags, link) & (SECURED | AHEAD)) !== 0) return false;
	return core.chunks.available >= 2 && core.bufferRoom >= 2 * CHUNK_BYTES;
}

/**
 * Whether the client's connection goes on, decided once: when the answer could not be sent at first, TLS may have
 * encrypted it as it was.
 */
function keepsClient(core: Core, client: number): boolean {
	const { exchanges } = core;
	if (exchanges.has(client, HEAD_WRITTEN)) return exchanges.has(client, KEEPS_CLIENT);
	const keeps = exchanges.has(client, KEEPS_CLIENT) && exchanges.has(client, REQUEST_SENT) && !core.draining;
	if (!keeps) exchanges.clear(client, KEEPS_CLIENT);
	return keeps;
}

/** Sends the head, together with what is there of a short body. `isOut`: what is at hand was taken, not peeked. */
function passResponseHead(
	core: Core,
	client: number,
	link: number,
	length: number,
	count: number,
	isOut: boolean,
	keeps: boolean,
): boolean {
	const { table, exchanges, responseHead } = core;
	const { headLength, framing, contentLength, isInterim, statusCode } = responseHead;
	const manner = isDecoded(responseHead, core.responseRewrite) ? DECODES : KEEPS_TRAILERS;
	if (!isInterim) exchanges.response.begin(client, framing, contentLength, manner);
	// Most answers are short: one call for all of it.
	const added = mayKeep(core) ? copyBodyAtHand(core, client, count, length) : 0;
	const part = added === 0 ? 0 : core.walkedBytes;
	const result = sendHeadBytes(core, client, length + added);
	if (result === NOT_TAKEN) {
		// The answer before this one fills its socket. This one stays where it is.
		if (!isInterim) exchanges.set(client, HEAD_WRITTEN);
		block(core, client);
		return false;
	}
	if (result < 0) {
		if (result === -EAGAIN) close(core, client, MEMORY_PRESSURE);
		else closeFailed(core, client, -result);
		return false;
	}
	const rest = count - headLength - part;
	if (!isOut) discard(core, link, headLength + part);
	else if (rest > 0) putBack(core, link, IN_AT + headLength + part, rest);
	if (rest === 0 && count < PEEK_BYTES) emptied(core, link);
	if (isInterim) {
		if (statusCode === STATUS_CONTINUE && exchanges.has(client, AWAITS_CONTINUE))
			beginRate(core, client, link);
		return true;
	}
	answered(core, client, keeps);
	if (framing === FRAMING_LENGTH) exchanges.response.left[client] = contentLength - part;
	if (responseHead.isUpgrade) {
		becomeRelay(core, client, link);
		return false;
	}
	const isDone =
		framing === FRAMING_NONE ||
		(framing === FRAMING_LENGTH && at(exchanges.response.left, client) === 0) ||
		(framing === FRAMING_CHUNKED && part > 0);
	if (isDone) finish(core, client, link);
	return !isDone && at(table.state, client) === EXCHANGE;
}

/**
 * Writes what may go of the body with the head, of `length` bytes, behind it: of chunks all of them or nothing,
 * otherwise what is there. Returns how many bytes that are; `walkedBytes`: how many of the upstream's.
 */
function copyBodyAtHand(core: Core, client: number, count: number, length: number): number {
	const { responseHead, kernel } = core;
	const { headLength, framing, contentLength } = responseHead;
	const room = CHUNK_BYTES - length;
	const available = Math.min(count - headLength, room);
	const start = IN_AT + headLength;
	if (available === 0) return 0;
	if (framing === FRAMING_LENGTH || framing === FRAMING_CLOSE) {
		const part = framing === FRAMING_LENGTH ? Math.min(contentLength, available) : available;
		kernel.memory.copyWithin(OUT_AT + length, start, start + part);
		core.walkedBytes = part;
		return part;
	}
	if (framing !== FRAMING_CHUNKED) return 0;
	const written = copyWholeChunks(core, client, start, available, OUT_AT + length);
	// Written anew, trailers may be longer than they were.
	return written === NOT_WHOLE || written > room ? 0 : written;
}

/** The head of the answer has gone: the request need not be sent again. */
function answered(core: Core, client: number, keeps: boolean): void {
	const { exchanges, responseHead } = core;
	const kept = at(exchanges.headBytes, client);
	if (kept > 0) discard(core, client, kept);
	exchanges.headBytes[client] = 0;
	exchanges.set(client, ANSWERED);
	exchanges.status[client] = responseHead.statusCode;
	const tookMs = core.nowMs - at(exchanges.startedMs, client);
	core.counters.upstreamAnswered(at(core.table.upstream, client), responseHead.statusCode, tookMs);
	const endsItself = responseHead.framing === FRAMING_CLOSE || isDecoded(responseHead, core.responseRewrite);
	if (!keeps || endsItself) exchanges.clear(client, KEEPS_CLIENT);
	if (responseHead.keepAlive && !exchanges.has(client, HASTY | SPOILT)) exchanges.set(client, KEEPS_UPSTREAM);
}

/** 101: what follows is no HTTP. The session goes on as a relayed one, on the same descriptors. */
function becomeRelay(core: Core, client: number, link: number): void {
	const { table } = core;
	count(core, client);
	takenOut(core, RECYCLED_UPGRADED);
	closeOwned(core, client);
	table.flags[client] = (at(table.flags, client) & ~EXCHANGES) | READABLE;
	table.flags[link] = at(table.flags, link) | READABLE;
	beginRelay(core, client, link, EPOLLIN);
}

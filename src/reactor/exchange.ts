/**
 * The mode in which requests are read (HTTP/1.1): each is routed on its own, sent over a pooled upstream
 * connection, and answered before the next is looked at.
 *
 *     REQUEST ──head whole──► routed ──► DIAL or a pooled connection ──► EXCHANGE ──answered──► REQUEST …
 *
 * Heads are peeked until they are whole, so a slow head costs no memory, and a request without a body stays in
 * the kernel until it is answered: when a pooled connection proves stale, it is simply read once more.
 */
import {
	EAGAIN,
	EPOLLERR,
	EPOLLHUP,
	EPOLLIN,
	EPOLLOUT,
	EPOLLPRI,
	EPOLLRDHUP,
	SO_RCVBUF,
	SO_RCVLOWAT,
	SOL_SOCKET,
} from "../kernel/constants.js";
import type { AnswerStatus } from "../protocol/http/answers.js";
import { FRAMING_CLOSE, FRAMING_LENGTH, FRAMING_NONE } from "../protocol/http/framing.js";
import { HEAD_LIMIT_BYTES, headEnd } from "../protocol/http/head-end.js";
import {
	METHOD_DELETE,
	METHOD_GET,
	METHOD_HEAD,
	METHOD_OPTIONS,
	METHOD_PUT,
	METHOD_TRACE,
} from "../protocol/http/methods.js";
import { parseRequest } from "../protocol/http/request.js";
import { parseResponse, STATUS_CONTINUE } from "../protocol/http/response.js";
import { NO_ROOM, writeRequestHead, writeResponseHead } from "../protocol/http/rewrite.js";
import {
	checkWebSocketRequest,
	isWebSocketResponse,
	WEBSOCKET_MALFORMED,
	WEBSOCKET_VALID,
	WEBSOCKET_VERSION,
} from "../protocol/http/upgrade.js";
import { COMPLETE, MALFORMED, NEED_MORE, PROTOCOL_HTTP } from "../protocol/index.js";
import { at } from "./at.js";
import {
	BODY_DONE,
	BODY_ENDED,
	BODY_MALFORMED,
	BODY_MOVED,
	BODY_WAITS,
	BODY_WRITE_FAILED,
	discard,
	emptied,
	IN_AT,
	moveBody,
	peek,
} from "./bodies.js";
import { close, closeFailed } from "./close.js";
import { CHUNK_BYTES, type Core, type ReactorListener } from "./core.js";
import { dial } from "./dial.js";
import {
	ANSWERED,
	AWAITS_CONTINUE,
	HASTY,
	KEEPS_CLIENT,
	KEEPS_UPSTREAM,
	REPEATABLE,
	REQUEST_CUT,
	REQUEST_SENT,
	RETRIED,
	REUSED,
	SPEAKS_1_1,
	WEBSOCKET,
} from "./exchanges.js";
import {
	block,
	EMPTIED,
	flushOutbox,
	lifetimeDeadline,
	lookAtBoth,
	mayKeep,
	moved,
	nextLook,
	send,
	sendOrKeep,
	stallDeadline,
} from "./outbox.js";
import { borrowed, giveBack, hasBytes, returnSpent, takenOut } from "./pool.js";
import {
	BAD_REQUEST,
	BAD_RESPONSE,
	CLIENT_CLOSED,
	CLIENT_RESET,
	DRAINED,
	IDLE_TIMEOUT,
	INTERNAL,
	LIFETIME,
	NO_ROUTE,
	RECYCLED,
	REJECTED,
	REQUEST_TIMEOUT,
	RESPONSE_TIMEOUT,
	STALL_TIMEOUT,
	UPSTREAM_CLOSED,
} from "./reasons.js";
import {
	RECYCLED_CUT,
	RECYCLED_STALE,
	RECYCLED_UPGRADED,
	RECYCLED_UPSTREAM_SAID,
} from "./recycle-reasons.js";
import { answerAndClose, lingerThenClose } from "./refuse.js";
import { beginRelay } from "./relay.js";
import {
	BLOCKED,
	CLOSING,
	ENDING,
	EXCHANGE,
	EXCHANGES,
	HAD_REQUESTS,
	LOW_WATER,
	NAME_BYTES,
	NONE,
	READABLE,
	REQUEST,
	URGENT,
} from "./table.js";

/** Where heads are written, within the scratch space. */
const OUT_AT = 32 * 1024;

/** What is looked at of a request or a response at once: the longest head, and as much of a body. */
const PEEK_BYTES = 2 * HEAD_LIMIT_BYTES;

/** Buffers that a body may move before others have their turn. */
const ROUNDS_PER_TURN = 16;

/** A request body is measured over so long. */
const RATE_WINDOW_MS = 10_000;

/** A connection that was recognised as HTTP, on a listener that reads requests. */
export function beginExchanges(core: Core, client: number): void {
	const { table, kernel, exchanges } = core;
	const proxyHeader = at(table.proxyHeaderBytes, client);
	if (proxyHeader > 0) {
		// Peeked whole before, and nothing behind it needs it any more.
		kernel.discard(at(table.fd, client), proxyHeader);
		table.proxyHeaderBytes[client] = 0;
	}
	if ((at(table.flags, client) & LOW_WATER) !== 0) {
		// What comes next may be shorter than the rest of the first head was.
		if (kernel.setOption(at(table.fd, client), SOL_SOCKET, SO_RCVLOWAT, 1) < 0) {
			close(core, client, INTERNAL);
			return;
		}
		table.flags[client] = at(table.flags, client) & ~LOW_WATER;
	}
	table.state[client] = REQUEST;
	table.flags[client] = at(table.flags, client) | EXCHANGES | HAD_REQUESTS | READABLE;
	table.recognizedMs[client] = core.nowMs;
	exchanges.begin(client);
	exchanges.headMs[client] = at(table.acceptedMs, client);
	core.counters.handshakeTook(at(table.listener, client), core.nowMs - at(table.acceptedMs, client));
	armRequest(core, client);
	readRequest(core, client);
}

// Reading a request.

/** Looks at what the client has sent. */
export function readRequest(core: Core, client: number): void {
	const { kernel, table, exchanges, requestHead } = core;
	// Answers go out in order: the next request waits until the last answer is taken.
	if ((at(table.flags, client) & (BLOCKED | READABLE)) !== READABLE) return;
	const count = peek(core, client, IN_AT, PEEK_BYTES);
	if (count === -EAGAIN) {
		table.flags[client] = at(table.flags, client) & ~READABLE;
		if (core.draining) lingerThenClose(core, client, DRAINED);
		return;
	}
	if (count < 0) {
		closeFailed(core, client, -count);
		return;
	}
	if (count === 0) {
		close(core, client, CLIENT_CLOSED);
		return;
	}
	if (at(exchanges.headMs, client) === 0) {
		exchanges.headMs[client] = core.nowMs;
		armRequest(core, client);
	}
	const scanned = at(exchanges.scanned, client);
	if (scanned > 0) {
		const end = headEnd(kernel.memory, IN_AT, IN_AT + count, scanned);
		if (end < 0) {
			waitForHead(core, client, ~end);
			return;
		}
	}
	const verdict = parseRequest(kernel.memory, IN_AT, IN_AT + count, requestHead);
	if (verdict === NEED_MORE) waitForHead(core, client, requestHead.scanFrom);
	else if (verdict === MALFORMED) {
		core.counters.badRequest(requestHead.cause);
		answerAndClose(core, client, requestHead.status as AnswerStatus, BAD_REQUEST); // of HTTP_CAUSES
	} else {
		noteRead(core, client, count);
		routeRequest(core, client);
	}
}

/** Room for a head beside what the kernel may still hold of the bytes before it. */
const WINDOW_BYTES = 128 * 1024;

/**
 * Peeked bytes stay in the kernel, in buffers that they may share with bytes that were taken long ago: a few of them
 * can keep the receive buffer full, and the window shut, so that the rest of their head could never come. The kernel
 * grows the buffer of a socket that waits for more than it has; where a size was configured, it is told to.
 */
function widenWindow(core: Core, slot: number): void {
	const { kernel, table } = core;
	const fd = at(table.fd, slot);
	if (core.policyOf(table.clientOf(slot)).receiveBufferBytes > 0) {
		kernel.setOption(fd, SOL_SOCKET, SO_RCVBUF, WINDOW_BYTES);
		return;
	}
	kernel.setOption(fd, SOL_SOCKET, SO_RCVLOWAT, WINDOW_BYTES);
	kernel.setOption(fd, SOL_SOCKET, SO_RCVLOWAT, 1);
}

function waitForHead(core: Core, client: number, scanFrom: number): void {
	if (at(core.exchanges.scanned, client) === 0) widenWindow(core, client);
	const { flags } = core.table;
	core.exchanges.scanned[client] = scanFrom;
	// It will never be whole.
	if ((at(flags, client) & ENDING) !== 0) close(core, client, CLIENT_CLOSED);
	else flags[client] = at(flags, client) & ~READABLE;
}

/**
 * A head that is all there is leaves nothing to be read when it is taken; an end that was announced can still
 * follow. What stands behind it, the next request for one, is not announced again.
 */
function noteRead(core: Core, client: number, count: number): void {
	if (count === core.requestHead.headLength) emptied(core, client);
}

/** The head at hand is whole: where does it go? */
function routeRequest(core: Core, client: number): void {
	const { table, requestHead, exchanges, query } = core;
	const listener = core.listenerOf(client);
	const { authority, method, framing } = requestHead;
	exchanges.startedMs[client] = core.nowMs;
	exchanges.method[client] = method;
	exchanges.requests[client] = at(exchanges.requests, client) + 1;
	if (requestHead.versionMinor === 1) exchanges.set(client, SPEAKS_1_1);
	keepName(core, client);

	query.protocol = PROTOCOL_HTTP;
	query.name = authority.host;
	query.nameLength = authority.hostLength;
	query.path = core.kernel.memory;
	query.pathStart = requestHead.pathStart;
	query.pathEnd = requestHead.pathEnd;
	query.family = at(table.family, client);
	query.sourceOffset = client * 16;
	const index = listener.router.match(query);
	const route = listener.plan.routes[index];
	if (route === undefined) {
		answerAndClose(core, client, 404, NO_ROUTE);
		return;
	}
	table.route[client] = route.slot;
	core.counters.routed(route.slot);
	if (route.upstream < 0) {
		answerAndClose(core, client, 403, REJECTED);
		return;
	}
	table.upstream[client] = route.upstream;
	table.tried[client] = 0;
	table.attempts[client] = 0;
	table.dialledMs[client] = 0;
	const limits = listener.plan.http;
	if (
		requestHead.keepAlive &&
		!core.draining &&
		at(exchanges.requests, client) < limits.requestsPerConnection
	)
		exchanges.set(client, KEEPS_CLIENT);
	if (core.upstreams.get(route.upstream)?.plan.pool === null) {
		// An upstream of bytes: from this request on the session is relayed, and what was peeked goes with it.
		table.flags[client] = (at(table.flags, client) & ~EXCHANGES) | READABLE;
		dial(core, client);
		return;
	}
	const webSocket = checkWebSocketRequest(core.kernel.memory, requestHead);
	if (webSocket === WEBSOCKET_MALFORMED || webSocket === WEBSOCKET_VERSION) {
		answerAndClose(core, client, webSocket === WEBSOCKET_VERSION ? 426 : 400, BAD_REQUEST);
		return;
	}
	if (webSocket === WEBSOCKET_VALID) exchanges.set(client, WEBSOCKET);
	// A body of no bytes is none.
	const isEmpty = framing === FRAMING_LENGTH && requestHead.contentLength === 0;
	exchanges.request.begin(client, isEmpty ? FRAMING_NONE : framing, requestHead.contentLength);
	if ((isEmpty || framing === FRAMING_NONE) && SAFE_METHODS.has(method)) exchanges.set(client, REPEATABLE);
	dial(core, client);
}

function keepName(core: Core, client: number): void {
	const { table, requestHead } = core;
	const { host, hostLength } = requestHead.authority;
	table.nameLength[client] = hostLength;
	core.longNames.delete(client);
	if (hostLength > NAME_BYTES) core.longNames.set(client, host.slice(0, hostLength));
	else for (let i = 0; i < hostLength; i++) table.name[client * NAME_BYTES + i] = at(host, i);
}

// Sending it.

/** The request's upstream connection is there: new, or lent by the pool. */
export function beginExchange(core: Core, client: number, link: number, isNew: boolean): void {
	const { table, exchanges } = core;
	table.state[client] = EXCHANGE;
	table.state[link] = EXCHANGE;
	table.peer[client] = link;
	table.peer[link] = client;
	table.activeMs[client] = core.nowMs;
	table.sent[link] = 0;
	if (isNew) exchanges.clear(client, REUSED);
	else exchanges.set(client, REUSED);
	borrowed(core, link);
	// While it was dialled for, other heads lay where this one was.
	if (isNew && !readAgain(core, client)) return;
	if (isNew && hasBytes(core, link)) {
		// Such as a refusal by one that is full. It came with the news of the connection, and is not announced again.
		table.flags[link] = at(table.flags, link) | READABLE;
		exchanges.set(client, HASTY);
	} else exchanges.clear(client, HASTY);
	sendHead(core, client, link);
}

/** Reads the head at hand once more: it is in the kernel still. False: the client is gone, and so is the session. */
function readAgain(core: Core, client: number): boolean {
	const { kernel, requestHead } = core;
	const count = peek(core, client, IN_AT, PEEK_BYTES);
	if (count > 0 && parseRequest(kernel.memory, IN_AT, IN_AT + count, requestHead) === COMPLETE) {
		noteRead(core, client, count);
		return true;
	}
	// Bytes that were seen once stay, unless the connection was reset.
	close(core, client, CLIENT_RESET);
	return false;
}

function sendHead(core: Core, client: number, link: number): void {
	const { table, kernel, exchanges, requestHead, requestRewrite } = core;
	const listener = core.listenerOf(client);
	requestRewrite.keepsUpgrade = exchanges.has(client, WEBSOCKET);
	requestRewrite.isTrusted = isTrusted(core, listener, client);
	requestRewrite.peerFamily = at(table.family, client) as 4 | 6; // written by accept and by PROXY headers
	requestRewrite.peer = table.source;
	requestRewrite.peerOffset = client * 16;
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
	if (result === NOT_TAKEN) {
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

function isTrusted(core: Core, listener: ReactorListener, client: number): boolean {
	const { forwardedTrusted } = listener.plan.http;
	if (forwardedTrusted.length === 0) return false;
	return core.isWithin(forwardedTrusted, at(core.table.family, client), client * 16);
}

/**
 * Sends what was written at OUT_AT. Returns EMPTIED or WAITS when it goes; NOT_TAKEN when none of it does and no
 * chunk is there to keep it in, so that whoever has it in the kernel still can wait; otherwise a negative errno.
 */
function sendHeadBytes(core: Core, to: number, length: number): number {
	if (mayKeep(core)) return sendOrKeep(core, to, OUT_AT, length);
	const sent = send(core, to, OUT_AT, length);
	if (sent === 0) return NOT_TAKEN;
	if (sent < 0) return sent;
	moved(core, to, sent);
	return sent === length ? EMPTIED : -EAGAIN;
}

const NOT_TAKEN = 2;

/** REQUEST_SENT or REQUEST_CUT: from here on its answer is waited for. */
function requestOver(core: Core, client: number, how: number): void {
	core.exchanges.set(client, how);
	core.exchanges.sentMs[client] = core.nowMs;
}

/** Moves the request's body on, as far as it has come and is taken. */
function sendBody(core: Core, client: number, link: number): void {
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
		case BODY_MALFORMED:
			core.counters.badRequest(core.chunkedScanner.cause);
			refuseAmid(core, client, link, 400, BAD_REQUEST);
			return;
		default:
			close(core, client, CLIENT_RESET);
	}
}

/** From now on, bytes of the body are expected. */
function beginRate(core: Core, client: number, link: number): void {
	const { exchanges } = core;
	exchanges.clear(client, AWAITS_CONTINUE);
	exchanges.rateMs[client] = core.nowMs;
	exchanges.rateSent[client] = at(core.table.sent, link);
	armExchange(core, client);
}

// Answering it.

/** What the upstream has said: interim heads, the final head, then its body. */
function readResponse(core: Core, client: number, link: number): void {
	const { table, exchanges } = core;
	const generation = at(table.generation, client);
	for (let round = 0; round < ROUNDS_PER_TURN; round++) {
		if ((at(table.flags, link) & READABLE) === 0 || (at(table.flags, client) & BLOCKED) !== 0) return;
		if (core.turnBytes <= 0) break;
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
		if (step === BODY_ENDED && at(exchanges.response.framing, client) === FRAMING_CLOSE) {
			finish(core, client, link);
			return;
		}
		if (step === BODY_MOVED) continue;
		if (step === BODY_WRITE_FAILED) close(core, client, CLIENT_RESET);
		else close(core, client, step === BODY_MALFORMED ? BAD_RESPONSE : UPSTREAM_CLOSED);
		return;
	}
	if (at(table.generation, client) === generation) core.enqueue(link);
}

/** False when there is none yet, or the session has gone on or ended. */
function readResponseHead(core: Core, client: number, link: number): boolean {
	const { kernel, table, exchanges, responseHead, responseRewrite } = core;
	const count = peek(core, link, IN_AT, PEEK_BYTES);
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
	const verdict = parseResponse(kernel.memory, IN_AT, IN_AT + count, method, minor, responseHead);
	if (verdict === NEED_MORE && (at(table.flags, link) & ENDING) === 0) {
		table.flags[link] = at(table.flags, link) & ~READABLE;
		widenWindow(core, link);
		return false;
	}
	if (verdict !== COMPLETE) {
		if (verdict === MALFORMED) core.counters.badResponse(responseHead.cause);
		refuseAmid(core, client, link, 502, BAD_RESPONSE);
		return false;
	}
	const isWebSocket = exchanges.has(client, WEBSOCKET) && isWebSocketResponse(kernel.memory, responseHead);
	if (responseHead.isUpgrade && !isWebSocket) {
		refuseAmid(core, client, link, 502, BAD_RESPONSE);
		return false;
	}
	const { headLength } = responseHead;
	if (responseHead.isInterim && minor === 0) {
		discard(core, link, headLength);
		return true;
	}
	const keeps = exchanges.has(client, KEEPS_CLIENT) && exchanges.has(client, REQUEST_SENT) && !core.draining;
	responseRewrite.requestMinor = minor;
	responseRewrite.closes = !keeps;
	const length = writeResponseHead(kernel.memory, responseHead, responseRewrite, kernel.memory, OUT_AT);
	if (length === NO_ROOM || length > CHUNK_BYTES) {
		refuseAmid(core, client, link, 502, BAD_RESPONSE);
		return false;
	}
	return passResponseHead(core, client, link, length, count, keeps);
}

/** Sends the head, together with what is there of a short body. */
function passResponseHead(
	core: Core,
	client: number,
	link: number,
	length: number,
	count: number,
	keeps: boolean,
): boolean {
	const { kernel, table, exchanges, responseHead } = core;
	const { headLength, framing, contentLength, isInterim, statusCode } = responseHead;
	let part = 0;
	if (framing === FRAMING_LENGTH && mayKeep(core)) {
		// Most answers are short: one call for all of it.
		part = Math.min(contentLength, count - headLength, CHUNK_BYTES - length);
		kernel.memory.copyWithin(OUT_AT + length, IN_AT + headLength, IN_AT + headLength + part);
	}
	const result = sendHeadBytes(core, client, length + part);
	if (result === NOT_TAKEN) {
		// The answer before this one fills its socket. This one stays where it is.
		block(core, client);
		return false;
	}
	if (result < 0) {
		close(core, client, CLIENT_RESET);
		return false;
	}
	discard(core, link, headLength + part);
	if (headLength + part === count && count < PEEK_BYTES) emptied(core, link);
	if (isInterim) {
		if (statusCode === STATUS_CONTINUE && exchanges.has(client, AWAITS_CONTINUE))
			beginRate(core, client, link);
		return true;
	}
	answered(core, client, keeps);
	exchanges.response.left[client] = contentLength - part;
	if (responseHead.isUpgrade) {
		becomeRelay(core, client, link);
		return false;
	}
	const isDone =
		framing === FRAMING_NONE || (framing === FRAMING_LENGTH && at(exchanges.response.left, client) === 0);
	if (isDone) finish(core, client, link);
	return !isDone && at(table.state, client) === EXCHANGE;
}

/** The head of the answer has gone: the request need not be sent again. */
function answered(core: Core, client: number, keeps: boolean): void {
	const { exchanges, responseHead } = core;
	const kept = at(exchanges.headBytes, client);
	if (kept > 0) discard(core, client, kept);
	exchanges.headBytes[client] = 0;
	exchanges.set(client, ANSWERED);
	exchanges.status[client] = responseHead.statusCode;
	if (!keeps || responseHead.framing === FRAMING_CLOSE) exchanges.clear(client, KEEPS_CLIENT);
	if (responseHead.keepAlive && !exchanges.has(client, HASTY)) exchanges.set(client, KEEPS_UPSTREAM);
	exchanges.response.begin(client, responseHead.framing, responseHead.contentLength);
}

/** 101: what follows is no HTTP. The session goes on as a relayed one, on the same descriptors. */
function becomeRelay(core: Core, client: number, link: number): void {
	const { table } = core;
	count(core, client);
	takenOut(core, RECYCLED_UPGRADED);
	table.flags[client] = (at(table.flags, client) & ~EXCHANGES) | READABLE;
	table.flags[link] = at(table.flags, link) | READABLE;
	beginRelay(core, client, link, EPOLLIN);
}

/** The answer is complete: the upstream's connection goes back, and the client's goes on or ends. */
function finish(core: Core, client: number, link: number): void {
	const { table, exchanges } = core;
	count(core, client);
	const isWhole = exchanges.has(client, REQUEST_SENT) && (at(table.flags, link) & (BLOCKED | ENDING)) === 0;
	release(core, client);
	if (isWhole && exchanges.has(client, KEEPS_UPSTREAM)) giveBack(core, link);
	else returnSpent(core, link, isWhole ? RECYCLED_UPSTREAM_SAID : RECYCLED_CUT);
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

function nextRequest(core: Core, client: number): void {
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
	if (at(exchanges.response.framing, client) === FRAMING_CLOSE) return UPSTREAM_CLOSED;
	const { requestsPerConnection } = core.listenerOf(client).plan.http;
	return at(exchanges.requests, client) >= requestsPerConnection ? RECYCLED : CLIENT_CLOSED;
}

/** Counts a request that was answered by its upstream. */
function count(core: Core, client: number): void {
	const { table, exchanges, counters } = core;
	counters.requestServed(
		at(table.route, client),
		at(table.listener, client),
		at(exchanges.status, client),
		core.nowMs - at(exchanges.startedMs, client),
	);
}

/** The upstream takes nothing more. It has heard enough, and may have said why: an early answer, then a reset, is common. */
function upstreamBroke(core: Core, client: number, link: number): void {
	const { flags } = core.table;
	requestOver(core, client, REQUEST_CUT);
	flags[link] = at(flags, link) | READABLE | ENDING;
	armExchange(core, client);
	readResponse(core, client, link);
}

/** The upstream's connection broke, or ended, before it answered. */
function upstreamFailed(core: Core, client: number, link: number): void {
	const { exchanges } = core;
	const isKept = at(exchanges.headBytes, client) > 0;
	const isSafe = SAFE_METHODS.has(at(exchanges.method, client));
	if (isKept && isSafe && exchanges.has(client, REUSED) && !exchanges.has(client, RETRIED)) {
		// It had been closed while it was idle, which is nobody's fault.
		release(core, client);
		returnSpent(core, link, RECYCLED_STALE);
		exchanges.set(client, RETRIED);
		exchanges.clear(client, REQUEST_SENT | REQUEST_CUT);
		core.table.tried[client] = 0;
		core.table.attempts[client] = 0;
		dial(core, client);
		return;
	}
	refuseAmid(core, client, link, 502, UPSTREAM_CLOSED);
}

/** Requests that may be sent once more: RFC 9110, 9.2.2. */
const SAFE_METHODS: ReadonlySet<number> = new Set([
	METHOD_GET,
	METHOD_HEAD,
	METHOD_OPTIONS,
	METHOD_TRACE,
	METHOD_PUT,
	METHOD_DELETE,
]);

/** Gives the upstream connection up before anything was sent on it. */
function abandon(core: Core, client: number, link: number): void {
	release(core, client);
	giveBack(core, link);
}

/** Ends an exchange with an answer of our own, or with a reset when the upstream's has begun. */
function refuseAmid(core: Core, client: number, link: number, status: AnswerStatus, reason: number): void {
	if (core.exchanges.has(core.table.clientOf(client), ANSWERED) || isBlocked(core, client)) {
		close(core, client, reason);
		return;
	}
	release(core, client);
	returnSpent(core, link, RECYCLED_CUT);
	answerAndClose(core, client, status, reason);
}

function isBlocked(core: Core, slot: number): boolean {
	return (at(core.table.flags, slot) & BLOCKED) !== 0;
}

// News.

/** Of a client between requests. */
export function requestNews(core: Core, client: number, events: number): void {
	note(core, client, events);
	if ((events & (EPOLLERR | EPOLLHUP)) !== 0) {
		closeFailed(core, client, core.kernel.takeError(at(core.table.fd, client)) || RESET_UNSAID);
		return;
	}
	if ((events & EPOLLOUT) !== 0 && isBlocked(core, client)) {
		const result = flushOutbox(core, client);
		if (result < 0) {
			closeFailed(core, client, -result);
			return;
		}
		if (result !== EMPTIED) return;
		armRequest(core, client);
		if ((at(core.table.flags, client) & CLOSING) !== 0) {
			lingerThenClose(core, client, at(core.table.reason, client));
			return;
		}
	}
	if ((at(core.table.flags, client) & CLOSING) === 0) readRequest(core, client);
}

/** ECONNRESET, for a connection that both sides have ended. */
const RESET_UNSAID = 104;

/** Bytes, an end or an error. */
const SAYS_SOMETHING = EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLHUP | EPOLLERR;

/** Of either side of an exchange. */
export function exchangeNews(core: Core, slot: number, events: number): void {
	const { table, exchanges } = core;
	note(core, slot, events);
	const client = table.clientOf(slot);
	const link = at(table.peer, client);
	if (
		slot === link &&
		(events & SAYS_SOMETHING) !== 0 &&
		at(exchanges.lentTurn, link - table.sessions) === core.turn
	) {
		// What this turn brings was there before it was lent: it is no answer to what was sent since.
		upstreamFailed(core, client, link);
		return;
	}
	const generation = at(table.generation, client);
	if (slot === client && (events & (EPOLLERR | EPOLLHUP)) !== 0) {
		close(core, client, CLIENT_RESET);
		return;
	}
	if ((events & EPOLLOUT) !== 0 && isBlocked(core, slot)) {
		const result = flushOutbox(core, slot);
		if (result < 0) {
			if (slot === client) close(core, client, CLIENT_RESET);
			else upstreamBroke(core, client, link);
			return;
		}
	}
	if (slot === link) readResponse(core, client, link);
	// Each step may end the session, or the exchange.
	if (at(table.generation, client) !== generation || at(table.state, client) !== EXCHANGE) return;
	if (slot === client) readResponse(core, client, link);
	if (at(table.generation, client) !== generation || at(table.state, client) !== EXCHANGE) return;
	sendBody(core, client, link);
}

/** A row that had more than its share of an earlier turn. */
export function exchangeQueued(core: Core, slot: number): void {
	exchangeNews(core, slot, 0);
}

function note(core: Core, slot: number, events: number): void {
	const { flags } = core.table;
	if ((events & SAYS_SOMETHING) === 0) return;
	let news = READABLE;
	if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) !== 0) news |= ENDING;
	if ((events & EPOLLPRI) !== 0) news |= URGENT;
	flags[slot] = at(flags, slot) | news;
}

// Deadlines.

function armRequest(core: Core, client: number): void {
	core.wheel.arm(client, Math.min(requestDeadline(core, client), nextLook(core, client)));
}

function armExchange(core: Core, client: number): void {
	core.wheel.arm(client, Math.min(exchangeDeadline(core, client), nextLook(core, client)));
}

/** Between requests: the next head's, from its first byte; or how long a connection may wait for one. */
function requestDeadline(core: Core, client: number): number {
	return Math.min(headDeadline(core, client), stallDeadline(core, client), lifetimeDeadline(core, client));
}

function headDeadline(core: Core, client: number): number {
	const { table, exchanges } = core;
	const { http } = core.listenerOf(client).plan;
	if (at(exchanges.requests, client) === 0)
		return at(table.acceptedMs, client) + core.policyOf(client).handshakeMs;
	const headMs = at(exchanges.headMs, client);
	if (headMs > 0) return headMs + http.requestHeadMs;
	// Who has not got the last answer yet is not idle.
	return isBlocked(core, client) ? Number.POSITIVE_INFINITY : at(table.activeMs, client) + http.keepAliveMs;
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
	else lingerThenClose(core, client, IDLE_TIMEOUT);
}

function exchangeDeadline(core: Core, client: number): number {
	return Math.min(
		bodyDeadline(core, client),
		answerDeadline(core, client),
		at(core.table.activeMs, client) + core.policyOf(client).idleMs,
		stallDeadline(core, client),
		lifetimeDeadline(core, client),
	);
}

/** While the request's body comes: when its rate is judged next. */
function bodyDeadline(core: Core, client: number): number {
	const { exchanges } = core;
	const isOver = REQUEST_SENT | REQUEST_CUT | ANSWERED;
	if (exchanges.has(client, isOver | AWAITS_CONTINUE)) return Number.POSITIVE_INFINITY;
	return at(exchanges.rateMs, client) + RATE_WINDOW_MS;
}

/** While the request is sent and not answered; or its head, when the client waits to be asked for the rest. */
function answerDeadline(core: Core, client: number): number {
	const { exchanges } = core;
	const waits = REQUEST_SENT | REQUEST_CUT | AWAITS_CONTINUE;
	if (exchanges.has(client, ANSWERED) || !exchanges.has(client, waits)) return Number.POSITIVE_INFINITY;
	return at(exchanges.sentMs, client) + core.listenerOf(client).plan.http.responseHeadMs;
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
	else if (stallDeadline(core, client) <= core.nowMs) close(core, client, STALL_TIMEOUT);
	else if (lifetimeDeadline(core, client) <= core.nowMs && exchanges.has(client, KEEPS_CLIENT)) {
		// Not in the middle of an answer: it is the last one.
		exchanges.clear(client, KEEPS_CLIENT);
		core.wheel.arm(client, core.nowMs + core.policyOf(client).stallMs);
	} else close(core, client, lifetimeDeadline(core, client) <= core.nowMs ? LIFETIME : IDLE_TIMEOUT);
}

/** Whether enough of the body came since it was judged last. An upstream that does not take it is not the client's fault. */
function renewBodyRate(core: Core, client: number, link: number): boolean {
	const { table, exchanges } = core;
	const sent = at(table.sent, link);
	const wanted =
		(core.listenerOf(client).plan.http.bodyBytesPerSecond * (core.nowMs - at(exchanges.rateMs, client))) /
		1_000;
	const isEnough = sent - at(exchanges.rateSent, client) >= wanted || isBlocked(core, link);
	exchanges.rateMs[client] = core.nowMs;
	exchanges.rateSent[client] = sent;
	return isEnough;
}

/**
 * A drain begins: whoever waits between requests is let go, unless its next one has come already, or an answer is
 * still to be taken. The others hear it with their answer.
 */
export function drainClient(core: Core, client: number): void {
	const { flags } = core.table;
	if ((at(flags, client) & CLOSING) !== 0) return;
	flags[client] = at(flags, client) | READABLE;
	readRequest(core, client);
}

/** How an exchange begins: the head of a request is read, as it comes. */
import { EAGAIN, ENOBUFS } from "../../../kernel/constants.js";
import { at } from "../../../parts/at.js";
import type { AnswerStatus } from "../../../protocol/http/answers.js";
import { NO_CAUSE } from "../../../protocol/http/causes.js";
import { HALF_A_LINE, HEAD_LIMIT_BYTES, headEnd, strayLines } from "../../../protocol/http/head-end.js";
import { parseRequest, refusalOfMethod } from "../../../protocol/http/request.js";
import { COMPLETE, NEED_MORE, type Verdict } from "../../../protocol/index.js";
import { CHUNK_BYTES, type Core } from "../../core.js";
import { close, closeFailed } from "../../end/close.js";
import { BAD_REQUEST, CLIENT_CLOSED, DRAINED, MEMORY_PRESSURE } from "../../records/reasons.js";
import { answerAndClose, lingerThenClose } from "../../steps/refuse.js";
import { AHEAD, BLOCKED, ENDING, READABLE, SECURED, WHOLE_HEADS } from "../../table/table.js";
import { widenWindow } from "../../wire/socket-options.js";
import {
	discard,
	emptied,
	gather,
	isSecured,
	peek,
	putBack,
	receive,
	takeError,
} from "../../wire/transport.js";
import { IN_AT } from "./body.js";
import { armRequest } from "./deadlines.js";
import { readPath, routeRequest } from "./route-request.js";

/** What is looked at of a request or a response at once: the longest head, and as much of a body. */
export const PEEK_BYTES = 2 * HEAD_LIMIT_BYTES;

/** Looks at what the client has sent. */
export function readRequest(core: Core, client: number): void {
	const { kernel, table, exchanges, requestHead } = core;
	// Answers go out in order: the next request waits until the last answer is taken.
	if ((at(table.flags, client) & (BLOCKED | READABLE)) !== READABLE) return;
	const isTaken = mayTake(core, client);
	const count = isTaken ? receive(core, client, IN_AT, PEEK_BYTES) : peek(core, client, IN_AT, PEEK_BYTES);
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
	const isFirst = at(exchanges.headMs, client) === 0;
	// Only where a head begins, and only behind another request: a first one is known by how it begins.
	const stray =
		isFirst && at(exchanges.requests, client) > 0 ? strayLines(kernel.memory, IN_AT, IN_AT + count) : 0;
	if (stray !== 0) {
		passOver(core, client, count, stray, isTaken);
		return;
	}
	if (isFirst) {
		exchanges.headMs[client] = core.nowMs;
		armRequest(core, client);
	}
	const scanned = at(exchanges.scanned, client);
	if (scanned > 0) {
		const end = headEnd(kernel.memory, IN_AT, IN_AT + count, scanned);
		if (end < 0) {
			waitForHead(core, client, count, ~end);
			return;
		}
	}
	const verdict = parseRequest(kernel.memory, IN_AT, IN_AT + count, requestHead);
	if (verdict === COMPLETE) noteRead(core, client, count, scanned === 0);
	if (isTaken) putBack(core, client, IN_AT, count);
	if (verdict === NEED_MORE) waitForHead(core, client, count, requestHead.scanFrom);
	else takeHead(core, client, verdict);
}

/**
 * Empty lines behind a request, which some clients send after a body, are not the next one (RFC 9112, 2.2): they are
 * taken, so that nobody waits for the rest of a head which has not begun, and a client that then stays silent is idle.
 */
function passOver(core: Core, client: number, count: number, stray: number, isTaken: boolean): void {
	const { table } = core;
	if (stray === HALF_A_LINE) {
		if (isTaken) putBack(core, client, IN_AT, count);
		// More of it is announced. An end need not be, and nothing can follow that.
		if ((at(table.flags, client) & ENDING) !== 0) close(core, client, CLIENT_CLOSED);
		else if (core.draining) lingerThenClose(core, client, DRAINED);
		else table.flags[client] = at(table.flags, client) & ~READABLE;
		return;
	}
	core.turnBytes -= stray;
	if (!isTaken) discard(core, client, stray);
	else if (stray < count) putBack(core, client, IN_AT + stray, count - stray);
	if (core.turnBytes > 0) readRequest(core, client);
	else core.enqueue(client);
}

/** The head at hand, COMPLETE or MALFORMED, is routed or refused. */
export function takeHead(core: Core, client: number, verdict: Verdict): void {
	const { requestHead } = core;
	if (verdict === COMPLETE) {
		requestHead.cause = refusalOfMethod(requestHead.method);
		if (requestHead.cause === NO_CAUSE) requestHead.cause = readPath(core, client);
	}
	if (requestHead.cause === NO_CAUSE) {
		routeRequest(core, client);
		return;
	}
	core.counters.badRequest(requestHead.cause);
	core.messageCause = requestHead.cause;
	answerAndClose(core, client, requestHead.status as AnswerStatus, BAD_REQUEST); // of HTTP_CAUSES
}

/**
 * Whether a head may be taken at once, and put back until it is answered: a call less than looking at it and taking it
 * later. Only from clients whose last head was whole when it came, so that slow ones hold nothing but their row; and
 * only while most chunks are free.
 */
function mayTake(core: Core, client: number): boolean {
	if ((at(core.table.flags, client) & (WHOLE_HEADS | SECURED | AHEAD)) !== WHOLE_HEADS) return false;
	return 2 * core.chunks.available > core.chunks.count && core.bufferRoom >= CHUNK_BYTES;
}

function waitForHead(core: Core, client: number, count: number, scanFrom: number): void {
	if (isSecured(core, client)) {
		waitForRecords(core, client, count, scanFrom);
		return;
	}
	if (at(core.exchanges.scanned, client) === 0) widenWindow(core, client);
	const { flags } = core.table;
	flags[client] = at(flags, client) & ~WHOLE_HEADS;
	core.exchanges.scanned[client] = scanFrom;
	if ((at(flags, client) & ENDING) !== 0) closeWithin(core, client);
	else flags[client] = at(flags, client) & ~READABLE;
}

/** The client ended, or was reset, within a head: it will never be whole. */
function closeWithin(core: Core, client: number): void {
	const error = takeError(core, client);
	if (error === 0) close(core, client, CLIENT_CLOSED);
	else closeFailed(core, client, error);
}

/** Through TLS a peek shows one record at a time: what there is beyond it is read ahead, and looked at again. */
function waitForRecords(core: Core, client: number, count: number, scanFrom: number): void {
	core.exchanges.scanned[client] = scanFrom;
	const now = gather(core, client, count);
	if (now > count) {
		if (core.turnBytes > 0) readRequest(core, client);
		else core.enqueue(client);
	} else if (now === -ENOBUFS) close(core, client, MEMORY_PRESSURE);
	else if (now < 0) closeFailed(core, client, -now);
	else if ((at(core.table.flags, client) & ENDING) !== 0) closeWithin(core, client);
	else core.table.flags[client] = at(core.table.flags, client) & ~READABLE;
}

/**
 * A head that is all there is leaves nothing to be read when it is taken; an end that was announced can still
 * follow. What stands behind it, the next request for one, is not announced again.
 */
export function noteRead(core: Core, client: number, count: number, isWhole: boolean): void {
	const { flags } = core.table;
	if (isWhole) flags[client] = at(flags, client) | WHOLE_HEADS;
	if (count === core.requestHead.headLength) emptied(core, client);
}

/**
 * The mode in which requests are read (HTTP/1.1): each is routed on its own, sent over a pooled upstream
 * connection, and answered before the next is looked at.
 *
 *     REQUEST ──head whole──► routed ──► DIAL or a pooled connection ──► EXCHANGE ──answered──► REQUEST …
 *
 * Heads are peeked until they are whole, so a slow head costs no memory (through TLS one chunk, once it has more
 * than a record), and a request without a body is taken when it is answered: when a pooled connection proves stale,
 * it is simply read once more.
 */
import { ECONNRESET, EPOLLERR, EPOLLHUP, EPOLLOUT } from "../../../kernel/constants.js";
import { at } from "../../../parts/at.js";
import { COMPLETE, NEED_MORE, type Verdict } from "../../../protocol/index.js";
import type { Core } from "../../core.js";
import { close, closeFailed } from "../../end/close.js";
import { CLIENT_RESET, INTERNAL } from "../../records/reasons.js";
import { takeProxyHeader } from "../../steps/proxy-header.js";
import { lingerThenClose } from "../../steps/refuse.js";
import { CLOSING, ENDING, EXCHANGE, EXCHANGES, HAD_REQUESTS, READABLE, REQUEST } from "../../table/table.js";
import { noteNews, SAYS_SOMETHING } from "../../wire/news.js";
import { EMPTIED, flushOutbox } from "../../wire/outbox.js";
import { lowerWater } from "../../wire/socket-options.js";
import { takeError } from "../../wire/transport.js";
import { armExchange, armRequest } from "./deadlines.js";
import { isBlocked, upstreamBroke, upstreamFailed, wasSaidBefore } from "./finish.js";
import { noteRead, readRequest, takeHead } from "./read-request.js";
import { readResponse } from "./read-response.js";
import { sendBody } from "./send-request.js";

/**
 * A connection on a listener that reads requests. `headMs`: when its first head began to come; 0: nothing has come yet.
 * `verdict` is what its head was found to be, in the first `count` bytes of its stream; NEED_MORE: nothing was looked at.
 */
export function beginExchanges(
	core: Core,
	client: number,
	headMs: number,
	verdict: Verdict,
	count: number,
): void {
	const { table, exchanges } = core;
	takeProxyHeader(core, client);
	// What comes next may be shorter than the rest of the first head was.
	if (lowerWater(core, client) < 0) {
		close(core, client, INTERNAL);
		return;
	}
	table.state[client] = REQUEST;
	table.flags[client] = at(table.flags, client) | EXCHANGES | HAD_REQUESTS | READABLE;
	table.recognizedMs[client] = core.nowMs;
	exchanges.begin(client);
	exchanges.headMs[client] = headMs;
	core.counters.handshakeTook(at(table.listener, client), core.nowMs - at(table.acceptedMs, client));
	armRequest(core, client);
	if (verdict === NEED_MORE) {
		readRequest(core, client);
		return;
	}
	if (verdict === COMPLETE) noteRead(core, client, count, true);
	takeHead(core, client, verdict);
}

/** Of a client between requests. */
export function requestNews(core: Core, client: number, events: number): void {
	noteNews(core, client, events);
	if ((events & (EPOLLERR | EPOLLHUP)) !== 0) {
		// Both sides have ended it, and no error says how.
		closeFailed(core, client, takeError(core, client) || ECONNRESET);
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

/** Of either side of an exchange. */
export function exchangeNews(core: Core, slot: number, events: number): void {
	const { table } = core;
	const hadEnded = (at(table.flags, slot) & ENDING) !== 0;
	noteNews(core, slot, events);
	const client = table.clientOf(slot);
	const link = at(table.peer, client);
	if (slot === client && !hadEnded && (at(table.flags, client) & ENDING) !== 0) {
		// It may still want its answer, or have left. Its end was heard just now: it has its whole time from here.
		table.activeMs[client] = core.nowMs;
		armExchange(core, client);
	}
	if (slot === link && (events & SAYS_SOMETHING) !== 0 && wasSaidBefore(core, client, link)) {
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
			if (slot === client) closeFailed(core, client, -result);
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

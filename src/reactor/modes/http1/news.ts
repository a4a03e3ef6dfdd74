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
import { i32, u8 } from "../../../parts/at.js";
import { CLIENT_RESET } from "../../records/reasons.js";
import { ENDING } from "../../table/marks.js";
import { end, type Next, STAY } from "../../table/next.js";
import type { Session, Slot } from "../../table/numbers.js";
import { EXCHANGE } from "../../table/states.js";
import { stamp } from "../../table/times.js";
import { noteNews, SAYS_SOMETHING } from "../../wire/news.js";
import { EMPTIED, flushOutbox, isBlocked } from "../../wire/outbox.js";
import { takeError } from "../../wire/transport.js";
import type { Http1Context } from "./context.js";
import { armExchange, armRequest } from "./deadlines.js";
import { clientFailed, upstreamBroke, upstreamFailed, wasSaidBefore } from "./finish.js";
import { readRequest } from "./read-request.js";
import { readResponse } from "./read-response.js";
import { sendBody } from "./send-request.js";

/** Of a client between requests. */
export function requestNews(core: Http1Context, client: Session, events: number): Next {
	noteNews(core, client, events);
	if ((events & (EPOLLERR | EPOLLHUP)) !== 0)
		// Both sides have ended it, and no error says how.
		return clientFailed(core, client, takeError(core, client) || ECONNRESET);
	if ((events & EPOLLOUT) !== 0 && isBlocked(core, client)) {
		const result = flushOutbox(core, client);
		if (result < 0) return clientFailed(core, client, -result);
		if (result !== EMPTIED) return STAY;
		armRequest(core, client);
	}
	return readRequest(core, client);
}

/** Of either side of an exchange; `events` is 0 for one that had more than its share of an earlier turn. */
export function exchangeNews(core: Http1Context, slot: Slot, events: number): Next {
	const { table } = core;
	const hadEnded = (i32(table.flags, slot) & ENDING) !== 0;
	noteNews(core, slot, events);
	const client = table.sessionOf(slot);
	const link = table.linkOf(client);
	if (slot === client && !hadEnded && (i32(table.flags, client) & ENDING) !== 0) {
		// It may still want its answer, or have left. Its end was heard just now: it has its whole time from here.
		table.active[client] = stamp(core.nowMs);
		armExchange(core, client);
	}
	if (slot === link && (events & SAYS_SOMETHING) !== 0 && wasSaidBefore(core, client, link))
		return upstreamFailed(core, client, link);
	if (slot === client && (events & (EPOLLERR | EPOLLHUP)) !== 0) return end(CLIENT_RESET);
	if ((events & EPOLLOUT) !== 0 && isBlocked(core, slot)) {
		const result = flushOutbox(core, slot);
		if (result < 0)
			return slot === client
				? clientFailed(core, client, -result)
				: upstreamBroke(core, client, link, -result);
	}
	const next = readResponse(core, client);
	// The exchange may be over.
	if (next !== STAY || u8(table.state, client) !== EXCHANGE) return next;
	return sendBody(core, client, link);
}

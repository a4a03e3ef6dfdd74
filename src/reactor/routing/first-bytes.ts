/**
 * A client's first bytes, where they are looked at before anybody is dialled.
 *
 * Most come whole, and many upstreams are on this machine, so that connect() is over when it returns. Then it is cheapest to take the
 * bytes, and to send them at once (`steps/dial.ts`). But what was taken needs a chunk until it is sent, and what was only peeked
 * needs nothing. So bytes are taken where
 *
 * - nothing else reads them first: no TLS of ours, no requests, no PROXY header;
 * - the first bytes of others did not have to wait for their connect lately (`peeksFor`);
 * - at least half of all chunks are free, and few clients keep one for a hello that is not whole (`unfinished.ts`).
 *
 * So thousands that say half of a hello and wait cost four chunks, and a row each.
 */

import { i32 } from "../../parts/at.js";
import { PEEK_LIMIT_BYTES } from "../../protocol/index.js";
import type { ReactorListener } from "../admission/listener.js";
import { IN_AT } from "../memory/arena.js";
import { AHEAD, ENDING, LOW_WATER, PROXY_REQUIRED, READABLE, SECURED, URGENT } from "../table/marks.js";
import type { Session } from "../table/numbers.js";
import { notReadable } from "../wire/news.js";
import { putBack, receive } from "../wire/transport.js";
import type { RoutingContext } from "./context.js";

/** First bytes of a listener that are only peeked when those of one client had to wait for their connect. */
const PEEKS = 16;

/**
 * An end travels with the bytes in front of it, and is read with them; urgent data hides what is behind it; what was waited for
 * once may have to be waited for again.
 */
const PEEKED = ENDING | URGENT | LOW_WATER | AHEAD | SECURED | PROXY_REQUIRED;

/** Whether what a client has said is better taken than peeked. */
export function mayTake(core: RoutingContext, listener: ReactorListener, session: Session): boolean {
	if ((i32(core.table.flags, session) & (READABLE | PEEKED)) !== READABLE) return false;
	if (listener.plan.readsRequests || listener.plan.tls.length > 0 || !listener.router.peeks) return false;
	if (listener.peeksFor > 0) {
		listener.peeksFor--;
		return false;
	}
	const { chunks, budget } = core;
	if (2 * chunks.available < chunks.count || budget.room < chunks.bytes) return false;
	return core.unfinished.mayKeep(core);
}

/** Takes them: they are at IN_AT, and ahead of the session. Results are the transport's. */
export function takeFirst(core: RoutingContext, session: Session): number {
	const count = receive(core, session, IN_AT, PEEK_LIMIT_BYTES);
	if (count <= 0) return count;
	putBack(core, session, IN_AT, count);
	if (count < PEEK_LIMIT_BYTES) notReadable(core, session);
	return count;
}

/** They had to be kept, because their upstream is not there at once: for the next ones it is not tried. */
export function hadToWait(core: RoutingContext, session: Session): void {
	core.listenerOf(session).peeksFor = PEEKS;
}

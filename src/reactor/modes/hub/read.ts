/** A subscriber's bytes are read: pongs and pings, its end, and messages, which the main thread answers. */

import { EVENT_STREAM } from "../../../channels/protocols.js";
import { EAGAIN, ECONNRESET, EPOLLERR, EPOLLHUP, EPOLLOUT } from "../../../kernel/constants.js";
import { f64, i32, u8, u16 } from "../../../parts/at.js";
import { failed } from "../../end/failure.js";
import { CHUNK_BYTES, IN_AT } from "../../memory/arena.js";
import { FROM_CLIENT } from "../../records/counters.js";
import { BAD_REQUEST, CLIENT_CLOSED, MEMORY_PRESSURE } from "../../records/reasons.js";
import { READABLE } from "../../table/marks.js";
import { end, type Next, STAY } from "../../table/next.js";
import type { Session } from "../../table/numbers.js";
import { stamp } from "../../table/times.js";
import { noteNews } from "../../wire/news.js";
import { isBlocked } from "../../wire/outbox.js";
import { emptied, receive, takeError } from "../../wire/transport.js";
import { armSooner } from "./arm.js";
import { ASKED_MAX } from "./columns.js";
import type { HubContext } from "./context.js";
import { heartbeatDue } from "./deadlines.js";
import { deliverAll } from "./deliver.js";
import { settle } from "./deliver-one.js";
import { farewell } from "./farewell.js";
import { addIncoming, BREAKS, CLOSES, found, MESSAGE, NOTHING_WHOLE, nextIncoming } from "./incoming.js";
import { isSubscriber } from "./members.js";
import { say } from "./send.js";
import type { HubTraffic } from "./traffic.js";

/** Reads before others have their turn. */
const READS_PER_TURN = 4;

/** News of a subscriber. */
export function subscriberNews(core: HubContext, session: Session, events: number): Next {
	const { hub } = core;
	if (hub === null) return STAY;
	noteNews(core, session, events);
	if ((events & (EPOLLERR | EPOLLHUP)) !== 0)
		return failed(core, session, takeError(core, session) || ECONNRESET);
	if ((events & EPOLLOUT) !== 0 && isBlocked(core, session)) {
		const next = deliverAll(core, hub, session);
		if (next !== STAY || !isSubscriber(core, session)) return next;
		// While it took no more, no heartbeat was due.
		armSooner(core, session, heartbeatDue(core, hub, session));
	}
	return readOn(core, hub, session);
}

/** It waited in the queue for its turn: it may be behind, or have said more than a turn's share. */
export function subscriberTurn(core: HubContext, session: Session): Next {
	const { hub } = core;
	if (hub === null) return STAY;
	const next = isBlocked(core, session) ? STAY : deliverAll(core, hub, session);
	return next === STAY && isSubscriber(core, session) ? readOn(core, hub, session) : next;
}

/** Reads what has come, as far as its messages have been answered. */
export function readOn(core: HubContext, hub: HubTraffic, session: Session): Next {
	const { table } = core;
	for (let reads = 0; ; reads++) {
		const heard = hearAll(core, hub, session);
		if (heard !== STAY || !isSubscriber(core, session)) return heard;
		if ((i32(table.flags, session) & READABLE) === 0 || u8(core.hubColumns.asked, session) >= ASKED_MAX)
			return STAY;
		if (reads === READS_PER_TURN) break;
		const count = receive(core, session, IN_AT, CHUNK_BYTES);
		if (count === -EAGAIN) {
			table.flags[session] = i32(table.flags, session) & ~READABLE;
			return STAY;
		}
		if (count === 0) return end(CLIENT_CLOSED);
		if (count < 0) return failed(core, session, -count);
		core.hubColumns.heard[session] = stamp(core.nowMs);
		core.budget.turnBytes -= count;
		if (count < CHUNK_BYTES) emptied(core, session);
		// Nothing is to be said behind a request for events.
		if (core.hubColumns.protocolOf(session) === EVENT_STREAM) continue;
		core.links.sentBefore[session] = f64(core.links.sentBefore, session) + count;
		core.counters.moved(u16(table.listener, session), FROM_CLIENT, count);
		const bytes = core.kernel.memory.slice(IN_AT, IN_AT + count);
		if (addIncoming(core, hub, session, bytes) < 0) return end(MEMORY_PRESSURE);
	}
	core.queue.add(session);
	return STAY;
}

/** What has come is taken, message by message. */
function hearAll(core: HubContext, hub: HubTraffic, session: Session): Next {
	const { asked } = core.hubColumns;
	while (u8(asked, session) < ASKED_MAX) {
		const kind = nextIncoming(core, hub, session);
		if (kind === NOTHING_WHOLE) {
			const since = hub.incoming.get(session)?.sinceMs;
			if (since !== undefined) armSooner(core, session, since + core.policyOf(session).handshakeMs);
			return STAY;
		}
		if (kind === CLOSES) return farewell(core, hub, session, found.closeCode, "", CLIENT_CLOSED);
		if (kind === BREAKS)
			return farewell(core, hub, session, found.closeCode, "the protocol forbids this", BAD_REQUEST);
		if (kind === MESSAGE) tellMainThread(core, hub, session);
		else {
			const next = settle(core, session, say(core, hub, session, found.reply));
			if (next !== STAY) return next;
		}
	}
	return STAY;
}

function tellMainThread(core: HubContext, hub: HubTraffic, session: Session): void {
	const { asked } = core.hubColumns;
	asked[session] = u8(asked, session) + 1;
	hub.news.push({
		...{ kind: "says", row: session, number: f64(core.table.number, session), isText: found.isText },
		bytes: found.message.slice(),
	});
}

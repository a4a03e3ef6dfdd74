/** Messages go to one subscriber, looked at alone: what its channel's policy leaves out is told, and what is paced waits for its time. */
import { CLOSE_OUTBOX_FULL } from "../../../channels/close-codes.js";
import { GAP, NEVER, NOTHING, nextDelivery, OVERFLOW, pass } from "../../../channels/subscription.js";
import { ENOBUFS } from "../../../kernel/constants.js";
import { f64 } from "../../../parts/at.js";
import { failed } from "../../end/failure.js";
import { MEMORY_PRESSURE, OUTBOX_FULL } from "../../records/reasons.js";
import { end, type Next, STAY } from "../../table/next.js";
import type { Session } from "../../table/numbers.js";
import { isBlocked } from "../../wire/outbox.js";
import { armSooner } from "./arm.js";
import type { HubContext } from "./context.js";
import { farewell } from "./farewell.js";
import type { HubChannel } from "./hub-channel.js";
import { gapNotice } from "./notices.js";
import { SENT, say, sendMessage } from "./send.js";
import type { HubTraffic } from "./traffic.js";

/** What a result of sending means for the session. */
export function settle(core: HubContext, session: Session, result: number): Next {
	if (result >= 0) return STAY;
	return result === -ENOBUFS ? end(MEMORY_PRESSURE) : failed(core, session, -result);
}

/**
 * Sends one subscription what it has not had, message by message, as far as `hub.share` goes. `hasWaited`: its client took no more until
 * now, so that what came meanwhile is in its outbox. Of one that takes what it is sent nothing is, however much was published at once.
 * `until`: no message of this sequence or a higher one.
 */
export function deliverTo(
	core: HubContext,
	hub: HubTraffic,
	channel: HubChannel,
	row: number,
	session: Session,
	hasWaited = false,
	until = NEVER,
): Next {
	const { log, delivery, subscription, subscriptions, figures } = hub;
	const { terms, number, anchor } = channel;
	const isFree = !hasWaited && terms.paceMs === 0;
	const protocol = core.hubColumns.protocolOf(session);
	for (; ; hub.share--) {
		if (isBlocked(core, session)) return STAY;
		if (hub.share === 0) {
			core.queue.add(session);
			return STAY;
		}
		if (isPaced(core, hub, channel, row, session)) return STAY;
		subscriptions.load(row, subscription);
		nextDelivery(log, hub.index, number, terms, subscription, delivery, anchor, isFree);
		if (delivery.conflated > 0) figures.addToRule(terms.rule, "conflated", delivery.conflated);
		if (delivery.missed > 0) figures.addToRule(terms.rule, "missed", delivery.missed);
		let result = SENT;
		switch (delivery.kind) {
			case NOTHING:
				subscriptions.store(row, subscription);
				return STAY;
			case OVERFLOW:
				subscriptions.store(row, subscription);
				figures.addToRule(terms.rule, "overflowed", 1);
				return farewell(core, hub, session, CLOSE_OUTBOX_FULL, "its outbox is full", OUTBOX_FULL);
			case GAP:
				subscriptions.store(row, subscription);
				figures.addToRule(terms.rule, "gaps", 1);
				result = say(core, hub, session, gapNotice(hub, channel, delivery, protocol));
				break;
			default: {
				const { position } = delivery;
				if (log.sequence(position) >= until) {
					log.endRead(hub.index);
					subscriptions.store(row, subscription);
					return STAY;
				}
				const publishedMs = log.publishedMs(position);
				const at = log.encodingAt(position, protocol);
				result = sendMessage(core, hub, session, at, log.encodingBytes(position, protocol));
				// In the open, nothing of it has gone where nothing is kept: it is offered again.
				if (result === SENT || hub.leftovers.has(session)) {
					pass(log, subscription);
					figures.addToRule(terms.rule, "delivered", 1);
					figures.tookMs(core.nowMs - publishedMs, 1);
					if (terms.paceMs > 0) pace(core, hub, channel, row);
				}
				log.endRead(hub.index);
				subscriptions.store(row, subscription);
			}
		}
		if (result < 0) return settle(core, session, result);
	}
}

/** After as many as go in a second, each message waits for its time. */
const BURST_MS = 1_000;

function pace(core: HubContext, { subscriptions }: HubTraffic, { terms }: HubChannel, row: number): void {
	subscriptions.dueMs[row] =
		Math.max(f64(subscriptions.dueMs, row), core.nowMs - BURST_MS + terms.paceMs) + terms.paceMs;
}

/** Its next message has to wait, and a deadline is set for that. */
function isPaced(
	core: HubContext,
	{ subscriptions, log }: HubTraffic,
	{ terms, number }: HubChannel,
	row: number,
	session: Session,
): boolean {
	if (terms.paceMs === 0 || log.count(number) === f64(subscriptions.had, row)) return false;
	const dueMs = f64(subscriptions.dueMs, row);
	if (dueMs <= core.nowMs) return false;
	const { paceDueMs } = core.hubColumns;
	const before = f64(paceDueMs, session);
	paceDueMs[session] = before === 0 ? dueMs : Math.min(before, dueMs);
	armSooner(core, session, dueMs);
	return true;
}

/**
 * Messages go to subscribers. A channel that has new ones goes over its list, and sends to each what it has not had:
 *
 *     log ──► channel's queue ──► its subscribers, one after the other, as far as a turn goes
 *                                   │ has had all before      its batch, in one call
 *                                   │ is further behind       looked at alone (`deliver-one.ts`): what its policy says, a gap told
 *                                   │ has several channels    the same, by the order of all of them (`in-order.ts`)
 *                                   └ takes no more           nothing: its messages stay in the log until it does
 */

import { NOWHERE } from "../../../channels/log.js";
import { f64, i32 } from "../../../parts/at.js";
import { failed } from "../../end/failure.js";
import { SECURED } from "../../table/marks.js";
import { type Next, STAY } from "../../table/next.js";
import { NONE, type Session } from "../../table/numbers.js";
import { isBlocked } from "../../wire/outbox.js";
import type { Batch } from "./batches.js";
import type { HubContext } from "./context.js";
import { deliverTo, settle } from "./deliver-one.js";
import type { HubChannel } from "./hub-channel.js";
import { deliverInOrder, isAlone } from "./in-order.js";
import { flushLeftover, keepOfBatch, SENT, sendBatch } from "./send.js";
import type { HubTraffic } from "./traffic.js";

/** Messages that one subscriber is sent before others have their turn. */
const MESSAGES_PER_TURN = 16;

/** Something may have been published: which channels have to go over their lists? */
export function lookAtLog(hub: HubTraffic): void {
	if (!hub.log.wasWoken(hub.index)) return;
	const { log } = hub;
	const head = log.look();
	if (head === hub.seen) return;
	if (!log.beginRead(hub.index, hub.seen)) {
		// Much was published since, and some of it is gone: nobody knows whose.
		for (const channel of hub.channels.values()) queueChannel(hub, channel, NOWHERE);
	} else {
		for (let at = log.entryFrom(hub.seen); at < head; at = log.entryFrom(log.endOf(at))) {
			const channel = hub.channels.get(log.channelOf(at));
			if (channel !== undefined) queueChannel(hub, channel, at);
		}
		log.endRead(hub.index);
	}
	hub.seen = head;
}

/** `at`: its first message that is new; NOWHERE: that is not known. */
function queueChannel(hub: HubTraffic, channel: HubChannel, at: number): void {
	if (!channel.isQueued) {
		channel.isQueued = true;
		channel.anchor = at;
		channel.hasNewer = false;
		hub.readTerms(channel);
		channel.cursor = channel.first;
		hub.queue.push(channel);
	} else if (!channel.hasNewer) {
		channel.hasNewer = true;
		channel.nextAnchor = at;
	}
}

/** Some channel has not gone over all of its list. */
export function hasWork({ queue }: HubTraffic): boolean {
	return queue.length > 0;
}

/** Does a turn's share. */
export function deliverQueued(core: HubContext, hub: HubTraffic): void {
	while (hub.queue.length > 0 && core.budget.turnBytes > 0) {
		const channel = hub.queue[0] as HubChannel;
		const isDone = goOver(core, hub, channel);
		hub.queue.shift();
		if (!isDone) {
			// A channel with many subscribers does not make those of others wait for all of them.
			hub.queue.push(channel);
			break;
		}
		channel.isQueued = false;
		// What came while the list was gone over: those who were offered something before it have not had it.
		if (channel.hasNewer && hub.channels.get(channel.number) === channel)
			queueChannel(hub, channel, channel.nextAnchor);
	}
	hub.batches.end(hub.figures, core.nowMs);
}

/** True: all of its subscribers have been offered what there is. */
function goOver(core: HubContext, hub: HubTraffic, channel: HubChannel): boolean {
	hub.batches.end(hub.figures, core.nowMs);
	const { subscriptions } = hub;
	while (channel.cursor !== NONE) {
		if (core.budget.turnBytes <= 0) return false;
		const row = channel.cursor;
		channel.cursor = i32(subscriptions.next, row);
		offer(core, hub, channel, row);
	}
	return true;
}

function offer(core: HubContext, hub: HubTraffic, channel: HubChannel, row: number): void {
	const { subscriptions } = hub;
	const session = i32(subscriptions.session, row) as Session;
	if (isBlocked(core, session)) {
		// The search begins there when it takes something again.
		if (f64(subscriptions.position, row) === NOWHERE) subscriptions.position[row] = channel.anchor;
		return;
	}
	const protocol = core.hubColumns.protocolOf(session);
	const isAmongOthers = !isAlone(core, hub, session, row);
	const batch = isAmongOthers
		? undefined
		: hub.batches.find(hub.log, hub.index, core.kernel.memory, channel, protocol);
	if (batch !== undefined && isFor(hub, batch, row)) {
		goOverAgain(channel, batch);
		const next = sendWhole(core, hub, batch, row, session);
		if (next !== STAY) core.go(session, next);
		return;
	}
	// What is sent to one alone goes through the same memory.
	hub.batches.end(hub.figures, core.nowMs);
	hub.share = MESSAGES_PER_TURN;
	const next = isAmongOthers
		? deliverInOrder(core, hub, session)
		: deliverTo(core, hub, channel, row, session);
	if (next !== STAY) core.go(session, next);
}

/** What its batch has no room for is another one's, when all have been offered this one. */
function goOverAgain(channel: HubChannel, { rest }: Batch): void {
	if (rest === NOWHERE) return;
	if (!channel.hasNewer || rest < channel.nextAnchor) channel.nextAnchor = rest;
	channel.hasNewer = true;
}

function isFor({ subscriptions }: HubTraffic, batch: Batch, row: number): boolean {
	return f64(subscriptions.had, row) === batch.from && f64(subscriptions.holeFrom, row) === 0;
}

function sendWhole(core: HubContext, hub: HubTraffic, batch: Batch, row: number, session: Session): Next {
	const sent = sendBatch(core, session, batch);
	if (sent < 0) return failed(core, session, -sent);
	if (sent === batch.bytes) {
		batch.sent++;
		passed(hub, batch, row, batch.messages - 1);
		return STAY;
	}
	// In the open, messages that have not begun stay in the log. TLS has made one record of all.
	const isSecured = (i32(core.table.flags, session) & SECURED) !== 0;
	let last = isSecured ? batch.messages - 1 : 0;
	while (f64(batch.ends, last) < sent) last++;
	const { rule } = (hub.channels.get(i32(hub.subscriptions.channel, row)) as HubChannel).terms;
	const messages = sent === 0 && !isSecured ? 0 : last + 1;
	if (messages > 0) {
		passed(hub, batch, row, last);
		hub.figures.addToRule(rule, "delivered", messages);
		hub.figures.addToRule(rule, "conflated", f64(batch.conflatedSoFar, last));
		hub.figures.tookMs(core.nowMs - batch.publishedMs, messages);
	}
	return settle(
		core,
		session,
		keepOfBatch(core, hub, session, batch, sent, messages === 0 ? 0 : f64(batch.ends, last)),
	);
}

function passed({ subscriptions }: HubTraffic, batch: Batch, row: number, message: number): void {
	subscriptions.had[row] = f64(batch.had, message);
	subscriptions.hadBytes[row] = f64(batch.hadBytes, message);
	subscriptions.position[row] = f64(batch.next, message);
}

/** There is room again, or it is its turn once more: all of its channels. */
export function deliverAll(core: HubContext, hub: HubTraffic, session: Session): Next {
	hub.batches.end(hub.figures, core.nowMs);
	const hasWaited = isBlocked(core, session);
	if (hasWaited) {
		const result = flushLeftover(core, hub, session);
		if (result !== SENT) return settle(core, session, result);
	}
	core.hubColumns.paceDueMs[session] = 0;
	hub.share = MESSAGES_PER_TURN;
	return deliverInOrder(core, hub, session, hasWaited);
}

/** It has been subscribed to something, and is sent what it has missed of that. */
export function deliverMissed(core: HubContext, hub: HubTraffic, session: Session): Next {
	return isBlocked(core, session) ? STAY : deliverAll(core, hub, session);
}

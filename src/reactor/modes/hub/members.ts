/** Who is subscribed to what: the two lists of a subscription, its channel's and its session's. */
import type { SubscribeOrder } from "../../../channels/orders.js";
import type { Subscription } from "../../../channels/subscription.js";
import { i32, ref, setRef, u8 } from "../../../parts/at.js";
import { NONE, type Session } from "../../table/numbers.js";
import { HUB } from "../../table/states.js";
import { ASKING } from "./columns.js";
import type { HubContext } from "./context.js";
import type { HubChannel } from "./hub-channel.js";
import { dropIncoming } from "./incoming.js";
import { dropLeftover } from "./send.js";
import type { HubTraffic } from "./traffic.js";

/** It is one, and has not ended or been told that it does: whoever has been sent its last words goes no further. */
export function isSubscriber({ table }: HubContext, session: Session): boolean {
	return u8(table.state, session) === HUB;
}

/** Its subscription to a channel; NONE: it has none. */
export function findSubscription(
	core: HubContext,
	hub: HubTraffic,
	session: Session,
	channel: number,
): number {
	const { subscriptions } = hub;
	let row: number = ref(core.hubColumns.first, session);
	while (row !== NONE && i32(subscriptions.channel, row) !== channel)
		row = i32(subscriptions.nextOfSession, row);
	return row;
}

export function countSubscriptions(
	core: HubContext,
	{ subscriptions }: HubTraffic,
	session: Session,
): number {
	let count = 0;
	for (let row: number = ref(core.hubColumns.first, session); row !== NONE; count++)
		row = i32(subscriptions.nextOfSession, row);
	return count;
}

/** Returns the row. Not to a channel that it is subscribed to. */
export function addSubscription(
	core: HubContext,
	hub: HubTraffic,
	session: Session,
	channel: HubChannel,
	at: Subscription,
): number {
	const { subscriptions } = hub;
	const row = subscriptions.take(session, channel.number, at);
	subscriptions.next[row] = channel.first;
	subscriptions.previous[row] = NONE;
	if (channel.first !== NONE) subscriptions.previous[channel.first] = row;
	channel.first = row;
	if (channel.count++ === 0) hub.log.readTerms(channel.number, channel.terms);
	subscriptions.nextOfSession[row] = ref(core.hubColumns.first, session);
	setRef(core.hubColumns.first, session, row);
	hub.figures.addToRule(channel.terms.rule, "subscribers", 1);
	return row;
}

/** False: it was not subscribed to it. */
export function removeSubscription(
	core: HubContext,
	hub: HubTraffic,
	session: Session,
	channel: number,
): boolean {
	const { subscriptions } = hub;
	let before: number = NONE;
	let row: number = ref(core.hubColumns.first, session);
	while (row !== NONE && i32(subscriptions.channel, row) !== channel) {
		before = row;
		row = i32(subscriptions.nextOfSession, row);
	}
	if (row === NONE) return false;
	const following = i32(subscriptions.nextOfSession, row);
	if (before === NONE) setRef(core.hubColumns.first, session, following);
	else subscriptions.nextOfSession[before] = following;
	unlink(hub, row);
	return true;
}

/** Takes it out of its channel's list, and gives its row back. */
function unlink(hub: HubTraffic, row: number): void {
	const { subscriptions, channels } = hub;
	const channel = channels.get(i32(subscriptions.channel, row)) as HubChannel;
	const next = i32(subscriptions.next, row);
	const previous = i32(subscriptions.previous, row);
	if (previous === NONE) channel.first = next;
	else subscriptions.next[previous] = next;
	if (next !== NONE) subscriptions.previous[next] = previous;
	if (channel.cursor === row) channel.cursor = next;
	hub.figures.addToRule(channel.terms.rule, "subscribers", -1);
	if (--channel.count === 0) channels.delete(channel.number);
	subscriptions.give(row);
}

/** The main thread has counted these already, and a session that is gone, or about to be, does not come to them. */
export function neverSubscribed(hub: HubTraffic, number: number, orders: readonly SubscribeOrder[]): void {
	for (const { channel } of orders) hub.news.push({ kind: "unsubscribed", number, channel });
}

/** The session is no subscriber any more: it ends. The main thread hears of it at the end of the turn. */
export function leaveHub(core: HubContext, session: Session): void {
	const { hubColumns, hub } = core;
	if (hub === null || u8(hubColumns.speaks, session) === 0) return;
	const { subscriptions } = hub;
	const left: number[] = [];
	for (let row: number = ref(hubColumns.first, session); row !== NONE; ) {
		const following = i32(subscriptions.nextOfSession, row);
		left.push(i32(subscriptions.channel, row));
		unlink(hub, row);
		row = following;
	}
	if (u8(hubColumns.speaks, session) !== ASKING) dropLeftover(core, hub, session);
	dropIncoming(core, hub, session);
	hub.verdicts.delete(session);
	setRef(hubColumns.first, session, NONE);
	hubColumns.speaks[session] = 0;
	hubColumns.asked[session] = 0;
	hubColumns.heard[session] = 0;
	hubColumns.paceDueMs[session] = 0;
	hub.news.push({ kind: "left", number: core.table.number[session] as number, channels: left });
}

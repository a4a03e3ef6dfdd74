/**
 * Somebody with several channels is sent their messages in the order of their ids, so that the last one says where he is in all of them.
 *
 *     prices     1   3   5
 *     rooms/42     2       7        sent: 1 2 3 5 7. Behind 1 3 5, whoever is cut and resumes there would never have 2
 *
 * What a channel's policy leaves out is told before anything that came later. Channels that pace what they send are not held to this:
 * others would wait for them.
 */
import { AT_ONCE, NEVER, nextSequence } from "../../../channels/subscription.js";
import { f64, i32, ref } from "../../../parts/at.js";
import { type Next, STAY } from "../../table/next.js";
import { NONE, type Session } from "../../table/numbers.js";
import { isBlocked } from "../../wire/outbox.js";
import type { HubContext } from "./context.js";
import { deliverTo } from "./deliver-one.js";
import type { HubChannel } from "./hub-channel.js";
import { isSubscriber } from "./members.js";
import type { HubTraffic } from "./traffic.js";

/** Nothing waits in its other channels: what is new in this one is next. */
export function isAlone(core: HubContext, hub: HubTraffic, session: Session, row: number): boolean {
	const { subscriptions, log } = hub;
	if (channelOf(hub, row).terms.paceMs > 0) return true;
	for (let each: number = ref(core.hubColumns.first, session); each !== NONE; ) {
		const number = i32(subscriptions.channel, each);
		if (each !== row && log.count(number) > f64(subscriptions.had, each) && !isPacing(hub, each))
			return false;
		each = i32(subscriptions.nextOfSession, each);
	}
	return true;
}

/** All of its channels, as far as `hub.share` goes. `hasWaited`: it took no more until now, and its channels' policies are asked first. */
export function deliverInOrder(core: HubContext, hub: HubTraffic, session: Session, hasWaited = false): Next {
	const { subscriptions } = hub;
	const first = deliverFirst(core, hub, session, hasWaited);
	if (first !== STAY) return first;
	while (isSubscriber(core, session) && !isBlocked(core, session)) {
		const row = findNext(core, hub, session);
		if (row === NONE) return STAY;
		const { until } = found;
		const had = f64(subscriptions.had, row);
		const next = deliverTo(core, hub, channelOf(hub, row), row, session, false, until);
		if (next !== STAY || hub.share === 0 || until === NEVER) return next;
		// What was counted already cannot be found before the log is looked at again.
		if (f64(subscriptions.had, row) === had) return STAY;
	}
	return STAY;
}

/** Channels that go at a pace of their own; and of those that have waited, what is left out. */
function deliverFirst(core: HubContext, hub: HubTraffic, session: Session, hasWaited: boolean): Next {
	const { subscriptions } = hub;
	for (let row: number = ref(core.hubColumns.first, session); row !== NONE; ) {
		const following = i32(subscriptions.nextOfSession, row);
		const paces = isPacing(hub, row);
		if (hasWaited || paces) {
			const { share } = hub;
			const until = paces ? NEVER : AT_ONCE;
			const next = deliverTo(core, hub, channelOf(hub, row), row, session, hasWaited, until);
			if (next !== STAY || !isSubscriber(core, session)) return next;
			// In its next turn none of them has waited any more: each is asked in this one, and what is told costs no share of it.
			if (!paces) hub.share = share;
		}
		row = following;
	}
	return STAY;
}

/** What was found last: from which message on it is another channel's turn. */
const found = { until: NEVER };

/** The subscription whose message is next; NONE: there is none. */
function findNext(core: HubContext, hub: HubTraffic, session: Session): number {
	const { subscriptions, subscription, log, index } = hub;
	let row: number = NONE;
	let lowest = NEVER;
	found.until = NEVER;
	for (let each: number = ref(core.hubColumns.first, session); each !== NONE; ) {
		if (!isPacing(hub, each)) {
			const { number, anchor } = channelOf(hub, each);
			subscriptions.load(each, subscription);
			const sequence = nextSequence(log, index, number, subscription, anchor);
			subscriptions.store(each, subscription);
			if (sequence < lowest) {
				found.until = lowest;
				lowest = sequence;
				row = each;
			} else found.until = Math.min(found.until, sequence);
		}
		each = i32(subscriptions.nextOfSession, each);
	}
	return row;
}

function channelOf({ channels, subscriptions }: HubTraffic, row: number): HubChannel {
	return channels.get(i32(subscriptions.channel, row)) as HubChannel;
}

function isPacing(hub: HubTraffic, row: number): boolean {
	return channelOf(hub, row).terms.paceMs > 0;
}

/** Somebody is subscribed to a channel, or is no more, and is told so. */

import { NOWHERE } from "../../../channels/log.js";
import type { HubOrder, SubscribeOrder } from "../../../channels/orders.js";
import { type Replay, type ReplayWish, subscribeFrom, subscribeNow } from "../../../channels/subscription.js";
import { f64 } from "../../../parts/at.js";
import { type Next, STAY } from "../../table/next.js";
import { NONE, type Session } from "../../table/numbers.js";
import type { HubContext } from "./context.js";
import { settle } from "./deliver-one.js";
import type { HubChannel } from "./hub-channel.js";
import { addSubscription, countSubscriptions, findSubscription, removeSubscription } from "./members.js";
import { idOf, lastSequence, notice, sequenceBefore } from "./notices.js";
import { say } from "./send.js";
import type { HubTraffic } from "./traffic.js";

type UnsubscribeOrder = Extract<HubOrder, { kind: "unsubscribe" }>;

/** Subscribes it, and says so. What it has missed of this channel is to be sent behind that (`deliverMissed`). */
export function subscribe(core: HubContext, hub: HubTraffic, session: Session, order: SubscribeOrder): Next {
	const { channel: number, name, ref } = order;
	const { log } = hub;
	log.look();
	if (findSubscription(core, hub, session, number) !== NONE) {
		// Told once more, and counted once.
		const counted = f64(core.table.number, session);
		hub.news.push({ kind: "unsubscribed", number: counted, channel: number, wasSo: true });
		return order.isTold ? tellSubscribed(core, hub, session, order, lastSequence(hub, number), 0) : STAY;
	}
	if (countSubscriptions(core, hub, session) >= hub.settings.subscriptions) {
		hub.news.push({ kind: "unsubscribed", number: f64(core.table.number, session), channel: number });
		const message = `a connection may be subscribed to ${hub.settings.subscriptions} channels`;
		return tellOf(core, hub, session, { type: "error", ...refOf(ref), code: "limit_subscriptions", message });
	}
	const channel = hub.channel(number, name);
	const isReplay = order.after !== undefined || order.last === true;
	const { subscription, isTooOld, history } = isReplay
		? resume(core, hub, channel, order)
		: { subscription: subscribeNow(log, number), isTooOld: false, history: 0 };
	addSubscription(core, hub, session, channel, subscription);
	const before = sequenceBefore(hub, channel, subscription.position);
	if (order.isTold) {
		const next = tellSubscribed(core, hub, session, order, before, history);
		if (next !== STAY) return next;
	}
	if (isTooOld || order.isTooOld === true) {
		const id = history > 0 ? idOf(hub, before + 1) : null;
		const next = tellOf(core, hub, session, {
			type: "too_old",
			channel: name,
			after: order.afterText ?? "",
			id,
		});
		if (next !== STAY) return next;
	}
	return STAY;
}

/** Where somebody begins who was here before, or wants the last message. */
function resume(core: HubContext, hub: HubTraffic, channel: HubChannel, order: SubscribeOrder): Replay {
	const { after, last, replayMessages, replayAgeMs } = order;
	const wish: ReplayWish =
		after === undefined
			? { after: NOWHERE, last: last === true ? 1 : 0, messages: 1, sinceMs: 0 }
			: { after, last: 0, messages: replayMessages, sinceMs: core.nowMs - replayAgeMs };
	const replay = subscribeFrom(hub.log, hub.index, channel.number, wish, channel.resumedAt);
	if (replay.before !== NOWHERE) channel.resumedAt = replay.before;
	return replay;
}

export function unsubscribe(
	core: HubContext,
	hub: HubTraffic,
	session: Session,
	{ channel, name, ref, taken }: UnsubscribeOrder,
): Next {
	if (!removeSubscription(core, hub, session, channel)) {
		if (taken !== undefined) return STAY;
		const message = `this connection is not subscribed to ${name}`;
		return tellOf(core, hub, session, { type: "error", ...refOf(ref), code: "not_subscribed", message });
	}
	hub.news.push({ kind: "unsubscribed", number: f64(core.table.number, session), channel });
	const why = taken === undefined ? {} : { reason: taken.reason };
	return tellOf(core, hub, session, { type: "unsubscribed", channel: name, ...refOf(ref), ...why });
}

function tellSubscribed(
	core: HubContext,
	hub: HubTraffic,
	session: Session,
	{ name, ref }: SubscribeOrder,
	sequence: number,
	history: number,
): Next {
	const id = idOf(hub, sequence);
	const follows = history > 0 ? { history } : {};
	return tellOf(core, hub, session, { type: "subscribed", channel: name, id, ...refOf(ref), ...follows });
}

function tellOf(
	core: HubContext,
	hub: HubTraffic,
	session: Session,
	what: Parameters<typeof notice>[0],
): Next {
	return settle(core, session, say(core, hub, session, notice(what, core.hubColumns.protocolOf(session))));
}

function refOf(ref: string | number | undefined): { ref?: string | number } {
	return ref === undefined ? {} : { ref };
}

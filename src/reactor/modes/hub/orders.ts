/** What the main thread says of subscribers is carried out, each where its session is still there. */

import {
	CLOSE_BAD_TOKEN,
	CLOSE_NO_CHANNEL,
	CLOSE_NOT_ALLOWED,
	CLOSE_OPERATOR,
} from "../../../channels/close-codes.js";
import type { HubOrder, SubscribeOrder } from "../../../channels/orders.js";
import { EVENT_STREAM } from "../../../channels/protocols.js";
import { f64, i32, u8 } from "../../../parts/at.js";
import { CLOSE_POLICY, CLOSE_TRY_LATER } from "../../../protocol/websocket/close-codes.js";
import type { Pieces } from "../../../route/pieces.js";
import { BAD_REQUEST, CLIENT_CLOSED, OPERATOR, REJECTED, UNAUTHORIZED } from "../../records/reasons.js";
import { type Next, STAY, SUBSCRIBED, UNSUBSCRIBED } from "../../table/next.js";
import { NONE, type Session } from "../../table/numbers.js";
import { ASKED, HUB } from "../../table/states.js";
import type { HubContext } from "./context.js";
import { deliverMissed } from "./deliver.js";
import { settle } from "./deliver-one.js";
import { farewell } from "./farewell.js";
import { countSubscriptions, isSubscriber, neverSubscribed } from "./members.js";
import { readOn } from "./read.js";
import { say } from "./send.js";
import { subscribe, unsubscribe } from "./subscribe.js";
import type { HubTraffic } from "./traffic.js";

/** Orders that are carried out before news is heard again. */
const ORDERS_PER_PIECE = 4;

export function* carryOut(core: HubContext, orders: readonly HubOrder[]): Pieces {
	const { hub } = core;
	if (hub === null) return;
	for (const [index, order] of orders.entries()) {
		if (order.kind === "drop") {
			yield* drop(core, hub, order);
			continue;
		}
		if (index % ORDERS_PER_PIECE === ORDERS_PER_PIECE - 1) yield;
		const next = carryOutOne(core, hub, order);
		if (next !== STAY) core.go(order.row as Session, next);
	}
}

/** Whoever is subscribed to a channel is no more. */
function* drop(
	core: HubContext,
	hub: HubTraffic,
	{ channel: number, name, taken }: Extract<HubOrder, { kind: "drop" }>,
): Pieces {
	for (let dropped = 1; ; dropped++) {
		const row = hub.channels.get(number)?.first ?? NONE;
		if (row === NONE) return;
		const session = i32(hub.subscriptions.session, row) as Session;
		const member = { row: session, number: f64(core.table.number, session) };
		hub.batches.end(hub.figures, core.nowMs);
		const next = takeAway(core, hub, session, {
			...{ ...member, kind: "unsubscribe", channel: number, name, taken, isAnswer: false },
		});
		if (next !== STAY) core.go(session, next);
		if (dropped % ORDERS_PER_PIECE === 0) yield;
	}
}

function carryOutOne(core: HubContext, hub: HubTraffic, order: Exclude<HubOrder, { kind: "drop" }>): Next {
	const { table } = core;
	const session = order.row as Session;
	// It may have ended meanwhile, and another may have come.
	if (session >= table.sessions || f64(table.number, session) !== order.number)
		return notCarriedOut(hub, order);
	const state = u8(table.state, session);
	if (order.kind === "accept" || order.kind === "refuse") {
		if (state !== ASKED) return notCarriedOut(hub, order);
		hub.verdicts.set(session, order);
		return order.kind === "accept" ? SUBSCRIBED : UNSUBSCRIBED;
	}
	if (state !== HUB) return notCarriedOut(hub, order);
	hub.batches.end(hub.figures, core.nowMs);
	switch (order.kind) {
		case "subscribe":
			return answered(core, hub, session, order.isAnswer, begin(core, hub, session, order.subscription));
		case "unsubscribe":
			return answered(core, hub, session, order.isAnswer, takeAway(core, hub, session, order));
		case "say":
			return answered(
				core,
				hub,
				session,
				order.isAnswer,
				settle(core, session, say(core, hub, session, order.bytes)),
			);
		case "answered":
			return answered(core, hub, session, true, STAY);
		case "end":
			return farewell(core, hub, session, order.code, order.reason, reasonOf(order.code));
	}
}

/** Its session is there no more. */
function notCarriedOut(hub: HubTraffic, order: Exclude<HubOrder, { kind: "drop" }>): Next {
	if (order.kind === "accept") neverSubscribed(hub, order.number, order.subscriptions);
	if (order.kind === "subscribe") neverSubscribed(hub, order.number, [order.subscription]);
	return STAY;
}

/** Subscribes it, and sends what it has missed. */
function begin(core: HubContext, hub: HubTraffic, session: Session, order: SubscribeOrder): Next {
	const next = subscribe(core, hub, session, order);
	return next === STAY && isSubscriber(core, session) ? deliverMissed(core, hub, session) : next;
}

/** Unsubscribes it, and ends a stream that is left with nothing: its client has no way to ask for more. */
function takeAway(
	core: HubContext,
	hub: HubTraffic,
	session: Session,
	order: Extract<HubOrder, { kind: "unsubscribe" }>,
): Next {
	const next = unsubscribe(core, hub, session, order);
	const { taken } = order;
	const isLeft =
		taken === undefined ||
		next !== STAY ||
		!isSubscriber(core, session) ||
		core.hubColumns.protocolOf(session) !== EVENT_STREAM ||
		countSubscriptions(core, hub, session) > 0;
	return isLeft ? next : farewell(core, hub, session, taken.code, taken.reason, reasonOf(taken.code));
}

/** A message of its own has been answered: another may be read. */
function answered(core: HubContext, hub: HubTraffic, session: Session, isAnswer: boolean, next: Next): Next {
	if (!isAnswer || next !== STAY || !isSubscriber(core, session)) return next;
	const { asked } = core.hubColumns;
	asked[session] = Math.max(0, u8(asked, session) - 1);
	return readOn(core, hub, session);
}

/** Codes of `docs/hub-wire.md`. */
function reasonOf(code: number): number {
	if (code === CLOSE_BAD_TOKEN || code === CLOSE_NOT_ALLOWED) return UNAUTHORIZED;
	if (code === CLOSE_OPERATOR) return OPERATOR;
	if (code === CLOSE_TRY_LATER || code === CLOSE_NO_CHANNEL) return REJECTED;
	return code === CLOSE_POLICY ? BAD_REQUEST : CLIENT_CLOSED;
}

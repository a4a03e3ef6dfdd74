/**
 * How a subscriber comes: whoever has a route to the hub asks the main thread, which knows channels and tokens, and waits for what it
 * says. It reads nothing meanwhile; its request's head stays where it is.
 */

import type { HubOrder, SubscribeOrder } from "../../../channels/orders.js";
import { ECONNRESET, EPOLLERR, EPOLLHUP } from "../../../kernel/constants.js";
import { f64, i32 } from "../../../parts/at.js";
import { failed } from "../../end/failure.js";
import { IN_AT } from "../../memory/arena.js";
import type { RoutePlan } from "../../plan/plan.js";
import { HANDSHAKE_TIMEOUT, INTERNAL, UPSTREAM_DOWN } from "../../records/reasons.js";
import { HAD_REQUESTS, READABLE, SUBSCRIBES } from "../../table/marks.js";
import { end, type Next, refuse, STAY } from "../../table/next.js";
import type { Session } from "../../table/numbers.js";
import { ASKED, HUB } from "../../table/states.js";
import { offset, stamp } from "../../table/times.js";
import { noteNews } from "../../wire/news.js";
import { isSecured } from "../../wire/tls.js";
import { takeError } from "../../wire/transport.js";
import { ASKING } from "./columns.js";
import type { HubContext } from "./context.js";
import { armSubscriber } from "./deadlines.js";
import { deliverMissed } from "./deliver.js";
import { settle } from "./deliver-one.js";
import { sendAway } from "./farewell.js";
import { isSubscriber, leaveHub, neverSubscribed } from "./members.js";
import { readOn } from "./read.js";
import { say } from "./send.js";
import { subscribe } from "./subscribe.js";
import type { HubTraffic } from "./traffic.js";

/** Asks for it. `route`: the one that leads here. */
export function askHub(core: HubContext, session: Session, route: RoutePlan): Next {
	const { table, hub, hubColumns } = core;
	if (hub === null) return refuse(UPSTREAM_DOWN);
	const isRequest = (i32(table.flags, session) & HAD_REQUESTS) !== 0;
	table.state[session] = ASKED;
	hubColumns.speaks[session] = ASKING;
	core.wheel.arm(session, core.nowMs + core.policyOf(session).handshakeMs);
	hub.news.push({
		...{ kind: "asks", row: session, number: f64(table.number, session) },
		head: isRequest ? headOf(core, session) : null,
		isWebSocket: isRequest && core.query.isWebSocket,
		path: route.conditions.path,
		channel: route.channel ?? null,
		isSecured: isSecured(core, session),
	});
	return STAY;
}

/** A copy: decoders do not take shared memory. */
function headOf(core: HubContext, session: Session): string {
	const { headLength } = core.headAtHand.of(session);
	return Buffer.from(core.kernel.memory.slice(IN_AT, IN_AT + headLength)).toString("latin1");
}

/** News of one who waits for the main thread. */
export function askedNews(core: HubContext, session: Session, events: number): Next {
	noteNews(core, session, events);
	if ((events & (EPOLLERR | EPOLLHUP)) !== 0)
		return failed(core, session, takeError(core, session) || ECONNRESET);
	return STAY;
}

/** The main thread has not answered. */
export function askedTimedOut(): Next {
	return end(HANDSHAKE_TIMEOUT);
}

/** What the main thread has said of it; `undefined`: nothing. */
export function verdictOf<Kind extends HubOrder["kind"]>(
	{ hub }: HubContext,
	session: Session,
	kind: Kind,
): Extract<HubOrder, { kind: Kind }> | undefined {
	const verdict = hub?.verdicts.get(session);
	return verdict?.kind === kind ? (verdict as Extract<HubOrder, { kind: Kind }>) : undefined;
}

/** It is a subscriber from now on. What its request said has been taken. */
export function beginSubscriber(core: HubContext, session: Session): Next {
	const { table, hub, hubColumns } = core;
	const verdict = verdictOf(core, session, "accept");
	if (hub === null || verdict === undefined) return end(INTERNAL);
	hub.verdicts.delete(session);
	table.state[session] = HUB;
	table.active[session] = stamp(core.nowMs);
	table.connected[session] = offset(f64(table.acceptedMs, session), core.nowMs);
	const flags = i32(table.flags, session);
	// What it asked with is not counted: that was read, and not passed on.
	if ((flags & HAD_REQUESTS) === 0) core.links.sentBefore[session] = 0;
	table.flags[session] = flags | READABLE | SUBSCRIBES;
	hubColumns.speaks[session] = verdict.protocol + 1;
	hubColumns.heard[session] = stamp(core.nowMs);
	armSubscriber(core, hub, session);
	const next = beginAll(core, hub, session, verdict);
	return next === STAY && isSubscriber(core, session) ? readOn(core, hub, session) : next;
}

/** It is told that it is one, and of each of its channels. Those that it does not come to are given back. */
function beginAll(
	core: HubContext,
	hub: HubTraffic,
	session: Session,
	{ number, bytes, subscriptions }: Extract<HubOrder, { kind: "accept" }>,
): Next {
	let next = bytes.length === 0 ? STAY : settle(core, session, say(core, hub, session, bytes));
	if (next === STAY && core.draining) next = sendAway(core, session);
	let begun = 0;
	while (begun < subscriptions.length && next === STAY && isSubscriber(core, session))
		next = subscribe(core, hub, session, subscriptions[begun++] as SubscribeOrder);
	neverSubscribed(hub, number, subscriptions.slice(begun));
	// When it has all of them: what it has missed of each is sent in one order.
	return next === STAY && isSubscriber(core, session) ? deliverMissed(core, hub, session) : next;
}

/** It is no subscriber, and is answered with what the main thread has said. Returns that. */
export function refusalOf(
	core: HubContext,
	session: Session,
): Extract<HubOrder, { kind: "refuse" }> | undefined {
	const verdict = verdictOf(core, session, "refuse");
	leaveHub(core, session);
	return verdict;
}

/** Until when a subscriber may go on, and when it is sent a heartbeat. Messages do not touch the wheel: when that fires, what holds now is asked. */
import { EVENT_STREAM } from "../../../channels/protocols.js";
import { f64, u8, u32 } from "../../../parts/at.js";
import { fractionFor } from "../../../parts/jitter.js";
import { CLOSE_GOING_AWAY, CLOSE_POLICY } from "../../../protocol/websocket/close-codes.js";
import { KEEPALIVE_LOST, LIFETIME, REQUEST_TIMEOUT, STALL_TIMEOUT } from "../../records/reasons.js";
import { end, type Next, STAY } from "../../table/next.js";
import type { Session } from "../../table/numbers.js";
import { timeOf } from "../../table/times.js";
import { lifetimeDeadline, lookAtBoth, nextLook, stallDeadline } from "../../wire/liveness.js";
import { isBlocked } from "../../wire/outbox.js";
import { ASKED_MAX } from "./columns.js";
import type { HubContext } from "./context.js";
import { deliverAll } from "./deliver.js";
import { settle } from "./deliver-one.js";
import { farewell } from "./farewell.js";
import { isSubscriber } from "./members.js";
import { heartbeat } from "./notices.js";
import { say } from "./send.js";
import type { HubTraffic } from "./traffic.js";

/** Heartbeats of those who came together do not go out together: each comes up to this part sooner. */
const HEARTBEAT_JITTER = 0.2;

export function armSubscriber(core: HubContext, hub: HubTraffic, session: Session): void {
	core.wheel.arm(session, earliestDeadline(core, hub, session));
}

/** Its deadline passed, one of several. */
export function subscriberTimedOut(core: HubContext, session: Session): Next {
	const { hub, nowMs } = core;
	if (hub === null) return STAY;
	lookAtBoth(core, session);
	if (stallDeadline(core, session) <= nowMs) return end(STALL_TIMEOUT);
	if (deadDeadline(core, hub, session) <= nowMs) return end(KEEPALIVE_LOST);
	if (lifetimeDeadline(core, session) <= nowMs)
		return farewell(core, hub, session, CLOSE_GOING_AWAY, "its lifetime is over", LIFETIME);
	if (messageDeadline(core, hub, session) <= nowMs)
		return farewell(
			core,
			hub,
			session,
			CLOSE_POLICY,
			"the rest of its message did not come",
			REQUEST_TIMEOUT,
		);
	if (paceDueMs(core, session) <= nowMs) {
		const next = deliverAll(core, hub, session);
		if (next !== STAY || !isSubscriber(core, session)) return next;
	}
	if (heartbeatDue(core, hub, session) <= nowMs) {
		const result = say(core, hub, session, heartbeat(core.hubColumns.protocolOf(session)));
		if (result < 0) return settle(core, session, result);
	}
	// It may have been sent something just now, and may have taken no more: that is looked after from now on.
	core.wheel.arm(session, Math.min(earliestDeadline(core, hub, session), nextLook(core, session)));
	return STAY;
}

function earliestDeadline(core: HubContext, hub: HubTraffic, session: Session): number {
	return Math.min(
		stallDeadline(core, session),
		deadDeadline(core, hub, session),
		lifetimeDeadline(core, session),
		messageDeadline(core, hub, session),
		paceDueMs(core, session),
		heartbeatDue(core, hub, session),
	);
}

/** When a message may go that waits for its time. To one that takes nothing none goes, and all of its channels are looked at when it does. */
function paceDueMs(core: HubContext, session: Session): number {
	const dueMs = f64(core.hubColumns.paceDueMs, session);
	return dueMs === 0 || isBlocked(core, session) ? Number.POSITIVE_INFINITY : dueMs;
}

/** Nothing has come from it for so long. Who takes events says nothing: whether it is there, acknowledgements tell. */
function deadDeadline(core: HubContext, { settings }: HubTraffic, session: Session): number {
	if (core.hubColumns.protocolOf(session) === EVENT_STREAM) return Number.POSITIVE_INFINITY;
	// It is we who do not read on.
	if (u8(core.hubColumns.asked, session) >= ASKED_MAX) return Number.POSITIVE_INFINITY;
	return timeOf(u32(core.hubColumns.heard, session), core.nowMs) + settings.deadAfterMs;
}

/** A message that has begun is complete by then, unless it is we who do not read on. */
function messageDeadline(core: HubContext, { incoming }: HubTraffic, session: Session): number {
	const sinceMs = incoming.size === 0 ? undefined : incoming.get(session)?.sinceMs;
	const isOurs = u8(core.hubColumns.asked, session) >= ASKED_MAX;
	return sinceMs === undefined || isOurs
		? Number.POSITIVE_INFINITY
		: sinceMs + core.policyOf(session).handshakeMs;
}

/** To one that takes nothing at the moment none is sent. */
export function heartbeatDue(core: HubContext, { settings }: HubTraffic, session: Session): number {
	if (isBlocked(core, session)) return Number.POSITIVE_INFINITY;
	const everyMs = settings.heartbeatMs * (1 - HEARTBEAT_JITTER * fractionFor(session));
	return core.table.activeMs(session, core.nowMs) + everyMs;
}

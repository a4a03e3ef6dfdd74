/** A subscriber is told why it ends, where nothing is in front of that, and ends. */
import { CLOSE_OPERATOR } from "../../../channels/close-codes.js";
import { CLOSE_GOING_AWAY } from "../../../protocol/websocket/close-codes.js";
import { tell } from "../../end/linger.js";
import { DRAINED, OPERATOR } from "../../records/reasons.js";
import { end, type Next } from "../../table/next.js";
import type { Session } from "../../table/numbers.js";
import { isBlocked } from "../../wire/outbox.js";
import type { HubContext } from "./context.js";
import { leaveHub } from "./members.js";
import { lastWords } from "./notices.js";
import type { HubTraffic } from "./traffic.js";

/** Those who are sent away together come back spread out over this part of the time that is set, and the rest. */
const RETRY_MIN_PART = 0.1;

export function farewell(
	core: HubContext,
	hub: HubTraffic,
	session: Session,
	code: number,
	text: string,
	reason: number,
): Next {
	const protocol = core.hubColumns.protocolOf(session);
	const isAmid = isBlocked(core, session) || hub.leftovers.has(session);
	const retryMs = code === CLOSE_GOING_AWAY ? retryAfterMs(hub) : 0;
	leaveHub(core, session);
	// Within a message nothing can be said: its client sees that the stream was cut.
	return isAmid ? end(reason) : tell(core, session, lastWords(protocol, code, text, retryMs), reason);
}

/** The gateway drains: it may come back, perhaps to another. */
export function sendAway(core: HubContext, session: Session): Next {
	const { hub } = core;
	if (hub === null) return end(DRAINED);
	return farewell(core, hub, session, CLOSE_GOING_AWAY, "the gateway ends", DRAINED);
}

/** An operator closes it. */
export function closeForOperator(core: HubContext, session: Session): Next {
	const { hub } = core;
	if (hub === null) return end(OPERATOR);
	return farewell(core, hub, session, CLOSE_OPERATOR, "an operator closed it", OPERATOR);
}

function retryAfterMs({ settings }: HubTraffic): number {
	return Math.round(settings.retryMs * (RETRY_MIN_PART + (1 - RETRY_MIN_PART) * Math.random()));
}

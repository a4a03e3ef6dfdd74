/** A deadline of a client that is read request by request has passed. Traffic does not touch the wheel: what holds now is asked. */

import { f64, i32 } from "../../../parts/at.js";
import { lingerThenEnd } from "../../end/linger.js";
import {
	HALF_CLOSED_TIMEOUT,
	HANDSHAKE_TIMEOUT,
	IDLE_TIMEOUT,
	LIFETIME,
	REQUEST_TIMEOUT,
	RESPONSE_TIMEOUT,
	STALL_TIMEOUT,
} from "../../records/reasons.js";
import { end, lastAnswer, type Next, STAY } from "../../table/next.js";
import type { Session } from "../../table/numbers.js";
import { lifetimeDeadline, lookAtBoth, stallDeadline } from "../../wire/liveness.js";
import { isBlocked } from "../../wire/outbox.js";
import { KEEPS_CLIENT } from "./columns.js";
import type { Http1Context } from "./context.js";
import {
	answerDeadline,
	armExchange,
	bodyDeadline,
	exchangeDeadline,
	exchangeStall,
	hasEnded,
	isLastAnswer,
	renewBodyRate,
	requestDeadline,
} from "./deadlines.js";
import { refuseAmid } from "./finish.js";

/** Of a connection between requests. */
export function requestTimedOut(core: Http1Context, session: Session): Next {
	const lookAgainMs = lookAtBoth(core, session);
	const deadlineMs = requestDeadline(core, session);
	if (deadlineMs > core.nowMs) {
		core.wheel.arm(session, Math.min(deadlineMs, lookAgainMs));
		return STAY;
	}
	if (stallDeadline(core, session) <= core.nowMs) return end(STALL_TIMEOUT);
	if (isBlocked(core, session)) return end(LIFETIME);
	if (f64(core.exchanges.headMs, session) > 0) return lastAnswer(408, REQUEST_TIMEOUT);
	if (lifetimeDeadline(core, session) <= core.nowMs) return lingerThenEnd(core, session, LIFETIME);
	// Behind TLS, whose handshake was all that it ever said.
	if (i32(core.exchanges.requests, session) === 0) return end(HANDSHAKE_TIMEOUT);
	return lingerThenEnd(core, session, IDLE_TIMEOUT);
}

/** Of an exchange. */
export function exchangeTimedOut(core: Http1Context, session: Session): Next {
	const { table, exchanges } = core;
	const link = table.linkOf(session);
	const lookAgainMs = lookAtBoth(core, session);
	if (bodyDeadline(core, session) <= core.nowMs && !renewBodyRate(core, session, link))
		return refuseAmid(core, session, link, 408, REQUEST_TIMEOUT);
	const deadlineMs = exchangeDeadline(core, session);
	if (deadlineMs > core.nowMs) {
		core.wheel.arm(session, Math.min(deadlineMs, lookAgainMs));
		return STAY;
	}
	if (answerDeadline(core, session) <= core.nowMs)
		return refuseAmid(core, session, link, 504, RESPONSE_TIMEOUT);
	if (exchangeStall(core, session) <= core.nowMs) return end(STALL_TIMEOUT);
	if (lifetimeDeadline(core, session) > core.nowMs)
		return end(hasEnded(core, session) ? HALF_CLOSED_TIMEOUT : IDLE_TIMEOUT);
	if (isLastAnswer(core, session)) return end(LIFETIME);
	exchanges.clear(session, KEEPS_CLIENT);
	armExchange(core, session);
	return STAY;
}

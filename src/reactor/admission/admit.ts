/**
 * Second step: may this connection stay at all? Asked before a byte of it is looked at, and again for the
 * address that a PROXY header names.
 */

import { i32, ref, setRef, u8 } from "../../parts/at.js";
import { contains } from "../../route/router.js";
import type { ListenerPlan } from "../plan/plan.js";
import { scalarIndex } from "../records/counters.js";
import { listenerRequests } from "../records/rates.js";
import { BANNED, FD_PRESSURE, LIMIT_IP, LIMIT_RATE, PROXY_HEADER } from "../records/reasons.js";
import { NOT_COUNTED, TOO_FAST, TOO_MANY } from "../records/sources.js";
import { end, type Next, STAY } from "../table/next.js";
import { NONE, type Session } from "../table/numbers.js";
import type { AdmissionContext } from "./context.js";
import type { ReactorListener } from "./listener.js";
import { makeRoom } from "./shed.js";

/** STAY: it may. */
export function admit(core: AdmissionContext, listener: ReactorListener, session: Session): Next {
	const { table } = core;
	// The kernel gives the lowest number that is free, so this one says that all below are in use.
	if (i32(table.fd, session) >= core.descriptorCeiling && makeRoom(core, FD_PRESSURE, session) <= 0)
		return end(FD_PRESSURE);
	const { proxyRequired, trusted } = listener.plan;
	// The client is the one that the PROXY header will name; its address is not known yet.
	if (!proxyRequired) return admitSource(core, session);
	const family = u8(table.family, session);
	for (const block of trusted) if (contains(block, family, table.source, session * 16)) return STAY;
	return end(PROXY_HEADER);
}

/** The client's address is known: what may it have? STAY: what it asks for. */
export function admitSource(core: AdmissionContext, session: Session): Next {
	const { table, sources } = core;
	const family = u8(table.family, session);
	if (core.bans.forbid(family, table.source, session * 16, core.nowMs)) return end(BANNED);
	const place = sources.enter(family, table.source, session * 16, core.sourceLimits, core.nowMs);
	if (place === TOO_MANY) return end(LIMIT_IP);
	if (place === TOO_FAST) return end(LIMIT_RATE);
	if (place === NOT_COUNTED) core.counters.add(SOURCES_NOT_COUNTED, 1);
	else setRef(table.sourcePlace, session, place);
	return STAY;
}

/** A request has come: may it be served now? Of an address that asks too fast, nothing is taken from the others. */
export function admitRequest(core: AdmissionContext, session: Session, listener: ListenerPlan): boolean {
	const { requestsPerSecond, requestsPerSecondPerSource } = listener.http;
	const place = ref(core.table.sourcePlace, session);
	if (requestsPerSecondPerSource !== Number.POSITIVE_INFINITY && place !== NONE) {
		if (!core.sources.takeRequest(place, requestsPerSecondPerSource, core.nowMs)) return false;
	}
	if (core.rates.take(listenerRequests(listener.slot), listener.requestsPerSecond, core.nowMs) > 0)
		return false;
	if (requestsPerSecond === Number.POSITIVE_INFINITY) return true;
	return core.sources.takeRequestToken(requestsPerSecond, core.nowMs) === 0;
}

const SOURCES_NOT_COUNTED = scalarIndex("sourcesNotCounted");

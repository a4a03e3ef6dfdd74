/**
 * Second step: may this connection stay at all? Asked before a byte of it is looked at, and again for the
 * address that a PROXY header names.
 */

import { at } from "../../parts/at.js";
import { NONE } from "../../parts/none.js";
import { contains } from "../../route/router.js";
import type { Core, ReactorListener } from "../core.js";
import { close } from "../end/close.js";
import type { HttpPlan } from "../plan/plan.js";
import { scalarIndex } from "../records/counters.js";
import { FD_PRESSURE, LIMIT_IP, LIMIT_RATE, PROXY_HEADER } from "../records/reasons.js";
import { makeRoom } from "./room.js";
import { NOT_COUNTED, TOO_FAST, TOO_MANY } from "./sources.js";

/** False when the connection was turned away, and closed. */
export function admit(core: Core, listener: ReactorListener, slot: number): boolean {
	const { table } = core;
	// The kernel gives the lowest number that is free, so this one says that all below are in use.
	if (at(table.fd, slot) >= core.descriptorCeiling && makeRoom(core, FD_PRESSURE, slot) <= 0) {
		close(core, slot, FD_PRESSURE);
		return false;
	}
	const { proxyRequired, trusted } = listener.plan;
	// Behind a PROXY header stands somebody else, whose address is not known yet.
	if (!proxyRequired) return admitSource(core, slot);
	const family = at(table.family, slot);
	for (const block of trusted) if (contains(block, family, table.source, slot * 16)) return true;
	close(core, slot, PROXY_HEADER);
	return false;
}

/** The client's address is known: what may it have? False when it was turned away, and closed. */
export function admitSource(core: Core, slot: number): boolean {
	const { table, sources } = core;
	const family = at(table.family, slot);
	const place = sources.enter(family, table.source, slot * 16, core.sourceLimits, core.nowMs);
	if (place === TOO_MANY || place === TOO_FAST) {
		close(core, slot, place === TOO_MANY ? LIMIT_IP : LIMIT_RATE);
		return false;
	}
	if (place === NOT_COUNTED) core.counters.add(SOURCES_NOT_COUNTED, 1);
	else table.sourcePlace[slot] = place;
	return true;
}

/** A request has come: may it be served now? Of an address that asks too fast, nothing is taken from the others. */
export function admitRequest(core: Core, client: number, http: HttpPlan): boolean {
	const { requestsPerSecond, requestsPerSecondPerSource } = http;
	const place = at(core.table.sourcePlace, client);
	if (requestsPerSecondPerSource !== Number.POSITIVE_INFINITY && place !== NONE) {
		if (!core.sources.takeRequest(place, requestsPerSecondPerSource, core.nowMs)) return false;
	}
	if (requestsPerSecond === Number.POSITIVE_INFINITY) return true;
	return core.sources.takeRequestToken(requestsPerSecond, core.nowMs) === 0;
}

const SOURCES_NOT_COUNTED = scalarIndex("sourcesNotCounted");

/** Where does a connection go whose protocol, and name if it has one, is known? */

import { cell, f64, i32, setRef } from "../../parts/at.js";
import { PROTOCOL_TLS } from "../../protocol/index.js";
import { routeSessions } from "../records/rates.js";
import {
	BAD_REQUEST,
	INTERNAL,
	LIMIT_CONNECTIONS,
	LIMIT_RATE,
	LOOP,
	NO_CERTIFICATE,
	NO_ROUTE,
	NO_TUNNEL,
	REJECTED,
	UPSTREAM_DOWN,
} from "../records/reasons.js";
import type { RoutingContext } from "../routing/context.js";
import { holdTo } from "../routing/hold.js";
import { matchSniffed } from "../routing/query.js";
import { OURS } from "../table/marks.js";
import { ASK_HUB, DIAL_ON, end, type Next, refuse, to } from "../table/next.js";
import type { Session } from "../table/numbers.js";
import { offset } from "../table/times.js";
import { lowerWater } from "../wire/socket-options.js";

/** `protocol`: what it is taken for. */
export function route(core: RoutingContext, session: Session, protocol: number): Next {
	const { table } = core;
	const listener = core.listenerOf(session);
	table.recognized[session] = offset(f64(table.acceptedMs, session), core.nowMs);
	const index = matchSniffed(core, listener, session, protocol);
	const found = listener.plan.routes[index];
	if (found === undefined) return refuse(NO_ROUTE);
	setRef(table.route, session, found.slot);
	if (!holdTo(core, session, cell(listener.routePolicies, index))) return refuse(LIMIT_CONNECTIONS);
	if (core.rates.take(routeSessions(found.slot), found.sessionsPerSecond, core.nowMs) > 0)
		return refuse(LIMIT_RATE);
	core.counters.routed(found.slot);
	if (found.upstream < 0) return refuse(found.noTunnel === true ? NO_TUNNEL : REJECTED);
	core.counters.handshakeTook(listener.plan.slot, core.nowMs - f64(table.acceptedMs, session));
	if (lowerWater(core, session) < 0) return end(INTERNAL);
	setRef(table.upstream, session, found.upstream);
	if ((i32(table.flags, session) & OURS) !== 0) return refuse(LOOP);
	const upstream = core.upstreams.get(found.upstream)?.plan;
	if (upstream?.hub === true) return to(ASK_HUB, index);
	if (upstream?.pool == null) return to(DIAL_ON, UPSTREAM_DOWN);
	// Its upstream takes requests, and this is none.
	if (protocol !== PROTOCOL_TLS) return refuse(BAD_REQUEST);
	core.tlsFailures.set(session, NOT_TERMINATED);
	return refuse(NO_CERTIFICATE);
}

/** Beside the name, for the log. */
const NOT_TERMINATED =
	"its route leads to an upstream of requests, and no certificate of the listener is for this name";

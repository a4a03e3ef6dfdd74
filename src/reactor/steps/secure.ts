/**
 * The step in which TLS begins. A client's: its hello has been peeked, and the name in it is one that is terminated
 * here; behind the handshake its route is looked for, or its first bytes are sniffed once more, decrypted. An
 * upstream's: it is connected, and what it is to be told goes through TLS.
 */

import { ENOMEM } from "../../kernel/constants.js";
import { FAILED, type TlsContext, TRUNCATED, WANT_READ, WANT_WRITE } from "../../kernel/openssl/tls.js";
import { assert } from "../../parts/assert.js";
import { f64, i32, ref } from "../../parts/at.js";
import { forget } from "../../parts/forget.js";
import { PROTOCOL_HTTP, PROTOCOL_TLS } from "../../protocol/index.js";
import { lingerThenEnd } from "../end/linger.js";
import { TURN_BYTES } from "../memory/budget.js";
import { scalarIndex } from "../records/counters.js";
import {
	HANDSHAKE_TIMEOUT,
	INTERNAL,
	MEMORY_PRESSURE,
	TLS_FAILED,
	UPSTREAM_DOWN,
} from "../records/reasons.js";
import type { RoutingContext } from "../routing/context.js";
import { askSniffed } from "../routing/query.js";
import { BLOCKED, QUEUED, READABLE, SECURED } from "../table/marks.js";
import {
	DIAL_ON,
	end,
	INSIDE,
	type Next,
	READ_REQUESTS,
	READY,
	REDIAL,
	ROUTE,
	STAY,
	to,
} from "../table/next.js";
import type { Link, Session, Slot } from "../table/numbers.js";
import { SECURE } from "../table/states.js";
import { offset } from "../table/times.js";
import { watchOut } from "../wire/interest.js";
import { handshakeDeadline } from "../wire/liveness.js";
import { noteNews } from "../wire/news.js";
import { OPEN } from "../wire/secures.js";
import { lowerWater } from "../wire/socket-options.js";
import { noteFailure } from "../wire/tls.js";

/**
 * What the first step of a handshake counts against what a turn may move: a signature and a key exchange take as long as
 * copying so much does. The rest of a burst of hellos waits for the next turn, behind connections that have just come.
 */
const HANDSHAKE_COST_BYTES = 256 * 1024;

/** What each further step counts, which mostly derives keys and writes tickets. */
const STEP_COST_BYTES = 32 * 1024;

/** A client whose hello asks for a name that is terminated here, by the certificate in `secures.entry`. The hello is still in the kernel. */
export function secureClient(core: RoutingContext, session: Session): Next {
	const { secures, certificates, recognition } = core;
	assert(core.recognized.is(session), "the hello that was recognised last is the session's own");
	if (lowerWater(core, session) < 0) return end(INTERNAL);
	const entry = certificates.entry(i32(secures.entry, session));
	const next = open(core, session, () => certificates.contextOf(entry));
	if (next !== STAY) {
		secures.entry[session] = 0;
		return next;
	}
	secures.alpn[session] = 0;
	secures.names.keep(session, recognition.name, recognition.nameLength);
	core.recognized.clear();
	core.wheel.arm(session, handshakeDeadline(core, session));
	return beginInTurn(core, session);
}

/** The session's upstream is connected, and is spoken to through TLS. The client's deadline is the handshake's. */
export function secureUpstream(core: RoutingContext, session: Session): Next {
	const { table, wheel, certificates } = core;
	const link = table.linkOf(session);
	const address = ref(table.address, session);
	// A fresh socket that takes no PROXY header: the kernel is at its end.
	if ((i32(table.flags, link) & BLOCKED) !== 0) return end(MEMORY_PRESSURE);
	wheel.arm(session, core.nowMs + core.policyOf(session).connectMs);
	const next = open(core, link, () => certificates.clientContext(address));
	return next === STAY ? beginInTurn(core, link) : next;
}

/** STAY: the library's session is open. */
function open(core: RoutingContext, slot: Slot, contextOf: () => TlsContext | undefined): Next {
	const { table, tls, secures, counters } = core;
	assert(core.engine.sharesDescriptors, "the library may use the descriptor beside the engine");
	let context: TlsContext | undefined;
	try {
		context = contextOf();
	} catch (error) {
		// It was good when the plan was made.
		core.remark("error", `TLS: ${(error as Error).message}`);
		return end(INTERNAL);
	}
	// Its address went with a reload, and how to speak to it with that: another of the same upstream may be there.
	if (context === undefined) return to(DIAL_ON, UPSTREAM_DOWN);
	const handle = tls.open(context, i32(table.fd, slot));
	if (handle < 0) return end(handle === -ENOMEM ? MEMORY_PRESSURE : INTERNAL);
	table.state[slot] = SECURE;
	table.flags[slot] = i32(table.flags, slot) | SECURED | READABLE;
	secures.begin(slot, handle);
	counters.set(TLS_SESSIONS, tls.live);
	return STAY;
}

/** A handshake begins: now, or when others have had their turn. */
function beginInTurn(core: RoutingContext, slot: Slot): Next {
	if (core.budget.turnBytes > 0) return beginHandshake(core, slot);
	core.queue.add(slot);
	return STAY;
}

/** Its first step, which is the expensive one; or one that had to wait. `slot`: the connection, a client's or an upstream's. */
export function beginHandshake(core: RoutingContext, slot: Slot): Next {
	core.budget.turnBytes -= HANDSHAKE_COST_BYTES;
	return goOn(core, slot);
}

/**
 * News of a connection whose handshake is under way. What was begun is finished before more is begun, or else, when
 * there is too much of it, the time of all of them runs out. But not at any price: a peer can make this step the expensive
 * one (TLS 1.2, another key share, a chain to verify), so the turn goes no further into debt than by its own share.
 */
export function handshake(core: RoutingContext, slot: Slot, events: number): Next {
	noteNews(core, slot, events);
	// It has not had its first step, or waits for this one.
	if ((i32(core.table.flags, slot) & QUEUED) !== 0) return STAY;
	if (core.budget.turnBytes <= -TURN_BYTES) {
		core.queue.add(slot);
		return STAY;
	}
	core.budget.turnBytes -= STEP_COST_BYTES;
	return goOn(core, slot);
}

function goOn(core: RoutingContext, slot: Slot): Next {
	const { tls, secures } = core;
	const result = tls.handshake(f64(secures.session, slot));
	if (result === 0) return established(core, slot);
	if (result === WANT_WRITE) watchOut(core, slot);
	else if (result !== WANT_READ) return failed(core, slot, result);
	return STAY;
}

function established(core: RoutingContext, slot: Slot): Next {
	const { tls, secures, table, counters } = core;
	const handle = f64(secures.session, slot);
	secures.phase[slot] = OPEN;
	const resumed = tls.resumed(handle);
	if (!table.isClient(slot)) {
		counters.add(resumed ? UPSTREAM_RESUMED : UPSTREAM_FULL, 1);
		forget(core.tlsFailures, table.sessionOf(slot)); // another address's
		return READY;
	}
	counters.add(resumed ? RESUMED : FULL, 1);
	secures.secured[slot] = offset(f64(table.acceptedMs, slot), core.nowMs);
	const { alpn } = core.certificates.entry(i32(secures.entry, slot)).plan.server;
	if (alpn.length > 0) secures.alpn[slot] = 1 + alpn.indexOf(tls.alpn(handle));
	return routeSecured(core, slot);
}

/** What is known outside may say where it goes; otherwise what it says inside does. */
function routeSecured(core: RoutingContext, session: Session): Next {
	const { table, query } = core;
	const listener = core.listenerOf(session);
	askSniffed(core, session, PROTOCOL_TLS, 0);
	if (listener.router.looksInside(query)) return INSIDE;
	const upstream = listener.plan.routes[listener.router.match(query)]?.upstream ?? -1;
	const readsRequests =
		listener.plan.readsRequests && upstream >= 0 && core.upstreams.get(upstream)?.plan.pool != null;
	if (!readsRequests) return to(ROUTE, PROTOCOL_TLS);
	table.protocol[session] = PROTOCOL_HTTP;
	return READ_REQUESTS;
}

function failed(core: RoutingContext, slot: Slot, result: number): Next {
	const { table, counters } = core;
	const isClient = table.isClient(slot);
	counters.add(isClient ? FAILURES : UPSTREAM_FAILURES, 1);
	if (result === FAILED && !isClient)
		core.certificates.handshakeFailed(
			i32(core.secures.address, table.placeOf(slot as Link)),
			f64(core.secures.session, slot),
		);
	if (result === FAILED) noteFailure(core, slot, core.tls.lastReason());
	else noteFailure(core, slot, result === TRUNCATED ? "ended in the handshake" : "reset in the handshake");
	if (!isClient) return to(REDIAL, TLS_FAILED);
	// The library has told it why, by an alert.
	return result === FAILED ? lingerThenEnd(core, slot, TLS_FAILED) : end(TLS_FAILED);
}

/** The deadline of a client's handshake passed. */
export function handshakeTimedOut(core: RoutingContext): Next {
	core.counters.add(FAILURES, 1);
	return end(HANDSHAKE_TIMEOUT);
}

const TLS_SESSIONS = scalarIndex("tlsSessions");
const FULL = scalarIndex("tlsFull");
const RESUMED = scalarIndex("tlsResumed");
const FAILURES = scalarIndex("tlsFailed");
const UPSTREAM_FULL = scalarIndex("tlsUpstreamFull");
const UPSTREAM_RESUMED = scalarIndex("tlsUpstreamResumed");
const UPSTREAM_FAILURES = scalarIndex("tlsUpstreamFailed");

/**
 * The one way out: every session ends here, with one reason, and gives back all that it held.
 */

import { assert } from "../../parts/assert.js";
import { i32, ref, u8, u16 } from "../../parts/at.js";
import { forget } from "../../parts/forget.js";
import { endLink } from "../links/close-link.js";
import { noLongerWaits } from "../links/no-longer-waits.js";
import { closeOwned } from "../links/owned.js";
import {
	BANNED,
	CLIENT_RESET,
	DRAINED,
	FD_PRESSURE,
	INTERNAL,
	KEEPALIVE_LOST,
	LIFETIME,
	LIMIT_CONNECTIONS,
	LIMIT_IP,
	LIMIT_RATE,
	MEMORY_PRESSURE,
	OPERATOR,
	SUPERSEDED,
	TLS_FAILED,
	UPSTREAM_RESET,
} from "../records/reasons.js";
import { FLOW, KIND } from "../table/fields.js";
import { BLOCKED, BY_LINE, ENDED, HAD_REQUESTS, PACED, READABLE } from "../table/marks.js";
import { type Link, NONE, type Session, type Slot } from "../table/numbers.js";
import { DIAL, EXCHANGE, FREE, LINGER, RELAY, SECURE, SNIFF } from "../table/states.js";
import { hangUp, releaseRow } from "../wire/hang-up.js";
import { isBusy } from "../wire/liveness.js";
import { endPace } from "../wire/pace.js";
import { account } from "./account.js";
import type { EndContext } from "./context.js";

/** Ends a session. `isAmid`: an answer has begun of which the rest will never come. Only the road calls this. */
export function close(core: EndContext, session: Session, reason: number, isAmid: boolean): void {
	const { table, places } = core;
	assert(u8(table.state, session) !== FREE, "a session ends once");
	account(core, session, reason);
	const link = table.linkOf(session);
	const reset = isCut(core, session, link, reason, isAmid);
	forget(core.tlsFailures, session);
	if ((i32(table.flags, session) & HAD_REQUESTS) !== 0) closeOwned(core, session);
	if (link !== NONE) endLink(core, link, reset);
	hangUp(core, session, reset);
	if ((i32(table.flags, session) & KIND) === FLOW) {
		const ear = core.datagrams?.forget(session, reason) ?? NONE;
		if (ear !== NONE) core.kernel.close(ear);
	}
	const address = ref(table.address, session);
	if (address !== NONE) {
		core.board.leave(address);
		if (link === NONE) noLongerWaits(core, session, address);
	}
	if ((i32(table.flags, session) & PACED) !== 0) endPace(core, session);
	const source = ref(table.sourcePlace, session);
	if (source !== NONE) core.sources.leave(source);
	forget(core.proxyHeaders, session);
	core.policies.leave(u16(table.policy, session));
	core.policies.leave(u16(table.ownPolicy, session));
	const listener = u16(table.listener, session);
	if (link !== NONE) releaseRow(core, link);
	core.counters.sessionClosed(listener, reason);
	releaseRow(core, session);
	places.leave(listener);
	// A client may be waiting in an accept queue for this place.
	if (places.isWaitedFor) places.resumeBy(core.nowMs);
	if (core.draining && table.clients === 0) core.notify({ kind: "drained" });
}

/**
 * Ends that are resets: the peers' own, and those of clients that are turned away or closed to make room, which
 * frees what the kernel holds at once, and leaves no TIME_WAIT behind.
 */
const RESETS: ReadonlySet<number> = new Set([
	CLIENT_RESET,
	UPSTREAM_RESET,
	KEEPALIVE_LOST,
	LIMIT_CONNECTIONS,
	LIMIT_IP,
	LIMIT_RATE,
	BANNED,
	FD_PRESSURE,
	MEMORY_PRESSURE,
]);

/** Ends that neither side asked for. */
const OURS: ReadonlySet<number> = new Set([DRAINED, LIFETIME, OPERATOR, SUPERSEDED, INTERNAL]);

/** What was not read because of a rate was not passed on. Of a stream that was read to its end nothing is left. */
function waitsForRate(flags: Int32Array, session: Session, link: Link): boolean {
	if ((i32(flags, session) & PACED) === 0) return false;
	const unread = (slot: Slot): boolean => (i32(flags, slot) & (READABLE | ENDED)) === READABLE;
	return unread(session) || unread(link);
}

/**
 * A reset on one side is a reset on the other, and so is any end while bytes wait: a stream that was cut must
 * not look complete. So is a busy session that we end on our own account. It also makes the kernel free at once what a stalled reader never took.
 */
function isCut(core: EndContext, session: Session, link: Link, reason: number, isAmid: boolean): boolean {
	const { flags, state } = core.table;
	const mine = u8(state, session);
	if (RESETS.has(reason)) {
		// Don't reset after an error answer: the reset would discard it.
		return !(mine === LINGER && u8(core.table.reason, session) === reason);
	}
	// The gateway must not take the absence of the service for its end.
	if ((i32(flags, session) & BY_LINE) !== 0 && (mine === SNIFF || mine === DIAL || mine === SECURE))
		return true;
	// Whatever had broken it, neither side has said that it was done. Before, in a handshake, nothing is under way.
	if (reason === TLS_FAILED && (mine === RELAY || mine === EXCHANGE)) return true;
	if (isAmid) return true;
	const ours = OURS.has(reason);
	if (ours && mine === RELAY && isBusy(core, session)) return true;
	if (mine === RELAY && link !== NONE && waitsForRate(flags, session, link)) return true;
	return (i32(flags, session) & BLOCKED) !== 0 || (link !== NONE && (i32(flags, link) & BLOCKED) !== 0);
}

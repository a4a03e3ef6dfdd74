/**
 * Whether a connection is alive: who moved bytes, whose bytes are acknowledged, and until when a session may go on. Nothing here
 * closes anything; deadlines ask, and decide.
 */

import { f64, i32, u32 } from "../../parts/at.js";
import { fractionFor } from "../../parts/jitter.js";
import { BLOCKED, LOOKED_AFTER, QUEUED } from "../table/marks.js";
import { NONE, type Session, type Slot } from "../table/numbers.js";
import { stamp } from "../table/times.js";
import type { WireContext } from "./context.js";
import { isHeld } from "./pace.js";
import { sentBytes } from "./transport.js";

/**
 * How often a session of which one side takes no more is asked whether that side acknowledges anything: a reader
 * that stops is closed so much later than `stall` at most. Where both still take, a quarter of `stall` is enough:
 * what is under way to a peer that is gone fills its buffer, or is found then.
 */
const LOOK_MS = 250;

/** Sessions that were opened together do not end together: each lives up to this part less. */
export const LIFETIME_JITTER = 0.1;

/** A session that moved bytes within this time is busy. */
const BUSY_MS = 1_000;

export function isBusy(core: WireContext, client: Session): boolean {
	return core.nowMs - core.table.activeMs(client, core.nowMs) < BUSY_MS;
}

/** A session that was quiet moves bytes again: is their arrival acknowledged? */
export function lookAfter(core: WireContext, client: Session): void {
	const { table, wheel } = core;
	table.flags[client] = i32(table.flags, client) | LOOKED_AFTER;
	const looksAtMs = core.nowMs + lookEvery(core, client);
	if (looksAtMs < wheel.deadlineOf(client)) wheel.arm(client, looksAtMs);
}

export function lookEvery(core: WireContext, client: Session): number {
	const everyMs = core.policyOf(client).stallMs / 4;
	return (flagsOfBoth(core, client) & BLOCKED) !== 0 ? Math.min(LOOK_MS, everyMs) : everyMs;
}

function flagsOfBoth({ table }: WireContext, client: Session): number {
	const link = table.linkOf(client);
	return i32(table.flags, client) | (link === NONE ? 0 : i32(table.flags, link));
}

/** When a session that is looked after is looked at next; Infinity for others. */
export function nextLook(core: WireContext, client: Session): number {
	const isLookedAfter = (i32(core.table.flags, client) & LOOKED_AFTER) !== 0;
	return isLookedAfter ? core.nowMs + lookEvery(core, client) : Number.POSITIVE_INFINITY;
}

/** Looks at both sides. Returns when to look again: Infinity when nothing is under way, and nothing was. */
export function lookAtBoth(core: WireContext, client: Session): number {
	const { table } = core;
	const link = table.linkOf(client);
	const clientWaits = look(core, client);
	const upstreamWaits = link !== NONE && look(core, link);
	const everyMs = lookEvery(core, client);
	const wasActive = core.nowMs - table.activeMs(client, core.nowMs) < everyMs;
	if (clientWaits || upstreamWaits || wasActive) return core.nowMs + everyMs;
	// Quiet: the next byte that is sent has it looked after again.
	table.flags[client] = i32(table.flags, client) & ~LOOKED_AFTER;
	return Number.POSITIVE_INFINITY;
}

/**
 * A side has stalled when its peer acknowledges nothing while bytes are under way. Writability does not tell: the
 * kernel reports room only when a good part of a send buffer is free, for which a slow reader may need minutes,
 * and until that buffer is full a peer that is gone takes everything. True while bytes wait.
 */
function look(core: WireContext, slot: Slot): boolean {
	const { table, engine } = core;
	const undelivered = engine.undelivered(slot);
	if (undelivered < 0) return false;
	const isBlocked = (i32(table.flags, slot) & BLOCKED) !== 0;
	const acknowledged = acknowledgedOf(core, slot, undelivered);
	if (undelivered === 0 && !isBlocked) table.since[slot] = 0;
	else if (acknowledged !== i32(table.acknowledged, slot)) {
		table.since[slot] = stamp(core.nowMs);
		if (isBlocked) table.active[table.sessionOf(slot)] = stamp(core.nowMs);
	} else if (u32(table.since, slot) === 0) table.since[slot] = stamp(core.nowMs);
	table.acknowledged[slot] = acknowledged;
	return undelivered > 0 || isBlocked;
}

export function acknowledgedBy(core: WireContext, slot: Slot): number {
	return acknowledgedOf(core, slot, core.engine.undelivered(slot));
}

function acknowledgedOf(core: WireContext, slot: Slot, undelivered: number): number {
	return (sentBytes(core, slot) - undelivered) | 0;
}

/** When a side that takes nothing has stalled: the earlier of the two. */
export function stallDeadline(core: WireContext, client: Session): number {
	const { table } = core;
	const { stallMs } = core.policyOf(client);
	const link = table.linkOf(client);
	const theirs = link === NONE ? Number.POSITIVE_INFINITY : waitsSince(core, link);
	return Math.min(waitsSince(core, client), theirs) + stallMs;
}

/** A connection that waits for its turn is looked at again so soon. */
const TURN_AGAIN_MS = 1_000;

/**
 * A deadline for a silent or slow peer. It is not due while the connection waits for its turn with us, or for its rate: what the peer has sent
 * lies unread, so it is not known yet whether it was silent.
 */
export function unlessQueued(core: WireContext, client: Session, deadlineMs: number): number {
	const waits = (flagsOfBoth(core, client) & QUEUED) !== 0 || isHeld(core, client, TURN_AGAIN_MS);
	return waits ? Math.max(deadlineMs, core.nowMs + TURN_AGAIN_MS) : deadlineMs;
}

/** Since when a side has taken nothing of what waits for it; Infinity while nothing does. */
export function waitsSince(core: WireContext, slot: Slot): number {
	const sinceMs = core.table.sinceMs(slot, core.nowMs);
	return sinceMs === 0 ? Number.POSITIVE_INFINITY : sinceMs;
}

/** When a client must have said what it wants; behind TLS, when its handshake must be over. It counts from accept, and nothing renews it. */
export function handshakeDeadline(core: WireContext, client: Session): number {
	return f64(core.table.acceptedMs, client) + core.policyOf(client).handshakeMs;
}

export function lifetimeDeadline(core: WireContext, client: Session): number {
	const { lifetimeMs } = core.policyOf(client);
	if (lifetimeMs === 0) return Number.POSITIVE_INFINITY;
	return f64(core.table.acceptedMs, client) + lifetimeMs * (1 - LIFETIME_JITTER * fractionFor(client));
}

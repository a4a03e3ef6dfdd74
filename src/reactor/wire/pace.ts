/**
 * Sessions that have a rate: one that has used up what it may move is not read from until it may move more, so its sender is slowed
 * by TCP's own means, and nothing is buffered for it.
 *
 *     moves ──allowed is used up──► takes a further portion from each of its rates (its own, its address's, its route's, …)
 *       ▲                                │ paid for already: goes on at once
 *       └──── resume, by the wheel ◄─────┘ otherwise: held until the last of them is paid for
 *
 * Each portion is taken in its turn, so that those who share a rate get equal portions of it. What was moved beyond the allowed,
 * a head or what waited for a slow reader, is paid for with the next portion. The deadline stands on the upstream's row: the
 * client's has those of the session.
 */

import { assert } from "../../parts/assert.js";
import { f64, i32, ref, u8, u16 } from "../../parts/at.js";
import { paidUntil } from "../../parts/pace.js";
import { CHUNK_BYTES } from "../memory/arena.js";
import type { ByteRates } from "../plan/plan.js";
import { scalarIndex } from "../records/counters.js";
import { ALL_BYTES, listenerBytes, routeBytes } from "../records/rates.js";
import type { TableContext } from "../table/context.js";
import { PACED, SECURED } from "../table/marks.js";
import { type Link, NONE, type Session, type Slot } from "../table/numbers.js";
import type { WireContext } from "./context.js";

/** What a rate may catch up on: a turn of the wheel, and the time that a busy machine is late. Beyond it the rate is never exceeded. */
const BURST_MS = 200;
/** A portion is what a rate gives in so much time, within these bounds: small ones are many wake-ups, large ones long waits for the others. */
const PORTION_MS = 50;
const PORTION_MIN = 512;
const PORTION_MAX = 4 * CHUNK_BYTES;

/** What it may move from now on is bounded, or is not any more. What it had before has been settled. */
export function setPace({ table }: TableContext, session: Session, isPaced: boolean): void {
	const flags = i32(table.flags, session);
	if (isPaced !== ((flags & PACED) !== 0)) table.flags[session] = flags ^ PACED;
}

/**
 * It ends, or other rates hold for it from now on: what it moved beyond the allowed is paid for by those who share its rates, and what it
 * has not moved is theirs again.
 */
export function settlePace(core: WireContext, session: Session): void {
	const { paces, table, policies } = core;
	const { rates } = policies.of(u16(table.policy, session));
	if (rates === null) return;
	const held = f64(paces.heldMs, session) > 0 ? i32(paces.taken, session) : 0;
	takeFromAll(core, session, rates, -(i32(paces.allowed, session) + held));
	paces.allowed[session] = 0;
	paces.taken[session] = 0;
	paces.heldMs[session] = 0;
}

/** It ends: its row is another's. */
export function endPace(core: WireContext, session: Session): void {
	settlePace(core, session);
	core.paces.paidMs[session] = 0;
	core.paces.lastHeldMs[session] = 0;
}

/** It has moved so many bytes. */
export function noteMoved({ paces }: WireContext, session: Session, count: number): void {
	paces.allowed[session] = i32(paces.allowed, session) - count;
}

/** What a read for `to` may bring, whose session may move something. What TLS has begun to send must be offered to it again. */
export function mostToMove({ paces, secures, table }: WireContext, session: Session, to: Slot): number {
	if ((i32(table.flags, to) & SECURED) !== 0 && u8(secures.writeWaits, to) !== 0) return CHUNK_BYTES;
	return Math.min(CHUNK_BYTES, i32(paces.allowed, session));
}

/** Whether a paced session may move bytes now. If not, it is held, and goes on by itself. */
export function mayMove(core: WireContext, session: Session): boolean {
	if (mayPass(core, session)) return true;
	armPace(core, session);
	return false;
}

/** The same where nothing waits: what may not be moved now is dropped. */
export function mayPass(core: WireContext, session: Session): boolean {
	const { paces, nowMs } = core;
	if (i32(paces.allowed, session) > 0) return true;
	if (f64(paces.heldMs, session) === 0) takePortion(core, session);
	if (f64(paces.heldMs, session) > nowMs) return false;
	give(core, session);
	// More than the portion may have been moved beyond the allowed meanwhile.
	return mayPass(core, session);
}

/** It waits for its rate now, or did just now, and not for its peers. */
export function isHeld({ table, paces, nowMs }: WireContext, session: Session, withinMs = 0): boolean {
	if ((i32(table.flags, session) & PACED) === 0) return false;
	const heldMs = f64(paces.heldMs, session);
	return heldMs > 0 && heldMs > nowMs - withinMs;
}

/** Its rate has kept it waiting at some time since then. */
export function wasHeldSince({ table, paces }: WireContext, session: Session, sinceMs: number): boolean {
	return (i32(table.flags, session) & PACED) !== 0 && f64(paces.lastHeldMs, session) >= sinceMs;
}

/** The deadline of an upstream's row has passed, whose session may have been held: it goes on when its time has come. */
export function resume(core: WireContext, link: Link): void {
	const { table, paces, queue } = core;
	const session = table.sessionOf(link);
	if (session === NONE || (i32(table.flags, session) & PACED) === 0) return;
	const heldMs = f64(paces.heldMs, session);
	if (heldMs > core.nowMs) {
		armPace(core, session);
		return;
	}
	// News of one side may have let it go on already, and the other side waits still.
	if (heldMs > 0) give(core, session);
	queue.add(session);
	queue.add(link);
}

function give({ paces }: WireContext, session: Session): void {
	paces.allowed[session] = i32(paces.allowed, session) + i32(paces.taken, session);
	paces.taken[session] = 0;
	paces.heldMs[session] = 0;
}

/** A pooled connection's row may have an earlier deadline left, which is looked at when it fires. */
function armPace({ wheel, table, paces }: WireContext, session: Session): void {
	const link = table.linkOf(session);
	assert(link !== NONE, "who moves bytes has somebody to move them to");
	const heldMs = f64(paces.heldMs, session);
	const armedMs = wheel.deadlineOf(link);
	if (armedMs === 0 || armedMs > heldMs) wheel.arm(link, heldMs);
}

/** Takes a portion from each of its rates, and holds it until that is paid for. */
function takePortion(core: WireContext, session: Session): void {
	const { paces, nowMs, rates, sources, table } = core;
	const policy = core.policyOf(session).rates as ByteRates; // only such a session is paced
	const { all, listener, route, source } = policy;
	const ofListener = listenerBytes(u16(table.listener, session));
	const ofRoute = routeBytes(ref(table.route, session));
	const ofSource = ref(table.sourcePlace, session);
	const sharedMs = Math.max(
		all > 0 ? rates.paidMs(ALL_BYTES) : 0,
		listener > 0 ? rates.paidMs(ofListener) : 0,
		route > 0 ? rates.paidMs(ofRoute) : 0,
		source > 0 && ofSource !== NONE ? sources.paidMs(ofSource) : 0,
	);
	// What was moved beyond the allowed is paid for as well.
	const amount = portionOf(policy, sharedMs - nowMs) - i32(paces.allowed, session);
	const paidMs = takeFromAll(core, session, policy, amount);
	paces.taken[session] = amount;
	paces.heldMs[session] = paidMs;
	if (paidMs <= nowMs) return;
	paces.lastHeldMs[session] = nowMs;
	core.counters.add(PACED_WAITS, 1);
}

/** Takes `amount` bytes from each of its rates; below 0: gives them back. Returns until when to wait for them. */
function takeFromAll(core: WireContext, session: Session, has: ByteRates, amount: number): number {
	const { paces, nowMs, rates, sources, table } = core;
	const { all, listener, route, source, own } = has;
	const ofSource = ref(table.sourcePlace, session);
	const ofListener = listenerBytes(u16(table.listener, session));
	const ofRoute = routeBytes(Math.max(0, ref(table.route, session)));
	const ownMs = own > 0 ? paidUntil(f64(paces.paidMs, session), amount, own, BURST_MS, nowMs) : 0;
	if (own > 0) paces.paidMs[session] = ownMs;
	return Math.max(
		all > 0 ? rates.takeBytes(ALL_BYTES, amount, all, BURST_MS, nowMs) : 0,
		listener > 0 ? rates.takeBytes(ofListener, amount, listener, BURST_MS, nowMs) : 0,
		route > 0 ? rates.takeBytes(ofRoute, amount, route, BURST_MS, nowMs) : 0,
		source > 0 && ofSource !== NONE ? sources.takeBytes(ofSource, amount, source, BURST_MS, nowMs) : 0,
		ownMs,
	);
}

/** Smaller where others wait already, so that the time until each has his turn grows with the root of their number only. */
function portionOf(rates: ByteRates, waitMs: number): number {
	const { all, listener, route, source, own } = rates;
	let least = Number.POSITIVE_INFINITY;
	for (const rate of [all, listener, route, source, own]) if (rate > 0 && rate < least) least = rate;
	const most = Math.min(PORTION_MAX, (least * PORTION_MS) / 1_000);
	return (
		Math.max(Math.min(PORTION_MIN, most), Math.floor(most / (1 + Math.max(0, waitMs) / PORTION_MS)), 1) | 0
	);
}

const PACED_WAITS = scalarIndex("pacedWaits");

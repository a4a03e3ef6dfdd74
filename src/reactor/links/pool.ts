/**
 * Upstream connections that outlive a request. A pool lends and gets back: what was borrowed and has not been
 * returned is exactly what exchanges hold, at every moment.
 *
 *     opened ──► lent to an exchange ──► idle, in the list of its address ──► lent …
 *                        │                       │
 *                        └──── retired ◄─────────┘   by age, use, idleness, or because it ended
 *
 * One on which a client has authenticated itself is not given back: `owned.ts`.
 *
 * The last one given back is lent next: its peer is least likely to have given it up, and the others can expire.
 */

import { EAGAIN } from "../../kernel/constants.js";
import { f64, i32, u8, u32 } from "../../parts/at.js";
import { fractionFor } from "../../parts/jitter.js";
import type { Pieces } from "../../route/pieces.js";
import { PLACES } from "../../upstream/board.js";
import type { LinesPlan, PoolPlan, UpstreamPlan } from "../../upstream/plan.js";
import { ADDRESS_AT } from "../memory/arena.js";
import { scalarIndex } from "../records/counters.js";
import {
	RECYCLED_AGE,
	RECYCLED_IDLE,
	RECYCLED_MADE_ROOM,
	RECYCLED_NOT_WANTED,
	RECYCLED_REQUESTS,
	RECYCLED_STOPPED,
	RECYCLED_UPSTREAM_CLOSED,
	RECYCLED_UPSTREAM_SAID,
} from "../records/recycle-reasons.js";
import { READABLE } from "../table/marks.js";
import { type Link, NONE, type Place, type Session } from "../table/numbers.js";
import { EXCHANGE, POOLED } from "../table/states.js";
import { holdsPart } from "../wire/tls.js";
import { peek } from "../wire/transport.js";
import { closeLink } from "./close-link.js";
import type { LinksContext } from "./context.js";

/** Connections that were opened together are not all replaced together: each may grow up to a quarter less old. */
const AGE_JITTER = 0.25;

/** Rows that are looked at in a piece. */
const LINKS_PER_PIECE = 2_048;

/**
 * An idle connection to this address, or NONE. `left`: so many parked lines of it stay. It is the exchange's until `giveBack` or `returnSpent`.
 *
 * It may have said something already that nobody asked for, or have ended, and that must not be taken for this request's
 * answer. Two ways to know. Usually the wait reported all news there was: then what that wait says of it was
 * there before (`wasSaidBefore`), which costs nothing. But where that wait may have left news unreported, or the request must
 * not be sent twice, the connection is looked at, which costs a system call.
 */
export function lend(core: LinksContext, address: number, isRepeatable: boolean, left = 0): Link {
	for (;;) {
		if (left > 0 && core.board.parked(address) <= left) return NONE;
		const place = i32(core.idleLists.heads, address);
		if (place === NONE) return NONE;
		const link = core.table.linkAt(place);
		unlink(core, link);
		if (i32(core.secures.manner, core.table.placeOf(link)) !== i32(core.certificates.manners, address)) {
			// A reload changed whether, or how, its peer is verified.
			retire(core, link, RECYCLED_NOT_WANTED);
			continue;
		}
		if (isGivenUp(core, link)) {
			retire(core, link, RECYCLED_IDLE);
			continue;
		}
		if (isRepeatable && !core.engine.readiness.mayHaveMore) {
			core.links.lentWait[core.table.placeOf(link)] = core.wait;
			return link;
		}
		if (!hasBytes(core, link)) return link;
		retire(core, link, RECYCLED_UPSTREAM_CLOSED);
	}
}

/** An exchange has got a connection, new or lent. A new one is the pool's only where the upstream has one. */
export function borrowed(core: LinksContext, link: Link, isNew: boolean): void {
	const place = core.table.placeOf(link);
	if (isNew && core.upstreams.get(i32(core.links.upstream, place))?.plan.pool?.keeps !== true) return;
	core.links.uses[place] = i32(core.links.uses, place) + 1;
	core.counters.add(BORROWED, 1);
}

/** The exchange is over, and nothing of it is left on the connection. */
export function giveBack(core: LinksContext, link: Link): void {
	const { table, links, idleLists } = core;
	const place = table.placeOf(link);
	if (!isOfPool(core, link)) {
		closeLink(core, link);
		return;
	}
	returned(core, link);
	const plan = poolOf(core, place);
	const address = i32(links.address, place);
	const spent = plan === undefined ? NONE : spentBy(core, plan, place);
	const waits = plan !== undefined && spent !== NONE && waitsForAnother(core, plan, place);
	if (u32(links.tunnel, place) !== 0) lineReturned(core, place, waits);
	// What is there before anybody has asked is not an answer.
	if (hasNews(core, link)) retire(core, link, RECYCLED_UPSTREAM_CLOSED);
	else if (plan === undefined) retire(core, link, RECYCLED_NOT_WANTED);
	else if (f64(links.keptMs, place) === 0) retire(core, link, RECYCLED_UPSTREAM_SAID);
	else if (spent !== NONE && !waits) retire(core, link, spent);
	else if (core.draining) retire(core, link, RECYCLED_STOPPED);
	else if (i32(idleLists.lengths, address) >= plan.idleMax) retire(core, link, RECYCLED_IDLE);
	else {
		table.state[link] = POOLED;
		links.idleSinceMs[place] = core.nowMs;
		idleLists.add(address, place);
		if (u32(links.tunnel, place) !== 0) core.board.lines(address, 1);
		armIdle(core, link, plan);
	}
}

/** Why it is not lent any more: it has served enough, or is old. NONE: it may be. */
function spentBy(core: LinksContext, plan: PoolPlan, place: Place): number {
	if (i32(core.links.uses, place) >= plan.requests) return RECYCLED_REQUESTS;
	return core.nowMs >= oldAtMs(core, plan, place) ? RECYCLED_AGE : NONE;
}

/** It is a line, and the only one that is parked: it goes when another is there, or has had its time to come. */
function waitsForAnother({ links, idleLists, nowMs }: LinksContext, plan: PoolPlan, place: Place): boolean {
	if (!isOfLines(plan) || i32(idleLists.lengths, i32(links.address, place)) > 0) return false;
	const leaveMs = f64(links.leaveMs, place);
	if (leaveMs === 0) links.leaveMs[place] = nowMs + plan.replaceMs;
	return leaveMs === 0 || leaveMs > nowMs;
}

function isOfLines(plan: PoolPlan | LinesPlan): plan is LinesPlan {
	return "replaceMs" in plan;
}

/** Its request is over. */
function lineReturned(core: LinksContext, place: Place, isLeaving: boolean): void {
	const { links, lineNews } = core;
	const tunnel = u32(links.tunnel, place);
	links.taken[place] = 0;
	if (isLeaving) {
		lineNews.add({ kind: "retiring", tunnel, was: "used" });
		return;
	}
	links.leaveMs[place] = 0;
	// Who waits here is sent on by the main thread.
	if (core.waitingForLines.of(i32(links.address, place)) > 0) lineNews.add({ kind: "returned", tunnel });
	else lineNews.lend(tunnel, -1, core.nowMs);
}

/** How many parked lines a session leaves: the last ones are for requests that give theirs back. */
export function leftBy(
	{ links }: LinksContext,
	session: Session,
	plan: UpstreamPlan,
	isRequest: boolean,
): number {
	return isRequest && u8(links.lasts, session) === 1 ? (plan.lines?.reserved ?? 0) : 0;
}

/** A line of this address has come: one that it replaces goes, where one waits for that. */
export function replaceLine(core: LinksContext, address: number): void {
	const { links, idleLists, table } = core;
	let old: Place = NONE as Place;
	let hasOther = false;
	for (let place = i32(idleLists.heads, address); place !== NONE; place = i32(links.next, place)) {
		if (f64(links.leaveMs, place) > 0) old = place;
		else hasOther = true;
	}
	if (old === NONE || !hasOther) return;
	const plan = poolOf(core, old);
	const link = table.linkAt(old);
	unlink(core, link);
	retire(core, link, plan === undefined ? RECYCLED_NOT_WANTED : spentReason(core, plan, old));
}

/** Of one that waited for its replacement. */
function spentReason(core: LinksContext, plan: PoolPlan, place: Place): number {
	return i32(core.links.uses, place) >= plan.requests ? RECYCLED_REQUESTS : RECYCLED_AGE;
}

/** The exchange is over, and the connection cannot be used again. */
export function returnSpent(core: LinksContext, link: Link, why: number): void {
	takenOut(core, link, why);
	noteWhy(core, link, why);
	closeLink(core, link);
}

/** The main thread is told why a line ends. */
function noteWhy({ links, table }: LinksContext, link: Link, why: number): void {
	const place = table.placeOf(link);
	if (u32(links.tunnel, place) !== 0) links.why[place] = why + 1;
}

/** Ends a connection that is not lent. */
export function retire(core: LinksContext, link: Link, why: number): void {
	core.counters.recycled(why);
	noteWhy(core, link, why);
	closeLink(core, link);
}

/** It serves one client alone from now on, and is closed with its session. */
export function takenOut(core: LinksContext, link: Link, why: number): void {
	if (!isOfPool(core, link)) return;
	core.counters.add(RETURNED, 1);
	core.counters.recycled(why);
}

/** It has been lent. One of an upstream whose pool is off never is: it ends with its exchange, and is not counted. */
export function isOfPool(core: LinksContext, link: Link): boolean {
	return i32(core.links.uses, core.table.placeOf(link)) > 0;
}

/** News came that have not been read: bytes, or the end. */
export function hasNews(core: LinksContext, link: Link): boolean {
	const { flags } = core.table;
	if ((i32(flags, link) & READABLE) === 0) return false;
	flags[link] = i32(flags, link) & ~READABLE;
	return hasBytes(core, link);
}

/**
 * Bytes, the end or an error wait, and through TLS a part of a record: when the rest of it comes, nobody could tell it from
 * an answer. The scratch space, where a head may lie, is left alone.
 */
export function hasBytes(core: LinksContext, link: Link): boolean {
	return peek(core, link, ADDRESS_AT, 1) !== -EAGAIN || holdsPart(core, link);
}

/** News of an idle connection: its peer ends it, or sends bytes that no request asked for. */
export function pooled(core: LinksContext, link: Link): void {
	core.table.flags[link] = i32(core.table.flags, link) | READABLE;
	if (!hasNews(core, link)) return;
	unlink(core, link);
	retire(core, link, RECYCLED_UPSTREAM_CLOSED);
}

/** The deadline of an idle one passed: it may have been idle, or alive, for too long. */
export function linkTimedOut(core: LinksContext, link: Link): void {
	const place = core.table.placeOf(link);
	const plan = poolOf(core, place);
	if (plan !== undefined && core.nowMs < dueAtMs(core, plan, place)) {
		armIdle(core, link, plan);
		return;
	}
	// One that belongs to a client is in use, and only its peer's patience ends it here.
	const isOwned = i32(core.links.owner, place) !== NONE;
	const isParkedLine = plan !== undefined && isOfLines(plan) && !isOwned;
	if (isParkedLine && f64(core.links.leaveMs, place) === 0) {
		// It is old, and goes when another one is there. Until then a visitor may have it: that is better than to wait.
		core.links.leaveMs[place] = core.nowMs + plan.replaceMs;
		core.lineNews.add({ kind: "retiring", tunnel: u32(core.links.tunnel, place), was: "parked" });
		armIdle(core, link, plan);
		return;
	}
	unlink(core, link);
	if (plan === undefined) retire(core, link, RECYCLED_NOT_WANTED);
	else if (isParkedLine) retire(core, link, spentReason(core, plan, place));
	else {
		const isOld = !isOwned && core.nowMs >= oldAtMs(core, plan, place);
		retire(core, link, isOld ? RECYCLED_AGE : RECYCLED_IDLE);
	}
}

/** A deadline that fires too soon is looked at again, and costs less than moving one with each request. */
export function armIdle(core: LinksContext, link: Link, plan: PoolPlan): void {
	const place = core.table.placeOf(link);
	const dueMs = dueAtMs(core, plan, place);
	if (dueMs === Number.POSITIVE_INFINITY) return;
	const armedMs = core.wheel.deadlineOf(link);
	if (armedMs === 0 || armedMs > dueMs) core.wheel.arm(link, dueMs);
}

/** One that belongs to a client ends with it, and not before its peer gives it up: a handshake may be under way on it. */
function dueAtMs(core: LinksContext, plan: PoolPlan, place: Place): number {
	const givenUpMs = f64(core.links.idleSinceMs, place) + f64(core.links.keptMs, place);
	if (i32(core.links.owner, place) !== NONE) return givenUpMs;
	const leaveMs = f64(core.links.leaveMs, place);
	if (leaveMs > 0) return leaveMs;
	return Math.min(oldAtMs(core, plan, place), idleAtMs(core, plan, place), givenUpMs);
}

/** The most of what its peer keeps it is over: a request would meet its end. */
export function isGivenUp(core: LinksContext, link: Link): boolean {
	const { links } = core;
	const place = core.table.placeOf(link);
	return core.nowMs - f64(links.idleSinceMs, place) >= f64(links.keptMs, place);
}

/** How much before its peer does so a connection is given up: half of a short time, so that some of it is left. */
const GIVEN_UP_BEFORE_MS = 1_000;

/** An answer says how long its connection is kept from here on (`Keep-Alive: timeout=`); -1: it does not. */
export function noteKept(core: LinksContext, link: Link, seconds: number): void {
	if (seconds < 0) return;
	const ms = seconds * 1_000;
	core.links.keptMs[core.table.placeOf(link)] = ms - Math.min(GIVEN_UP_BEFORE_MS, ms / 2);
}

function oldAtMs(core: LinksContext, plan: PoolPlan, place: Place): number {
	return f64(core.links.openedMs, place) + ageOf(plan, place);
}

function idleAtMs(core: LinksContext, plan: PoolPlan, place: Place): number {
	return f64(core.links.idleSinceMs, place) + plan.idleMs;
}

/**
 * After a reload, or when a name has other addresses: ends the idle connections that no upstream wants any more, and those
 * that are kept for less long by now get their new deadlines. Until then none of these is lent, because only addresses in
 * force are asked for.
 */
export function* sweepPool(core: LinksContext): Pieces {
	const { table, idleLists } = core;
	for (
		let link = table.sessions as Link;
		link < 2 * table.sessions && idleLists.idle + idleLists.owned > 0;
		link++
	) {
		if (link % LINKS_PER_PIECE === LINKS_PER_PIECE - 1) yield;
		if (u8(table.state, link) !== POOLED) continue;
		const plan = poolOf(core, table.placeOf(link));
		if (plan !== undefined) {
			armIdle(core, link, plan);
			continue;
		}
		unlink(core, link);
		retire(core, link, RECYCLED_NOT_WANTED);
		yield;
	}
}

/** The same where only connections are left that belong to clients. Their client will have to authenticate again. */
function makeOwnedRoom(core: LinksContext): boolean {
	const { table, idleLists } = core;
	if (idleLists.owned === 0) return false;
	for (let link = table.sessions as Link; link < 2 * table.sessions; link++) {
		if (u8(table.state, link) !== POOLED) continue;
		unlink(core, link);
		retire(core, link, RECYCLED_MADE_ROOM);
		return true;
	}
	return false;
}

/** The same where only connections are left that came from agents, and have not said what they are for. */
function makeUnprovedRoom(core: LinksContext): boolean {
	const [oldest] = core.unproved;
	if (oldest === undefined) return false;
	closeLink(core, oldest);
	return true;
}

/** Ends an idle connection for the sake of one that is needed now. False when there is none. */
export function makeLinkRoom(core: LinksContext): boolean {
	const { idleLists } = core;
	if (idleLists.idle === 0) return makeOwnedRoom(core) || makeUnprovedRoom(core);
	// Where the last one was, there are most likely more: a crowd does not buy a search through all lists with each connection.
	while (i32(idleLists.heads, idleLists.roomFrom) === NONE)
		idleLists.roomFrom = (idleLists.roomFrom + 1) % PLACES;
	const link = core.table.linkAt(i32(idleLists.heads, idleLists.roomFrom));
	unlink(core, link);
	retire(core, link, RECYCLED_MADE_ROOM);
	return true;
}

/** Ends all idle connections; those that belong to clients end with these. */
export function* closePool(core: LinksContext): Pieces {
	const { table, idleLists } = core;
	for (let link = table.sessions as Link; link < 2 * table.sessions && idleLists.idle > 0; link++) {
		if (link % LINKS_PER_PIECE === LINKS_PER_PIECE - 1) yield;
		if (u8(table.state, link) !== POOLED || isOwned(core, link)) continue;
		unlink(core, link);
		retire(core, link, RECYCLED_STOPPED);
		yield;
	}
}

export function isOwned(core: LinksContext, link: Link): boolean {
	return i32(core.links.owner, core.table.placeOf(link)) !== NONE;
}

/** Takes an idle connection out of its list: it is about to be lent, or retired. */
export function unlink(core: LinksContext, link: Link): void {
	const { links, table, idleLists } = core;
	const place = table.placeOf(link);
	if (u32(links.tunnel, place) !== 0 && i32(links.owner, place) === NONE)
		core.board.lines(i32(links.address, place), -1);
	idleLists.remove(place);
	core.table.state[link] = EXCHANGE;
}

export function poolOf(core: LinksContext, place: Place): PoolPlan | LinesPlan | undefined {
	const balancer = core.upstreams.get(i32(core.links.upstream, place));
	const address = i32(core.links.address, place);
	// A reload may have given the upstream other addresses, or other ways to speak to them, or made it one of bytes.
	if (i32(core.secures.manner, place) !== i32(core.certificates.manners, address)) return undefined;
	if (balancer?.has(address) !== true) return undefined;
	const { pool, lines, addresses } = balancer.plan;
	if (lines !== undefined) {
		// The number of an address that is gone may be another agent's by now.
		const tunnel = u32(core.links.tunnel, place);
		return addresses.some((each) => each.board === address && each.tunnel === tunnel) ? lines : undefined;
	}
	return pool?.keeps === true ? pool : undefined;
}

function ageOf(plan: PoolPlan, place: Place): number {
	return plan.ageMs * (1 - AGE_JITTER * fractionFor(place));
}

/** The exchange is over, whatever becomes of its connection. */
export function returned(core: LinksContext, link: Link): void {
	if (isOfPool(core, link)) core.counters.add(RETURNED, 1);
}

const BORROWED = scalarIndex("poolBorrowed");
const RETURNED = scalarIndex("poolReturned");

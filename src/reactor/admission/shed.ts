/**
 * Under pressure the gateway closes sessions to make room. Those that it has the least reason to keep go first:
 *
 *     1. sessions that are not routed yet, or are within their TLS handshake, and those of QUIC whose client may be forged still: of
 *        the address that holds most, the oldest first;
 *     2. (for memory only) sessions whose peer has taken none of its bytes for a second or more: these bytes hold the memory;
 *     3. sessions without traffic for a second or more, the longest silence first.
 *
 * Chunks that unfinished heads within TLS hold have a rule of their own (`head-room.ts`).
 *
 * A session that moved bytes within the last second is never closed for room: when only such are left,
 * accepting pauses. Closing goes on below the mark that began it, so that it does not begin again at once:
 * one look at all rows is paid for by many that go.
 */

import { f64, i32, ref, u8 } from "../../parts/at.js";
import { Lowest } from "../../parts/lowest.js";
import { type Pieces, worth } from "../../route/pieces.js";
import { makeLinkRoom } from "../links/pool.js";
import { scalarIndex } from "../records/counters.js";
import { MEMORY_PRESSURE } from "../records/reasons.js";
import { BLOCKED, UNPROVED } from "../table/marks.js";
import { end } from "../table/next.js";
import { NONE, type Session, type Slot } from "../table/numbers.js";
import { ASKED, DATAGRAM, FREE, LINGER, SECURE, SNIFF } from "../table/states.js";
import { isBusy } from "../wire/liveness.js";
import type { AdmissionContext } from "./context.js";
import { CLOSED_AT_ONCE } from "./room.js";

/** Rows that are looked at in a piece, and sessions of which the kernel is asked. */
const ROWS_PER_PIECE = 2_048;
const SESSIONS_PER_PIECE = 8;

/** An idle pair of sockets keeps a page each. Closing a session that holds no more would not help. */
const HELD_MIN_BYTES = 8_192;

/** The part of all sessions that goes at once: from the high mark down to the low one. */
const SHARE = 1 / 64;

/** The others are asked again, and the own rows looked through again, after this. */
const ASK_AGAIN_MS = 100;
/** No reply by now: those reactors had nothing to close. */
const ANSWER_MS = 1_000;

/** What such a look and its closings are worth. */
const CLOSING_PIECES = 20;

/** Ask again after the next wait for news: all looks at the rows that one wait may buy are used up. */
export const LATER = -1;

/**
 * Places or descriptors have run out: closes some that have earned least, and goes on with the share in the turns that
 * follow. Returns how many are closed now, or LATER; when no session here may be closed, the other reactors are asked.
 *
 * `keep`: a row that must stay, because its step of the road is under way. `unrecognizedOnly`: sessions that
 * said what they want stay, too.
 */
export function makeRoom(
	core: AdmissionContext,
	reason: number,
	keep: Slot,
	unrecognizedOnly = false,
): number {
	// Closing an idle upstream connection harms no client; but it frees a descriptor only, not the place of a session.
	if (!unrecognizedOnly && makeLinkRoom(core)) return 1;
	const { room } = core;
	// One look at all rows tells enough for a while: a flood must not buy one with each connection.
	if (core.nowMs < room.nobodyUntilMs && (unrecognizedOnly || !room.nobodyWasUnrecognized)) return 0;
	if (!room.mayLook(core.wait)) return LATER;
	const askedAgoMs = core.nowMs - room.askedMs;
	if (core.reactors > 1 && hasSinglesOnly(core, keep)) {
		// Each address here holds one connection only. The address that holds most may be in another reactor.
		if (askedAgoMs < ASK_AGAIN_MS) return 0;
		if (askedAgoMs > ANSWER_MS) {
			ask(core, unrecognizedOnly);
			return 0;
		}
	}
	const share = shareOf(core);
	const closed = closeSome(core, reason, unrecognizedOnly, share, keep);
	if (closed > 0) {
		if (closed < share && room.work === undefined) {
			room.work = shedMore(core, reason, unrecognizedOnly, share - closed);
			room.isForUnrecognizedOnly = unrecognizedOnly;
		}
		return closed;
	}
	room.nobodyUntilMs = core.nowMs + ASK_AGAIN_MS;
	room.nobodyWasUnrecognized = unrecognizedOnly;
	if (askedAgoMs >= ASK_AGAIN_MS) ask(core, unrecognizedOnly);
	return 0;
}

function ask(core: AdmissionContext, unrecognizedOnly: boolean): void {
	core.room.askedMs = core.nowMs;
	core.notify({ kind: "pressure", unrecognizedOnly });
}

/** There are unrecognised connections here, and each is its address's only one. */
function hasSinglesOnly(core: AdmissionContext, keep: Slot): boolean {
	const { table, sources } = core;
	let has = false;
	for (let slot = 0 as Session; slot < table.sessions; slot++) {
		if (slot === keep || !isUnrecognized(core, slot)) continue;
		if (sources.heldAt(ref(table.sourcePlace, slot)) > 1) return false;
		has = true;
	}
	return has;
}

/** Sessions that go at once, from the high mark down to the low one. */
function shareOf({ connectionsMax }: AdmissionContext): number {
	return Math.max(1, Math.floor(connectionsMax * SHARE));
}

/** Closes a share of the sessions, if there are so many to close. */
export function* shedShare(core: AdmissionContext, reason: number, unrecognizedOnly: boolean): Pieces {
	yield* shedMore(core, reason, unrecognizedOnly, shareOf(core));
}

function* shedMore(core: AdmissionContext, reason: number, unrecognizedOnly: boolean, count: number): Pieces {
	for (let left = count; left > 0; ) {
		const closed = closeSome(core, reason, unrecognizedOnly, left, NONE);
		if (closed === 0) return;
		left -= closed;
		yield* worth(CLOSING_PIECES);
	}
}

/** Closes up to `most` after one look. Returns how many. */
function closeSome(
	core: AdmissionContext,
	reason: number,
	unrecognizedOnly: boolean,
	most: number,
	keep: Slot,
): number {
	const goal = Math.min(most, CLOSED_AT_ONCE);
	let closed = 0;
	for (const choose of unrecognizedOnly ? [unrecognized] : [unrecognized, silent]) {
		if (closed >= goal) break;
		for (const slot of choose(core, keep, goal - closed)) {
			core.go(slot, end(reason));
			closed++;
		}
	}
	core.counters.add(SHED, closed);
	return closed;
}

/** Closes sessions that hold memory until `bytes` of it are free. */
export function* shedMemory(core: AdmissionContext, bytes: number): Pieces {
	yield* findHolders(core);
	const { holders } = core.room;
	let freed = 0;
	for (const choose of [unrecognized, stalled, silent])
		for (;;) {
			const rows = freed < bytes ? choose(core, NONE, CLOSED_AT_ONCE, holdsMemory) : [];
			if (rows.length === 0) break;
			for (const slot of rows) {
				if (freed >= bytes) break;
				const held = memoryOf(core, slot);
				holders[slot] = 0;
				if (held <= HELD_MIN_BYTES) continue;
				freed += held;
				core.go(slot, end(MEMORY_PRESSURE));
				core.counters.add(SHED, 1);
			}
			yield* worth(CLOSING_PIECES);
		}
}

/** Asks the kernel what each session holds, a few in a piece: two system calls each. */
function* findHolders(core: AdmissionContext): Pieces {
	const { table, room } = core;
	let asked = 0;
	for (let slot = 0 as Session; slot < table.sessions; slot++) {
		if (slot % ROWS_PER_PIECE === ROWS_PER_PIECE - 1) yield;
		room.holders[slot] = 0;
		if (u8(table.state, slot) === FREE) continue;
		if (memoryOf(core, slot) > HELD_MIN_BYTES) room.holders[slot] = i32(table.generation, slot) + 1;
		if (++asked % SESSIONS_PER_PIECE === 0) yield;
	}
}

/** What the kernel's sockets, our chunks and our pipes hold for a session. */
function memoryOf(core: AdmissionContext, client: Session): number {
	const { table, engine } = core;
	let bytes = 0;
	for (const slot of [client, table.linkOf(client)]) {
		if (slot === NONE) continue;
		bytes += Math.max(0, engine.socketMemory(slot));
		bytes += table.chunkOf(slot) === NONE ? table.heldBytes(slot) : core.chunks.bytes;
		if (core.inboxes.has(slot)) bytes += core.chunks.bytes;
	}
	return bytes;
}

/** It did when it was asked last. */
export function holdsMemory({ room, table }: AdmissionContext, client: Session): boolean {
	return (
		i32(room.holders, client) === ((i32(table.generation, client) + 1) | 0) && i32(room.holders, client) !== 0
	);
}

/** Adds up what the kernel holds for all sockets of this reactor. */
export function* measureSockets(core: AdmissionContext): Pieces {
	const { table, engine } = core;
	let bytes = 0;
	let asked = 0;
	// Upstream connections that nobody has borrowed are among them.
	for (let slot = 0 as Session; slot < 2 * table.sessions; slot++) {
		if (slot % ROWS_PER_PIECE === ROWS_PER_PIECE - 1) yield;
		if (u8(table.state, slot) === FREE) continue;
		bytes += Math.max(0, engine.socketMemory(slot));
		if (++asked % (2 * SESSIONS_PER_PIECE) === 0) yield;
	}
	core.counters.set(SOCKET_BYTES, bytes);
}

// Each of these lists up to `most` rows of clients, the first to go first.

/**
 * Taking always from the address that then holds most, and its oldest: the n-th of an address goes when that
 * holds n fewer than now.
 */
function unrecognized(
	core: AdmissionContext,
	keep: Slot,
	most: number,
	isWanted: Condition = anybody,
): Session[] {
	const { table, sources } = core;
	const first = new Lowest<Session>(most);
	// The oldest of each address; further ones of those that have several.
	const single = new Map<number, Session>();
	const crowds = new Map<number, Lowest<Session>>();
	for (let slot = 0 as Session; slot < table.sessions; slot++) {
		if (slot === keep || !isUnrecognized(core, slot) || !isWanted(core, slot)) continue;
		const place = ref(table.sourcePlace, slot);
		const acceptedMs = f64(table.acceptedMs, slot);
		const other = single.get(place);
		if (place === NONE) first.offer(slot, -sources.heldAt(place), acceptedMs);
		else if (other === undefined) single.set(place, slot);
		else {
			let crowd = crowds.get(place);
			if (crowd === undefined) {
				crowd = new Lowest<Session>(most);
				crowd.offer(other, f64(table.acceptedMs, other), 0);
				crowds.set(place, crowd);
			}
			crowd.offer(slot, acceptedMs, 0);
		}
	}
	for (const [place, slot] of single) {
		const held = sources.heldAt(place);
		const crowd = crowds.get(place)?.slots ?? [slot];
		for (const [before, each] of crowd.entries())
			first.offer(each, before - held, f64(table.acceptedMs, each));
	}
	return first.slots;
}

function stalled(core: AdmissionContext, keep: Slot, most: number, isWanted: Condition = anybody): Session[] {
	return bySilence(core, keep, most, (slot) => isBlocked(core, slot) && isWanted(core, slot));
}

function silent(core: AdmissionContext, keep: Slot, most: number, isWanted: Condition = anybody): Session[] {
	const { table } = core;
	return bySilence(core, keep, most, (slot) => u8(table.state, slot) !== SNIFF && isWanted(core, slot));
}

/** Those that have been silent for longest first, and none that moved bytes within the last second. */
function bySilence(
	core: AdmissionContext,
	keep: Slot,
	most: number,
	holds: (session: Session) => boolean,
): Session[] {
	const { table } = core;
	const first = new Lowest<Session>(most);
	for (let slot = 0 as Session; slot < table.sessions; slot++)
		if (slot !== keep && u8(table.state, slot) !== FREE && !isBusy(core, slot) && holds(slot))
			first.offer(slot, table.activeMs(slot, core.nowMs), 0);
	return first.slots;
}

/** Which rows may go. */
type Condition = (core: AdmissionContext, client: Session) => boolean;

const anybody: Condition = () => true;

function isUnrecognized(core: AdmissionContext, client: Session): boolean {
	const { table } = core;
	const state = u8(table.state, client);
	if (state === DATAGRAM) return (i32(table.flags, client) & UNPROVED) !== 0;
	return state === SNIFF || state === SECURE || state === ASKED || state === LINGER;
}

function isBlocked(core: AdmissionContext, client: Session): boolean {
	const { table } = core;
	const { flags } = table;
	const link = table.linkOf(client);
	return ((i32(flags, client) | (link === NONE ? 0 : i32(flags, link))) & BLOCKED) !== 0;
}

const SHED = scalarIndex("shed");
const SOCKET_BYTES = scalarIndex("socketBytes");

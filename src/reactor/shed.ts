/**
 * Under pressure, those who have earned least go first:
 *
 *     1. who has not said what it wants (or not to the end of its TLS handshake), oldest first, of the address that holds most;
 *     2. (memory only) who has let bytes wait for a second or more, taking none: they hold the memory;
 *     3. who has been silent longest, and for a second at least.
 *
 * Chunks that unfinished heads within TLS hold have a rule of their own: the oldest of them goes for a newer one.
 *
 * A session that moved bytes within the last second is never closed for room: when only such are left,
 * accepting pauses. Closing goes on below the mark that began it, so that it does not begin again at once:
 * one look at all rows is paid for by many that go.
 */
import { at } from "./at.js";
import { close } from "./close.js";
import type { Core } from "./core.js";
import { scalarIndex } from "./counters.js";
import { isBusy } from "./outbox.js";
import { makeLinkRoom } from "./pool.js";
import { MEMORY_PRESSURE } from "./reasons.js";
import { BLOCKED, FREE, NONE, REFUSED, REQUEST, SECURE, SNIFF } from "./table.js";

/** A head that came no longer ago than this may still come whole. */
const HEAD_MIN_MS = 1_000;

/** An idle pair of sockets keeps a page each. Closing whoever holds no more would not help. */
const HELD_MIN_BYTES = 8_192;

/** The part of all sessions that goes at once: from the high mark down to the low one. */
const SHARE = 1 / 64;

/** The others are asked again, and the own rows looked through again, after this. */
const ASK_AGAIN_MS = 100;
/** Whoever was asked so long ago had nobody to close either. */
const ANSWER_MS = 1_000;

/** What a reactor remembers of its search for room. */
export class Room {
	/** When the other reactors were asked last. */
	askedMs = Number.NEGATIVE_INFINITY;
	/** Until then nobody is looked for again, at least not among the unrecognised. */
	nobodyUntilMs = Number.NEGATIVE_INFINITY;
	nobodyWasUnrecognized = false;
}

/**
 * Places or descriptors have run out: closes some that have earned least. Returns how many; when there is
 * nobody to close here, the other reactors are asked.
 *
 * `keep`: a row that must stay, because its step of the road is under way. `unrecognizedOnly`: sessions that
 * said what they want stay, too.
 */
export function makeRoom(core: Core, reason: number, keep: number, unrecognizedOnly = false): number {
	// Nobody misses an idle upstream connection; but it has no session's place to give.
	if (!unrecognizedOnly && makeLinkRoom(core)) return 1;
	const { room } = core;
	// One look at all rows tells enough for a while: a flood must not buy one with each connection.
	if (core.nowMs < room.nobodyUntilMs && (unrecognizedOnly || !room.nobodyWasUnrecognized)) return 0;
	const askedAgoMs = core.nowMs - room.askedMs;
	if (core.reactors > 1 && hasSinglesOnly(core, keep)) {
		// Whoever holds a single connection is no crowd: that may be in another reactor.
		if (askedAgoMs < ASK_AGAIN_MS) return 0;
		if (askedAgoMs > ANSWER_MS) {
			ask(core, unrecognizedOnly);
			return 0;
		}
	}
	const closed = shedShare(core, reason, unrecognizedOnly, keep);
	if (closed > 0) return closed;
	room.nobodyUntilMs = core.nowMs + ASK_AGAIN_MS;
	room.nobodyWasUnrecognized = unrecognizedOnly;
	if (askedAgoMs >= ASK_AGAIN_MS) ask(core, unrecognizedOnly);
	return 0;
}

function ask(core: Core, unrecognizedOnly: boolean): void {
	core.room.askedMs = core.nowMs;
	core.notify({ kind: "pressure", unrecognizedOnly });
}

/** There are unrecognised connections here, and each is its address's only one. */
function hasSinglesOnly(core: Core, keep: number): boolean {
	const { table, sources } = core;
	let has = false;
	for (let slot = 0; slot < table.sessions; slot++) {
		if (slot === keep || !isUnrecognized(core, slot)) continue;
		if (sources.heldAt(at(table.sourcePlace, slot)) > 1) return false;
		has = true;
	}
	return has;
}

/** Closes the share of sessions that goes at once, if there are so many to close. Returns how many went. */
export function shedShare(core: Core, reason: number, unrecognizedOnly: boolean, keep = NONE): number {
	const goal = Math.max(1, Math.floor(core.connectionsMax * SHARE));
	let closed = 0;
	for (const choose of unrecognizedOnly ? [unrecognized] : [unrecognized, silent]) {
		if (closed >= goal) break;
		for (const slot of choose(core, keep).slice(0, goal - closed)) {
			close(core, slot, reason);
			closed++;
		}
	}
	core.counters.add(SHED, closed);
	return closed;
}

/** Closes sessions that hold memory until `bytes` of it are free. Returns how many bytes the closed ones held. */
export function shedMemory(core: Core, bytes: number): number {
	let freed = 0;
	let closed = 0;
	for (const choose of [unrecognized, stalled, silent]) {
		if (freed >= bytes) break;
		for (const slot of choose(core, NONE, holdsMemory)) {
			if (freed >= bytes) break;
			freed += memoryOf(core, slot);
			close(core, slot, MEMORY_PRESSURE);
			closed++;
		}
	}
	core.counters.add(SHED, closed);
	return freed;
}

/**
 * No chunk is left to read a client's head on: whoever has kept one longest for a head that does not come to its end
 * goes, if that is a second or more. False when there is nobody.
 */
export function makeHeadRoom(core: Core, keep: number): boolean {
	const { table, exchanges, inboxes } = core;
	let oldest = NONE;
	let oldestMs = core.nowMs - HEAD_MIN_MS;
	for (let slot = 0; slot < table.sessions; slot++) {
		if (slot === keep || !inboxes.has(slot)) continue;
		const state = at(table.state, slot);
		if (state !== SNIFF && state !== REQUEST) continue;
		const beganMs = state === SNIFF ? at(table.acceptedMs, slot) : at(exchanges.headMs, slot);
		if (beganMs === 0 || beganMs > oldestMs) continue;
		oldest = slot;
		oldestMs = beganMs;
	}
	if (oldest === NONE) return false;
	close(core, oldest, MEMORY_PRESSURE);
	core.counters.add(SHED, 1);
	return true;
}

/** What the kernel's sockets, our chunks and our pipes hold for a session. */
function memoryOf(core: Core, client: number): number {
	const { table, kernel } = core;
	let bytes = 0;
	for (const slot of [client, at(table.peer, client)]) {
		if (slot === NONE) continue;
		bytes += Math.max(0, kernel.socketMemory(at(table.fd, slot))) + at(table.pipeBytes, slot);
		if (at(table.chunk, slot) !== NONE) bytes += core.chunks.bytes;
		if (core.inboxes.has(slot)) bytes += core.chunks.bytes;
	}
	return bytes;
}

function holdsMemory(core: Core, client: number): boolean {
	return memoryOf(core, client) > HELD_MIN_BYTES;
}

/** Adds up what the kernel holds for all sockets of this reactor. */
export function measureSockets(core: Core): void {
	const { table, kernel } = core;
	let bytes = 0;
	// Upstream connections that nobody has borrowed are among them.
	for (let slot = 0; slot < 2 * table.sessions; slot++)
		if (at(table.state, slot) !== FREE) bytes += Math.max(0, kernel.socketMemory(at(table.fd, slot)));
	core.counters.set(SOCKET_BYTES, bytes);
}

// Each of these lists rows of clients, the first to go first.

/**
 * Taking always from the address that then holds most, and its oldest: the n-th of an address goes when that
 * holds n fewer than now.
 */
function unrecognized(core: Core, keep: number, isWanted: Condition = anybody): number[] {
	const { table, sources } = core;
	const rows = rowsIn(core, keep, (slot) => isUnrecognized(core, slot) && isWanted(core, slot));
	rows.sort((a, b) => at(table.acceptedMs, a) - at(table.acceptedMs, b));
	const taken = new Map<number, number>();
	const rank = new Map<number, number>();
	for (const slot of rows) {
		const place = at(table.sourcePlace, slot);
		const before = place === NONE ? 0 : (taken.get(place) ?? 0);
		taken.set(place, before + 1);
		rank.set(slot, sources.heldAt(place) - before);
	}
	// The sort is stable: of equals the oldest stays in front.
	return rows.sort((a, b) => (rank.get(b) ?? 0) - (rank.get(a) ?? 0));
}

function stalled(core: Core, keep: number, isWanted: Condition = anybody): number[] {
	return bySilence(core, keep, (slot) => isBlocked(core, slot) && isWanted(core, slot));
}

function silent(core: Core, keep: number, isWanted: Condition = anybody): number[] {
	const { table } = core;
	return bySilence(core, keep, (slot) => at(table.state, slot) !== SNIFF && isWanted(core, slot));
}

/** Whoever was silent for longest first, and nobody who is busy. */
function bySilence(core: Core, keep: number, holds: (slot: number) => boolean): number[] {
	const { table } = core;
	const rows = rowsIn(core, keep, (slot) => !isBusy(core, slot) && holds(slot));
	return rows.sort((a, b) => at(table.activeMs, a) - at(table.activeMs, b));
}

function rowsIn(core: Core, keep: number, holds: (slot: number) => boolean): number[] {
	const rows: number[] = [];
	for (let slot = 0; slot < core.table.sessions; slot++)
		if (slot !== keep && at(core.table.state, slot) !== FREE && holds(slot)) rows.push(slot);
	return rows;
}

/** Which rows may go. */
type Condition = (core: Core, client: number) => boolean;

const anybody: Condition = () => true;

function isUnrecognized(core: Core, client: number): boolean {
	const state = at(core.table.state, client);
	return state === SNIFF || state === SECURE || state === REFUSED;
}

function isBlocked(core: Core, client: number): boolean {
	const { flags, peer } = core.table;
	const link = at(peer, client);
	return ((at(flags, client) | (link === NONE ? 0 : at(flags, link))) & BLOCKED) !== 0;
}

const SHED = scalarIndex("shed");
const SOCKET_BYTES = scalarIndex("socketBytes");

/** Who is closed to make room: those that have earned least, and nobody else. */

import { f64, i32, ref, u8 } from "../../src/parts/at.js";
import { NONE } from "../../src/parts/none.js";
import { REASONS } from "../../src/parts/reasons.js";
import { holdsMemory } from "../../src/reactor/admission/shed.js";
import { CHUNK_BYTES } from "../../src/reactor/memory/arena.js";
import type { ReactorCommand } from "../../src/reactor/plan/plan.js";
import { LIVE_SESSIONS } from "../../src/reactor/records/places.js";
import { FD_PRESSURE, MEMORY_PRESSURE } from "../../src/reactor/records/reasons.js";
import { BLOCKED, UNPROVED } from "../../src/reactor/table/marks.js";
import type { Session, Slot } from "../../src/reactor/table/numbers.js";
import { DATAGRAM, DIAL, FREE, LINGER, REQUEST, SECURE, SNIFF } from "../../src/reactor/table/states.js";
import type { SimulatedSocket } from "./descriptors.js";
import { memoryOf } from "./simulated-sockets.js";
import { violated } from "./trace.js";
import type { World } from "./world.js";

/** Whoever moved bytes within this time is busy. */
const BUSY_MS = 1_000;
/** Whoever holds no more than this is not closed for memory. */
const HELD_MIN_BYTES = 8_192;
/** A reactor that has nobody to close says so once in this time. */
const ASK_AGAIN_MS = 100;

/** A client's session ends as `reason`, its row is still as it was: had anybody else earned less? */
export function checkShed(world: World, slot: number, client: SimulatedSocket, reason: number): void {
	const { core } = world.reactor;
	// It was told that nothing was left to dial with; what was short then may be there again.
	if (u8(core.table.state, slot) === LINGER && u8(core.table.reason, slot) === reason) return;
	if (!isCaused(world, client, reason))
		violated(`a session ended as ${REASONS[reason]}, and nothing was short`);
	if (!isShed(world, slot, client, reason)) return;
	world.shed++;
	const memory = commandAtWork(world)?.kind === "shedMemory";
	const unrecognized = isUnrecognized(world, slot);
	if (!unrecognized && core.nowMs - client.activeMs < BUSY_MS)
		violated(`a session was closed for room ${core.nowMs - client.activeMs} ms after it moved bytes`);
	if (!unrecognized && isForUnrecognizedOnly(world))
		violated("a session was closed where only those without a route were to go");
	if (memory && heldBy(world, slot, true) <= HELD_MIN_BYTES)
		violated(`a session was closed for memory, and held ${heldBy(world, slot, true)} bytes`);
	for (let other = 0; other < core.table.sessions; other++) {
		if (other === slot || !mayBeShed(world, other)) continue;
		// Who came to hold memory while the others were asked is not looked for again.
		if (memory && (!holdsMemory(core, other as Session) || heldBy(world, other) <= HELD_MIN_BYTES)) continue;
		if (hasEarnedLess(world, other, slot, memory))
			violated(`row ${slot} was closed for room, and row ${other}, which earned less, stays`);
	}
}

/** The command of which a piece is done at this moment. */
function commandAtWork({ reactor, operator }: World): ReactorCommand | undefined {
	return reactor.isAtWork && !reactor.isMakingRoom ? operator.current : undefined;
}

/** There was a reason to close sessions for room in this turn. */
function isCaused(world: World, client: SimulatedSocket, reason: number): boolean {
	const { kernel, reactor } = world;
	const { core } = reactor;
	const command = commandAtWork(world);
	if (reason === MEMORY_PRESSURE)
		return (
			kernel.lacksMemory ||
			command?.kind === "shedMemory" ||
			core.room.work !== undefined ||
			lacksBuffers(world) ||
			isInHead(world, client) ||
			hasNoTlsUpstream(world)
		);
	return (
		kernel.lacksDescriptors ||
		command?.kind === "makeRoom" ||
		core.room.work !== undefined ||
		highestOpened(world) >= core.descriptorCeiling ||
		(core.shedsWhenFull && isFull(world))
	);
}

/** Of this turn's descriptors that were accepted, or opened for clients of datagrams. */
function highestOpened({ highestAccepted, datagrams }: World): number {
	return Math.max(highestAccepted, datagrams?.kernel.highest ?? -1);
}

/** Some place was not there: the one that somebody is let in for is taken by now, and some may be free again. */
function isFull(world: World): boolean {
	const { connectionsMax, table } = world.reactor.core;
	// A client of datagrams has no place yet, and whoever waits to be accepted has one in advance.
	const coming = world.kernel.datagrams?.isHearing === true ? 1 : 0;
	const live = i32(world.live, LIVE_SESSIONS) + world.closed + coming;
	return live > connectionsMax || table.clients + world.closed + coming > world.sessions;
}

/** Closed for another, and not because it could not get what it needed itself. */
function isShed(world: World, slot: number, client: SimulatedSocket, reason: number): boolean {
	const { core } = world.reactor;
	const { table } = core;
	if (!client.registered) return false; // it was just accepted
	if (reason === MEMORY_PRESSURE && (client.hasNoTls || hasNoTlsUpstream(world))) return false;
	const peer = table.peerOf(slot as Slot);
	if (isUnderWay(world, slot)) return false;
	if (reason === MEMORY_PRESSURE && isInHead(world, client)) return false;
	if (u8(table.state, slot) !== DIAL) return true;
	// Its upstream could not be watched, or its header not be kept.
	return !(reason === MEMORY_PRESSURE && (peer === NONE || world.kernel.lacksMemory || lacksBuffers(world)));
}

/** TLS could not be begun with its upstream: for want of memory, or because that has not taken all of a PROXY header. */
function hasNoTlsUpstream({ closedLink }: World): boolean {
	if (closedLink === undefined || closedLink.shakeEnd === Number.POSITIVE_INFINITY) return false;
	return closedLink.hasNoTls || closedLink.secured === undefined;
}

/** What an upstream does not take of a PROXY header could not be kept. What was put back of its client is free by now. */
function lacksBuffers({ reactor, closedAhead }: World): boolean {
	const { chunks, budget } = reactor.core;
	const own = closedAhead > 0 ? 1 : 0;
	return chunks.available - own <= 0 || budget.room - closedAhead < CHUNK_BYTES;
}

/** The rest of an answer's head could not be kept: what could be by now is what its own session held. */
function isInHead({ closedLink, turns }: World, client: SimulatedSocket): boolean {
	// Through TLS a head that comes in records needs a chunk, and the oldest that has one makes room.
	if (client.partner === undefined && client.aheadTurn === turns - 1) return true;
	if (client.partner === undefined && (client.isOpenTls || closedLink?.isOpenTls === true)) return true;
	return client.asks !== undefined && (client.asks.reader.text !== "" || client.asks.confused);
}

/** Its step of the road is not finished: it is being dialled for, at this moment. */
function isUnderWay(world: World, slot: number): boolean {
	const { table } = world.reactor.core;
	const state = u8(table.state, slot);
	return (
		((state === SNIFF || state === SECURE) && ref(table.upstream, slot) !== NONE) ||
		((state === DIAL || state === DATAGRAM) && table.peerOf(slot as Slot) === NONE) ||
		(state === REQUEST && isRequesting(world, slot))
	);
}

/** Its request has been read, so it may be dialled for. */
function isRequesting(world: World, slot: number): boolean {
	const client = world.kernel.socketAt(i32(world.reactor.core.table.fd, slot)) ?? world.closing;
	const request = client?.asks?.current;
	return client !== undefined && request !== undefined && client.known >= request.headEnd;
}

/** Only sessions that have not said what they want may go: the command says so, or it is places that lack. */
function isForUnrecognizedOnly(world: World): boolean {
	const { kernel, reactor } = world;
	const current = commandAtWork(world);
	if (reactor.isMakingRoom) return reactor.core.room.isForUnrecognizedOnly;
	if (current?.kind === "makeRoom") return current.unrecognizedOnly;
	if (current?.kind === "shedMemory") return false;
	return (
		!kernel.lacksDescriptors && !kernel.lacksMemory && highestOpened(world) < reactor.core.descriptorCeiling
	);
}

function mayBeShed(world: World, slot: number): boolean {
	const { table } = world.reactor.core;
	if (u8(table.state, slot) === FREE || isUnderWay(world, slot)) return false;
	if (world.kernel.socketAt(i32(table.fd, slot))?.registered !== true) return false; // just accepted
	return isUnrecognized(world, slot) || isQuiet(world, slot);
}

function hasEarnedLess(world: World, other: number, slot: number, memory: boolean): boolean {
	const { sources } = world;
	const { core } = world.reactor;
	const { table } = core;
	const mine = isUnrecognized(world, slot);
	const theirs = isUnrecognized(world, other);
	if (mine !== theirs) return theirs;
	if (mine) {
		const place = ref(table.sourcePlace, slot);
		const otherPlace = ref(table.sourcePlace, other);
		const held = sources.heldAt(place);
		const heldByOther = sources.heldAt(otherPlace);
		if (held !== heldByOther) return heldByOther > held;
		return f64(table.acceptedMs, other) < f64(table.acceptedMs, slot);
	}
	const stalled = memory && isBlocked(world, slot);
	const otherStalled = memory && isBlocked(world, other);
	if (stalled !== otherStalled) return otherStalled;
	return table.activeMs(other as Session, core.nowMs) < table.activeMs(slot as Session, core.nowMs);
}

function isUnrecognized(world: World, slot: number): boolean {
	const { table } = world.reactor.core;
	const state = u8(table.state, slot);
	if (state === DATAGRAM) return (i32(table.flags, slot) & UNPROVED) !== 0;
	return state === SNIFF || state === SECURE || state === LINGER;
}

function isQuiet(world: World, slot: number): boolean {
	const { core } = world.reactor;
	return core.nowMs - core.table.activeMs(slot as Session, core.nowMs) >= BUSY_MS;
}

function isBlocked(world: World, slot: number): boolean {
	const { table } = world.reactor.core;
	const { flags } = table;
	const link = table.linkOf(slot as Session);
	return ((i32(flags, slot) | (link === NONE ? 0 : i32(flags, link))) & BLOCKED) !== 0;
}

/** Bytes of sockets, chunks and pipes. Of a session that is being closed, as of the reactor's last question. */
function heldBy(world: World, client: number, isClosing = false): number {
	const { table, inboxes } = world.reactor.core;
	let bytes = 0;
	for (const slot of [client, table.linkOf(client as Session)]) {
		if (slot === NONE) continue;
		// Of a session that is being closed, the upstream's socket is gone already.
		const socket = world.kernel.socketAt(i32(table.fd, slot)) ?? world.closedLink;
		bytes += socket === undefined ? 0 : (world.completions?.memoryOf(socket) ?? memoryOf(socket));
		bytes += table.chunkOf(slot as Slot) === NONE ? table.heldBytes(slot as Slot) : CHUNK_BYTES;
		// So is what was put back of it.
		if (isClosing ? world.hadAhead[slot] === true : inboxes.has(slot as Slot)) bytes += CHUNK_BYTES;
	}
	return bytes;
}

/** Where each unrecognised client is its address's only one, the crowd that fills the places may be elsewhere. */
function hasSinglesOnly(world: World): boolean {
	const { table, sources } = world.reactor.core;
	let has = false;
	for (let slot = 0; slot < table.sessions; slot++) {
		if (!isUnrecognized(world, slot) || isUnderWay(world, slot)) continue;
		if (sources.heldAt(ref(table.sourcePlace, slot)) > 1) return false;
		has = true;
	}
	return has;
}

/** The reactor says that it has nobody to close. */
export function checkPressure(world: World, unrecognizedOnly: boolean): void {
	const { core } = world.reactor;
	if (core.nowMs < world.pressedAtMs + ASK_AGAIN_MS) violated("the others are asked for room again so soon");
	world.pressedAtMs = core.nowMs;
	if (core.reactors > 1 && hasSinglesOnly(world)) return;
	for (let slot = 0; slot < core.table.sessions; slot++)
		if (mayBeShed(world, slot) && (!unrecognizedOnly || isUnrecognized(world, slot)))
			violated(`the others are asked for room, and row ${slot} could be closed`);
}

/** What was closed for room is counted as that. */
export function checkShedCount(world: World): void {
	const counted = world.counters.get("shed");
	if (counted < world.shed)
		violated(`${world.shed} sessions were closed for room, and ${counted} are counted`);
}

/** Whether a reason tells of what was short. */
export function isPressure(reason: number): boolean {
	return reason === FD_PRESSURE || reason === MEMORY_PRESSURE;
}

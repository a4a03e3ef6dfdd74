/** What must hold after every turn. */

import { i32, ref, u8, u32 } from "../../src/parts/at.js";
import { NONE } from "../../src/parts/none.js";
import { REASONS } from "../../src/parts/reasons.js";
import { TICK_MS } from "../../src/parts/wheel.js";
import { CHUNK_BYTES } from "../../src/reactor/memory/arena.js";
import { REQUEST_CUT } from "../../src/reactor/modes/http1/columns.js";
import { PARKED } from "../../src/reactor/own-lines/own-line.js";
import { EXPIRES_PER_TURN } from "../../src/reactor/reactor.js";
import { AHEAD, BLOCKED, PACED, QUEUED } from "../../src/reactor/table/marks.js";
import type { Link, Session, Slot } from "../../src/reactor/table/numbers.js";
import {
	CONNECTING,
	DIAL,
	EXCHANGE,
	FLUSH,
	FREE,
	LINGER,
	OWN_LINE,
	POOLED,
	PROVING,
	RELAY,
	REQUEST,
	SECURE,
	SNIFF,
} from "../../src/reactor/table/states.js";
import { stepMs } from "../../src/reactor/table/times.js";
import { aheadOf, usedOf } from "./ahead.js";
import {
	checkDatagramCounts,
	checkDatagramRow,
	checkIndexes,
	isFlow,
	isOfDatagrams,
	mayDrop,
} from "./datagrams/datagram-invariants.js";
import type { SimulatedSocket } from "./descriptors.js";
import { checkLines } from "./lines/line-invariants.js";
import { heldFor, partnerOf } from "./onlooker.js";
import { isGivenAll, owesBytes } from "./options.js";
import { checkOwnLines } from "./own-lines/own-line-invariants.js";
import { checkPaces } from "./paces.js";
import { ADDRESS_COUNT, LISTENERS } from "./plans.js";
import { checkExchanging, checkPool, checkPooled } from "./pool-invariants.js";
import { checkShedCount } from "./shedding.js";
import { violated } from "./trace.js";
import type { World } from "./world.js";

/** What pipes.ts keeps for the next borrower. */
const IDLE_PIPES_MAX = 8;

/** Precision of deadlines. */
const SLACK_MS = TICK_MS;

/** A session that has lived so long is given the options of one that lasts. */
const LASTING_MS = 1_000;

/** Clients that keep what was taken of a hello that is not whole, at most. */
const UNFINISHED_MAX = 4;

/** Turns between two looks at who has each descriptor: only opening one changes that. */
const OWNERS_EVERY_TURNS = 16;

export function checkTurn(world: World): void {
	checkRows(world);
	checkLedger(world);
	checkPool(world);
	checkPaces(world, actedUponMs(world));
	world.completions?.check();
	if (world.agent !== undefined) checkOwnLines(world, world.agent, actedUponMs(world));
	if (world.lines !== undefined) checkLines(world, world.lines, actedUponMs(world));
	if (world.datagrams !== undefined) {
		checkIndexes(world);
		checkDatagramCounts(world, world.datagrams);
		world.datagrams.checks.endTurn((socket) => mayDrop(world, socket));
	}
	world.admission.check(world);
	world.rests.check();
	if (world.closed > 0) checkReasons(world);
	if (world.turns % OWNERS_EVERY_TURNS === 0) checkOwners(world);
}

/** Every row, and what adds up over all of them. */
function checkRows(world: World): void {
	const { core } = world.reactor;
	const { table, wheel } = core;
	let armed = 0;
	let queued = 0;
	let earliestMs = Number.POSITIVE_INFINITY;
	let clients = 0;
	let links = 0;
	let chunks = 0;
	let pipes = 0;
	let buffered = 0;
	let unfinished = 0;
	for (let slot = 0; slot < 2 * table.sessions; slot++) {
		const state = u8(table.state, slot);
		if (state === FREE) continue;
		const isClient = slot < table.sessions;
		if (isClient) clients++;
		else links++;
		if ((i32(table.flags, slot) & QUEUED) !== 0) {
			queued++;
			checkQueued(world, slot);
		}
		const deadlineMs = wheel.deadlineOf(slot);
		if (deadlineMs !== 0) {
			armed++;
			if (deadlineMs < earliestMs) earliestMs = deadlineMs;
			checkLinks(world, slot, deadlineMs);
		}
		if (isOfDatagrams(core, slot)) {
			checkDatagramRow(world, slot, deadlineMs, actedUponMs(world));
			continue;
		}
		const socket = world.kernel.socketAt(i32(table.fd, slot));
		if (socket === undefined)
			violated(`row ${slot} holds descriptor ${i32(table.fd, slot)}, which is not open`);
		// The deadline of an idle connection stays while it is lent.
		const wasPooled =
			(socket.serves !== undefined || socket.line !== undefined || state === OWN_LINE) &&
			state !== CONNECTING &&
			state !== SECURE;
		// Of one whose session has a rate it says when that goes on.
		const may = isClient || wasPooled || (i32(table.flags, table.peerOf(slot as Slot)) & PACED) !== 0;
		// One that belongs to a client ends with it.
		const isOwned = !isClient && i32(world.reactor.core.links.owner, slot - table.sessions) !== NONE;
		const isOpened = state === OWN_LINE && core.ownLines.get(slot as Link)?.step !== PARKED;
		const must = isClient || state === PROVING || isOpened || (state === POOLED && !isOwned);
		if ((must && deadlineMs === 0) || (!may && deadlineMs !== 0))
			violated(`row ${slot} in state ${state} ${deadlineMs === 0 ? "has no deadline" : "has a deadline"}`);
		if (socket.slot !== slot || socket.generation !== i32(table.generation, slot) || !socket.registered)
			violated(`descriptor ${socket.fd} of row ${slot} is not watched as that`);
		if (socket.held > 0)
			violated(`${socket.held} bytes are held for more to be sent to row ${slot}, and nothing followed`);
		const bytes = table.heldBytes(slot as Slot);
		if (table.chunkOf(slot as Slot) !== NONE) {
			chunks++;
			if (bytes <= 0 || bytes > CHUNK_BYTES) violated(`row ${slot} has ${bytes} bytes in a chunk`);
			buffered += bytes;
		}
		const ahead = core.inboxes.length(slot as Slot);
		if (core.inboxes.has(slot as Slot)) {
			chunks++;
			socket.aheadTurn = world.turns;
			if (state === SNIFF && socket.secured === undefined) unfinished++;
			if (ahead <= 0 || ahead > CHUNK_BYTES) violated(`row ${slot} has ${ahead} bytes in its inbox`);
			buffered += ahead;
		}
		if (core.inboxes.has(slot as Slot) !== ((i32(table.flags, slot) & AHEAD) !== 0))
			violated(`row ${slot} says that it has read ahead, or does not, and the inbox says otherwise`);
		if (table.pipeOf(slot as Slot) !== NONE) {
			pipes++;
			if (bytes <= 0) violated(`row ${slot} holds an empty pipe`);
			buffered += bytes;
		}
		if (isClient) checkClient(world, slot, state, socket);
		else checkLink(world, slot, state, socket);
	}
	if (clients !== table.clients || links !== table.links)
		violated(`${clients}+${links} rows are in use, and ${table.clients}+${table.links} are counted`);
	if (unfinished > UNFINISHED_MAX)
		violated(`${unfinished} clients keep a chunk for a hello that is not whole`);
	if (unfinished > 0) world.meet("hellos that are not whole and kept");
	if (queued !== core.queue.length)
		violated(`${queued} rows wait for a turn, and the queue counts ${core.queue.length}`);
	if (armed !== wheel.armed) violated(`${armed} rows have a deadline, and the wheel counts ${wheel.armed}`);
	if (armed > 0 && !world.reactor.stopped) checkWheel(world, earliestMs);
	if (chunks !== core.chunks.lent) violated(`${chunks} chunks are in use, and ${core.chunks.lent} are lent`);
	if (pipes !== core.pipes.lent) violated(`${pipes} pipes are in use, and ${core.pipes.lent} are lent`);
	if (buffered !== world.counters.get("bufferedBytes"))
		violated(`${buffered} bytes are held, and ${world.counters.get("bufferedBytes")} are counted`);
	if (buffered > world.bufferedBytes)
		violated(`${buffered} bytes are held, which is more than the share of ${world.bufferedBytes}`);
}

/** The queue's list around a row that waits in it. */
function checkQueued(world: World, slot: number): void {
	const { queueNext, queuePrevious } = world.reactor.core.table;
	const after = i32(queueNext, slot);
	const before = i32(queuePrevious, slot);
	if (after !== NONE && i32(queuePrevious, after) !== slot)
		violated(`the queue is broken behind row ${slot}`);
	if (before !== NONE && i32(queueNext, before) !== slot) violated(`the queue is broken before row ${slot}`);
}

/** The wheel's list around an armed row. */
function checkLinks(world: World, slot: number, deadlineMs: number): void {
	const { table } = world.reactor.core;
	if (deadlineMs % TICK_MS !== 0) violated(`row ${slot} has a deadline between ticks`);
	const after = i32(table.next, slot);
	const before = i32(table.previous, slot);
	if (after !== NONE && i32(table.previous, after) !== slot)
		violated(`row ${slot}'s list is broken behind it`);
	if (before !== NONE && i32(table.next, before) !== slot) violated(`row ${slot}'s list is broken before it`);
	if (after === slot || before === slot) violated(`row ${slot} is in a list with itself`);
}

/**
 * No deadline has passed unnoticed, and the loop will not sleep past the next. What is too much for a turn is left to
 * the next one, which does not wait; and all rows together are no more than so many turns' work.
 */
function checkWheel(world: World, earliestMs: number): void {
	const { core } = world.reactor;
	const delay = core.wheel.delay(core.nowMs);
	// Deadlines wait until all news that came before them is heard.
	if (world.reactor.hasEvents) return;
	if (earliestMs <= Math.floor(core.nowMs / TICK_MS) * TICK_MS) {
		world.turnsBehind++;
		if (delay !== 0 || world.turnsBehind > (2 * world.sessions) / EXPIRES_PER_TURN + 1)
			violated(`a deadline at ${earliestMs} is overdue at ${core.nowMs}`);
		return;
	}
	world.turnsBehind = 0;
	if (delay < 0 || core.nowMs + delay > Math.ceil(earliestMs) + 1)
		violated(`the loop would sleep ${delay} ms at ${core.nowMs}, past a deadline at ${earliestMs}`);
}

/** Whoever is shut out is not here, once the reactor has carried that out. */
function checkBanned({ reactor: { core }, operator }: World, slot: number): void {
	const { table, bans } = core;
	// Before its PROXY header is read, the address is a proxy's.
	if (operator.given.has("bans") || ref(table.sourcePlace, slot) === NONE) return;
	if (bans.forbid(u8(table.family, slot), table.source, slot * 16, core.nowMs))
		violated(`client ${slot} is banned, and lives`);
}

/** A client has not overstayed in its state, by the simulation's own watch. */
function checkClient(world: World, slot: number, state: number, socket: SimulatedSocket): void {
	const { core } = world.reactor;
	const { table } = core;
	if (socket.role !== "client") violated(`row ${slot} holds an upstream's descriptor`);
	checkBanned(world, slot);
	const policy = core.policyOf(slot as Session);
	if (socket.userTimeoutMs !== undefined && socket.userTimeoutMs !== policy.userTimeoutMs)
		violated(`client ${slot} has a user timeout of ${socket.userTimeoutMs} ms, and its policy another`);
	const peer = table.peerOf(slot as Slot);
	if (peer !== NONE && table.peerOf(peer) !== slot) violated(`row ${slot} and its peer disagree`);
	const nowMs = actedUponMs(world);
	switch (state) {
		case SNIFF:
		case SECURE:
			if (nowMs >= socket.acceptedMs + policy.handshakeMs) violated(`client ${slot} handshakes for too long`);
			return;
		case DIAL: {
			socket.usedAtDial = usedOf(world, socket);
			const link = peer === NONE ? undefined : world.kernel.socketAt(i32(table.fd, peer));
			// A handshake has as long as the connect had.
			const sinceMs = isShaking(world, peer) ? connectedBy(world, slot as Session) : link?.dialledMs;
			if (sinceMs !== undefined && nowMs >= sinceMs + policy.connectMs)
				violated(`client ${slot} is dialled for too long`);
			return;
		}
		case RELAY: {
			const partner = partnerOf(world, socket);
			if (partner === undefined || world.kernel.socketAt(i32(table.fd, peer)) !== partner)
				violated(`client ${slot} has changed its partner`);
			checkHeld(world, peer, partner, socket);
			checkHeld(world, slot, socket, partner);
			checkStall(world, slot, policy.stallMs);
			checkStall(world, peer, policy.stallMs);
			// Dialling counts neither as activity nor as silence.
			const sinceMs = Math.max(socket.activeMs, table.connectedMs(slot as Session));
			const silenceMs = u8(table.firstEnd, slot) !== 0 ? policy.halfClosedMs : policy.idleMs;
			// A side that slowly takes what waits for it is not silent.
			// Nor is one that waits for its rate.
			const isPaced = (i32(table.flags, slot) & PACED) !== 0;
			if (!isPaced && !isBlocked(world, slot) && !isBlocked(world, peer) && nowMs >= sinceMs + silenceMs)
				if (nowMs >= Math.max(table.activeMs(slot as Session, core.nowMs), sinceMs) + silenceMs)
					violated(`client ${slot} has been silent for too long`);
			const relayedMs = Math.max(
				connectedBy(world, slot as Session),
				partner.secured?.openedMs ?? 0,
				socket.upgradedMs,
			);
			if (policy.lifetimeMs > 0 && nowMs >= Math.max(socket.acceptedMs + policy.lifetimeMs, relayedMs))
				violated(`client ${slot} has lived too long`);
			return;
		}
		case LINGER:
			return;
		case FLUSH:
			if (peer !== NONE) violated(`client ${slot} is to take what waits for it, and holds row ${peer}`);
			if (!isBlocked(world, slot)) violated(`client ${slot} is to take what waits for it, and nothing does`);
			checkStall(world, slot, policy.stallMs);
			return;
		case REQUEST:
		case EXCHANGE:
			checkExchanging(world, slot, socket);
			checkStall(world, slot, policy.stallMs);
			if (peer !== NONE && !core.exchanges.has(slot as Session, REQUEST_CUT))
				checkStall(world, peer, policy.stallMs);
			return;
		default:
			violated(`client ${slot} is in state ${state}`);
	}
}

function isShaking(world: World, link: number): boolean {
	return link !== NONE && u8(world.reactor.core.table.state, link) === SECURE;
}

/** When its upstream's connection was made, at the latest: a row says it in steps, and a late one in coarse ones. */
function connectedBy(world: World, client: Session): number {
	const { table } = world.reactor.core;
	return table.connectedMs(client) + stepMs(u32(table.connected, client));
}

/** Deadlines from before this have been acted upon; when a turn has left some to the next, none needs to be. */
function actedUponMs(world: World): number {
	const { core } = world.reactor;
	return core.wheel.delay(core.nowMs) === 0 ? Number.NEGATIVE_INFINITY : core.nowMs - SLACK_MS;
}

export function isBlocked(world: World, slot: number): boolean {
	return (i32(world.reactor.core.table.flags, slot) & BLOCKED) !== 0;
}

/** What the reactor took and has not sent is what it holds, and never more than one buffer. */
function checkHeld(world: World, slot: number, to: SimulatedSocket, from: SimulatedSocket): void {
	const { table } = world.reactor.core;
	const holds = table.heldBytes(slot as Slot);
	const ahead = aheadOf(world, from);
	if (to.sentBefore >= 0 && holds + ahead !== heldFor(to, from))
		violated(`row ${slot} holds ${holds}+${ahead} bytes, and ${heldFor(to, from)} were taken and not sent`);
	if (holds > 0 && !isBlocked(world, slot)) violated(`row ${slot} holds bytes, and does not wait`);
	if (isBlocked(world, slot) && u32(table.since, slot) === 0)
		violated(`row ${slot} is blocked, and nothing says since when`);
}

/** A side that takes nothing has `stall` from when that was noticed. */
function checkStall(world: World, slot: number, stallMs: number): void {
	const { table } = world.reactor.core;
	if (
		isBlocked(world, slot) &&
		actedUponMs(world) >= table.sinceMs(slot as Slot, world.reactor.core.nowMs) + stallMs
	)
		violated(`row ${slot} has been stalled for too long`);
}

function checkLink(world: World, slot: number, state: number, socket: SimulatedSocket): void {
	const { core } = world.reactor;
	const { table } = core;
	if (state === POOLED) {
		checkPooled(world, slot, socket);
		return;
	}
	// own-line-invariants.ts looks at it.
	if (state === OWN_LINE) return;
	if (state === PROVING) {
		if (socket.line === undefined || table.peerOf(slot as Slot) !== NONE)
			violated(`row ${slot} proves itself, and is no line that nobody has`);
		return;
	}
	const client = table.peerOf(slot as Slot);
	if (client === NONE || table.linkOf(client as Session) !== slot)
		violated(`upstream row ${slot} has no client`);
	const expected = state === CONNECTING || state === SECURE ? DIAL : state;
	if (
		(state !== CONNECTING && state !== SECURE && state !== RELAY && state !== EXCHANGE) ||
		u8(table.state, client) !== expected
	)
		violated(`upstream row ${slot} is in state ${state}, its client in ${u8(table.state, client)}`);
	// Bytes that were announced may hide from the first read, until somebody has seen them.
	// A PROXY header is none of them.
	const { seen = 0, takenBefore = 0 } = world.kernel.socketAt(i32(table.fd, client)) ?? {};
	const hasSeen = seen > takenBefore;
	const isPaced = (i32(table.flags, client) & PACED) !== 0;
	if (state === RELAY && !isPaced && hasSeen && owesBytes(socket) && !isBlocked(world, slot) && !socket.dead)
		violated(`upstream row ${slot} is connected, and does not hear of it before bytes come`);
	// That none is set twice, the kernel sees.
	const openedMs = Math.max(connectedBy(world, client as Session), socket.secured?.openedMs ?? 0);
	// A line of requests has its own before it is relayed.
	const upgradedMs = world.kernel.socketAt(i32(table.fd, client))?.upgradedMs ?? 0;
	const sinceMs = socket.line === undefined ? openedMs : Math.max(openedMs, upgradedMs);
	if (state === RELAY && actedUponMs(world) >= sinceMs + LASTING_MS)
		if (!isGivenAll(socket))
			violated(`upstream row ${slot} has lasted, and was not given the options for that`);
	const { sendBufferBytes, receiveBufferBytes } = core.policyOf(client as Session);
	// One that was lent was opened for another client.
	if (!socket.unix && socket.serves === undefined && socket.line === undefined)
		if (socket.sendBufferBytes !== sendBufferBytes || socket.receiveBufferBytes !== receiveBufferBytes)
			violated(`upstream row ${slot} was not given the buffers of its policy`);
}

/** Opened minus closed is what is open, by every account there is. */
function checkLedger(world: World): void {
	const { kernel, counters, board, reactor } = world;
	const { table, pipes } = reactor.core;
	const downstream = counters.get("downstreamOpened") - counters.get("downstreamClosed");
	const leaving = world.completions?.closing("client") ?? 0;
	const connected = table.clients - (reactor.core.datagrams?.flows.count ?? 0);
	if (downstream !== table.clients || kernel.openClients !== connected + leaving)
		violated(`${kernel.openClients} clients' sockets, ${table.clients} rows, ${downstream} in the ledger`);
	const upstream = counters.get("upstreamOpened") - counters.get("upstreamClosed");
	const left = world.completions?.closing("upstream") ?? 0;
	const outside = (world.lines?.outside.size ?? 0) + (world.lines?.other.held.length ?? 0);
	const ofDatagrams = kernel.datagrams?.open ?? 0;
	if (upstream !== table.links || kernel.openUpstreams + ofDatagrams !== table.links + left + outside)
		violated(`${kernel.openUpstreams} upstreams' sockets, ${table.links} rows, ${upstream} in the ledger`);
	if (kernel.openPipeEnds !== 2 * pipes.open || counters.get("pipesOpen") !== pipes.open)
		violated(`${kernel.openPipeEnds} pipe ends are open, and ${pipes.open} pipes are counted`);
	if (pipes.open - pipes.lent > IDLE_PIPES_MAX) violated(`${pipes.open - pipes.lent} empty pipes are kept`);
	const open = world.operator.foreign + connected + leaving + table.links + left + 2 * pipes.open + outside;
	if (kernel.openCount !== open) violated(`${kernel.openCount} descriptors are open instead of ${open}`);
	let active = 0;
	for (let address = 0; address < ADDRESS_COUNT; address++) active += board.active(address);
	const { idleLists, unproved, ownLines } = reactor.core;
	let used = table.links - idleLists.idle - idleLists.owned - unproved.size - ownLines.size;
	for (let address = 0; address < ADDRESS_COUNT; address++) used += reactor.core.waitingForLines.of(address);
	if (active !== used) violated(`the board counts ${active} sessions, and there are ${used}`);
}

/** All sessions that ended are counted by their reason. */
function checkReasons(world: World): void {
	let counted = 0;
	for (let slot = 0; slot < LISTENERS; slot++)
		for (let reason = 0; reason < REASONS.length; reason++) counted += world.counters.closed(slot, reason);
	if (counted !== world.sessionsEnded)
		violated(`${world.sessionsEnded} sessions ended, and ${counted} are counted by reason`);
	checkShedCount(world);
}

/** Of each descriptor in use it is written down whose it is. */
export function checkOwners(world: World): void {
	const { table, index } = world.reactor.core;
	const check = (fd: number, kind: "connection" | "pipe", slot: number) => {
		const owner = world.owners.of(fd);
		if (owner?.kind !== kind || owner.slot !== slot || owner.reactor !== index)
			violated(`descriptor ${fd} of ${kind} ${slot} is written down as ${owner?.kind} ${owner?.slot}'s`);
	};
	for (let slot = 0; slot < 2 * table.sessions; slot++)
		if (u8(table.state, slot) !== FREE && !isFlow(world.reactor.core, slot))
			check(i32(table.fd, slot), "connection", slot);
	const { pipeEnds } = world;
	// Reading ends, then writing ends.
	const pipes = pipeEnds.length / 2;
	for (let i = 0; i < pipeEnds.length; i++)
		if (i32(pipeEnds, i) !== NONE) check(i32(pipeEnds, i), "pipe", i % pipes);
}

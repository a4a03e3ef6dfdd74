/** Sessions of datagrams, after every turn and at their ends: rows without a descriptor on one side, and a connected socket on the other. */
import { SENDER_BYTES } from "../../../src/kernel/datagrams.js";
import { f64, i32, ref, u8, u16 } from "../../../src/parts/at.js";
import { NONE } from "../../../src/parts/none.js";
import { REASONS } from "../../../src/parts/reasons.js";
import { PROTOCOL_QUIC } from "../../../src/protocol/protocols.js";
import type { Core } from "../../../src/reactor/core.js";
import { FROM_CLIENT, TO_CLIENT } from "../../../src/reactor/records/counters.js";
import { DATAGRAM_DROPS } from "../../../src/reactor/records/datagram-drops.js";
import {
	ANSWERED,
	CONNECT_REFUSED,
	IDLE_TIMEOUT,
	INTERNAL,
	LIFETIME,
	LIMIT_CONNECTIONS,
	LIMIT_RATE,
	UPSTREAM_RESET,
} from "../../../src/reactor/records/reasons.js";
import { FLOW, KIND } from "../../../src/reactor/table/fields.js";
import { AHEAD, PACED, QUEUED } from "../../../src/reactor/table/marks.js";
import type { Session, Slot } from "../../../src/reactor/table/numbers.js";
import { DATAGRAM, FREE } from "../../../src/reactor/table/states.js";
import { readJournal, type SessionRecord } from "../../support/read-journal.js";
import { checkRequest } from "../endings.js";
import { LISTENERS } from "../plans.js";
import { violated } from "../trace.js";
import type { World } from "../world.js";
import type { Served } from "./datagram-checks.js";
import { serverAt } from "./datagram-plans.js";
import type { DatagramSide } from "./datagram-side.js";
import type { SimulatedDatagramSocket } from "./datagram-socket.js";
import { endpointAt } from "./endpoints.js";

/** A client of datagrams has this row. */
export function isFlow({ table }: Core, slot: number): boolean {
	return slot < table.sessions && (i32(table.flags, slot) & KIND) === FLOW;
}

/** It does, or the connected socket of one. */
export function isOfDatagrams(core: Core, slot: number): boolean {
	return isFlow(core, slot) || u8(core.table.state, slot) === DATAGRAM;
}

/** A row of a session of datagrams, after a turn. `actedUponMs`: deadlines from before this have been acted upon. */
export function checkDatagramRow(world: World, slot: number, deadlineMs: number, actedUponMs: number): void {
	const { core } = world.reactor;
	const { table } = core;
	if (u8(table.state, slot) !== DATAGRAM)
		violated(`row ${slot} of datagrams is in state ${u8(table.state, slot)}`);
	if ((i32(table.flags, slot) & (QUEUED | AHEAD)) !== 0 || table.heldBytes(slot as Slot) !== 0)
		violated(`row ${slot} of datagrams waits for a turn, or holds bytes`);
	const peer = table.peerOf(slot as Slot);
	if (peer === NONE || table.peerOf(peer) !== slot) violated(`row ${slot} of datagrams has no other side`);
	if (slot < table.sessions) checkFlow(world, slot as Session, deadlineMs, actedUponMs);
	else checkSocket(world, slot, deadlineMs);
}

function checkSocket(world: World, link: number, deadlineMs: number): void {
	const { table } = world.reactor.core;
	const socket = world.kernel.datagramSocketAt(i32(table.fd, link));
	if (socket === undefined)
		violated(`row ${link} holds descriptor ${i32(table.fd, link)}, which is no socket of UDP`);
	if (socket.slot !== link || socket.generation !== i32(table.generation, link) || !socket.registered)
		violated(`descriptor ${socket.fd} of row ${link} is not watched as that`);
	if (deadlineMs !== 0) violated(`upstream row ${link} of datagrams has a deadline`);
	const board = ref(table.address, table.peerOf(link as Slot));
	if (serverAt(board).key !== socket.peer?.key)
		violated(`row ${link} is connected to ${socket.peer?.key}, and counted for address ${board}`);
}

function checkFlow(world: World, session: Session, deadlineMs: number, actedUponMs: number): void {
	const { core } = world.reactor;
	const { table } = core;
	if (table.fd[session] !== NONE) violated(`client ${session} of datagrams has a descriptor`);
	if (deadlineMs === 0) violated(`client ${session} of datagrams has no deadline`);
	const { lifetimeMs } = core.policyOf(session);
	const since = servedBy(world, session);
	const openedMs = socketOf(world, session)?.connectedMs ?? 0;
	const activeMs = Math.max(openedMs, since?.activeMs ?? 0, since?.triedMs ?? 0);
	if (actedUponMs >= activeMs + idleMsOf(core, session))
		violated(`client ${session} of datagrams has been silent since ${activeMs}, and lives`);
	if (lifetimeMs > 0 && actedUponMs >= f64(table.acceptedMs, session) + lifetimeMs)
		violated(`client ${session} of datagrams has lived too long`);
	if (since !== undefined) checkWhereabouts(world, session, since);
}

/** Its row, and what its answers are sent to, say where its client is. */
function checkWhereabouts(
	world: World,
	session: Session,
	{ author, from, mayBeFrom, whereabouts }: Served,
): void {
	const { core } = world.reactor;
	const { table, datagrams } = core;
	if (datagrams === null) return;
	const at = endpointAt(datagrams.flows.names, session * SENDER_BYTES);
	const isHis = "sources" in author ? author.sources.has(at.key) : at.key === from || mayBeFrom.has(at.key);
	if (whereabouts.at !== undefined && whereabouts.at !== at.key)
		violated(`client ${session} of datagrams is said to be at ${at.key}, and is at ${whereabouts.at}`);
	if (!isHis) violated(`client ${session} of datagrams is said to be at ${at.key}, and is at ${from}`);
	if (u16(table.sourcePort, session) !== at.port)
		violated(
			`client ${session} is answered at port ${at.port}, and said to be at ${u16(table.sourcePort, session)}`,
		);
	for (const [i, byte] of at.bytes.entries())
		if (u8(table.source, session * 16 + i) !== byte) violated(`row ${session} has another client's address`);
}

function idleMsOf(core: Core, session: Session): number {
	const { idleMs, quicIdleMs } = core.policyOf(session);
	return u8(core.table.protocol, session) === PROTOCOL_QUIC ? quicIdleMs : idleMs;
}

function socketOf({ kernel, reactor }: World, session: Session): SimulatedDatagramSocket | undefined {
	const { table } = reactor.core;
	const link = table.linkOf(session);
	return link === NONE ? undefined : kernel.datagramSocketAt(i32(table.fd, link));
}

function servedBy(world: World, session: Session): Served | undefined {
	const socket = socketOf(world, session);
	return socket === undefined ? undefined : world.datagrams?.checks.served.get(socket);
}

/** Whether the session of a socket may drop what comes: it has a rate. */
export function mayDrop({ reactor: { core } }: World, { slot }: SimulatedDatagramSocket): boolean {
	const session = core.table.sessionOf(slot as never);
	return session === NONE || (i32(core.table.flags, session) & PACED) !== 0;
}

/** What is counted adds up: all that came was passed on, is held of a hello, or was dropped for a reason that is told. */
export function checkDatagramCounts(world: World, { checks }: DatagramSide): void {
	const { counters, reactor } = world;
	let up = 0;
	let down = 0;
	for (let listener = 0; listener < LISTENERS; listener++) {
		up += counters.datagrams(listener, FROM_CLIENT);
		down += counters.datagrams(listener, TO_CLIENT);
	}
	if (up !== checks.relayed || down !== checks.answersRelayed)
		violated(
			`${up} and ${down} datagrams are counted, and ${checks.relayed} and ${checks.answersRelayed} were passed on`,
		);
	let dropped = 0;
	for (let drop = 0; drop < DATAGRAM_DROPS.length; drop++) dropped += counters.datagramsDropped(drop);
	const came = checks.received + checks.answersReceived;
	const held = heldInHalves(reactor.core);
	if (came !== up + down + dropped + held)
		violated(
			`${came} datagrams came, ${up}+${down} were passed on, ${dropped} dropped, and ${held} are held`,
		);
	let overrun = 0;
	for (const dropped of checks.overruns.values()) overrun += dropped;
	if (counters.get("datagramsOverrun") !== overrun)
		violated(`${overrun} datagrams found no room, and ${counters.get("datagramsOverrun")} are counted`);
}

/** Datagrams that wait for the rest of their hellos. */
function heldInHalves({ datagrams }: Core): number {
	if (datagrams === null) return 0;
	const { halves } = datagrams.recognizer;
	let held = 0;
	for (let place = 0; place < halves.places; place++) {
		if (!halves.isKept(place)) continue;
		for (let at = halves.firstHeld(place); at !== NONE; at = halves.nextHeld(place, at)) held++;
	}
	return held;
}

/** The indexes have those sessions that there are. */
export function checkIndexes(world: World): void {
	const { core } = world.reactor;
	const { table, datagrams, counters } = core;
	let flows = 0;
	for (let slot = 0; slot < table.sessions; slot++)
		if (u8(table.state, slot) !== FREE && isFlow(core, slot)) flows++;
	const counted = counters.get("flowsOpened") - counters.get("flowsClosed");
	if (counted !== flows) violated(`${flows} clients of datagrams are there, and ${counted} are counted`);
	if (datagrams === null) return;
	if (datagrams.flows.count !== flows)
		violated(`${flows} clients of datagrams are there, and ${datagrams.flows.count} can be found`);
	if (flows === 0 && datagrams.ids.count !== 0)
		violated(`${datagrams.ids.count} connection IDs are known, and nobody is there`);
	const { nowMs } = core;
	if (datagrams.recognizer.halves.nextDeadlineMs() <= nowMs && !world.reactor.hasEvents)
		violated("a part of a hello has waited too long, and is kept");
}

/** A session of datagrams is over; its row is still as it was, and its socket is closed. */
export function checkFlowEnd(world: World, session: Session, served: Served | undefined): void {
	let records = 0;
	readJournal(
		world.journal,
		(record) => {
			records++;
			checkRecord(world, session, served, record);
		},
		(record) => checkRequest(world, record),
	);
	if (records !== 1) violated(`a session of datagrams ended, and has ${records} records`);
	world.sessionsEnded++;
	world.closed++;
	world.rests.sessionEnded();
}

function checkRecord(
	world: World,
	session: Session,
	served: Served | undefined,
	record: SessionRecord,
): void {
	const { core } = world.reactor;
	const { table } = core;
	const { reason, closedMs, acceptedMs } = record;
	const name = REASONS[reason] ?? "";
	world.meet(`flows: ${name}`);
	if (reason === INTERNAL) violated("a session of datagrams ended by a fault of the reactor itself");
	if (acceptedMs !== f64(table.acceptedMs, session))
		violated("the record of another session is in this one's place");
	const silentMs = closedMs - Math.max(acceptedMs, served?.activeMs ?? 0);
	if (reason === IDLE_TIMEOUT && silentMs < idleMsOf(core, session))
		violated(`a session of datagrams ended as idle, and was silent for ${silentMs} ms only`);
	const { lifetimeMs } = core.policyOf(session);
	if (reason === LIFETIME && closedMs - acceptedMs < 0.9 * lifetimeMs)
		violated(`a session of datagrams ended as too old after ${closedMs - acceptedMs} ms`);
	const { responses = 0 } = core.upstreams.get(ref(table.upstream, session))?.plan ?? {};
	if (reason === ANSWERED && (responses === 0 || (served?.answers ?? 0) < responses))
		violated(`a session of datagrams ended as answered after ${served?.answers} answers of ${responses}`);
	if (reason === UPSTREAM_RESET && served?.wasRefused !== true)
		violated("a session of datagrams ended as refused, and was not");
	if (reason === CONNECT_REFUSED && served !== undefined && served.answers > 0)
		violated("a session of datagrams ended as never answered, and was");
	if (isTurnedAway(reason) && served !== undefined && served.sent > 0)
		violated(`a session of datagrams was turned away as ${name}, and had been served`);
	if (served !== undefined) checkBytes(record, served, name);
}

function isTurnedAway(reason: number): boolean {
	return reason === LIMIT_RATE || reason === LIMIT_CONNECTIONS;
}

/** What was refused may be counted with what was sent, and what is still to be sent in this turn. */
function checkBytes({ bytesFromClient, bytesToClient }: SessionRecord, served: Served, name: string): void {
	const { sentBytes, refusedBytes, answeredBytes, answerBytes } = served;
	if (bytesFromClient < sentBytes || bytesFromClient > sentBytes + refusedBytes)
		violated(`the record (${name}) says ${bytesFromClient} bytes came from the client, not ${sentBytes}`);
	if (bytesToClient < answeredBytes || bytesToClient > answerBytes)
		violated(`the record (${name}) says ${bytesToClient} bytes went to the client, not ${answeredBytes}`);
}

/**
 * Datagrams have come to a listener's socket. Those of a client that has a session go to its upstream, several of one client with one
 * call; those of strangers are looked at, one by one.
 */
import { EINTR } from "../../../kernel/constants.js";
import { DATAGRAM_PLACE_BYTES, LOCAL_BYTES, SENDER_BYTES, SENDER_PLACES } from "../../../kernel/datagrams.js";
import { i32, u8 } from "../../../parts/at.js";
import { PROTOCOL_QUIC } from "../../../protocol/protocols.js";
import { LONG_FORM } from "../../../protocol/quic/long-packet.js";
import type { ReactorListener } from "../../admission/listener.js";
import { listenerEventSlot } from "../../admission/listeners.js";
import { datagramsIn } from "../../datagrams/added-messages.js";
import { nameWords } from "../../datagrams/flows.js";
import type { DatagramTraffic } from "../../datagrams/traffic.js";
import { scalarIndex } from "../../records/counters.js";
import { type Next, STAY } from "../../table/next.js";
import { NONE, type Session } from "../../table/numbers.js";
import { flushReplies } from "./answer.js";
import { knownConnection } from "./by-id.js";
import type { DatagramContext } from "./context.js";
import { drop } from "./drop.js";
import { learnFromShort, noteProof } from "./learn.js";
import { passMessage, passOn } from "./pass.js";
import { countHalves, meet } from "./stranger.js";

/** Times that a listener is read in a turn. What is left is told again. */
const ROUNDS_PER_TURN = 4;

const SENDER_WORDS = SENDER_BYTES / 4;
const LOCAL_WORDS = LOCAL_BYTES / 4;

/** News of a listener. False: it is none for datagrams. */
export function datagramsCame(
	core: DatagramContext,
	datagrams: DatagramTraffic,
	listener: ReactorListener | undefined,
): boolean {
	if (listener?.plan.datagrams === undefined) return false;
	if (isLeft(core, listener)) return true;
	// What waits to be sent would be mixed with what is sent to upstreams.
	flushReplies(core, datagrams);
	for (let round = 0; round < ROUNDS_PER_TURN; round++) {
		const count = takeFrom(core, datagrams, listener, listener.plan.fd);
		if (count === -EINTR) continue;
		if (count > 0) noteOverrun(core, datagrams, listener, count);
		if (count < SENDER_PLACES || core.budget.turnBytes <= 0) break;
	}
	return true;
}

/**
 * It is given up, and no session needs it any more, here or elsewhere: it is about to be closed (gateway/leaving-listeners.ts), and what comes
 * until then must not wake anybody.
 */
function isLeft({ retired, places, engine }: DatagramContext, listener: ReactorListener): boolean {
	const { slot, fd } = listener.plan;
	if (retired.get(slot) !== listener || places.of(slot) > 0) return false;
	engine.readiness.modify(fd, 0, listenerEventSlot(slot), 0);
	return true;
}

/** News of a socket that hears one client alone, and perhaps, for a moment, others. */
export function heardByEar(core: DatagramContext, session: Session): Next {
	const { datagrams, table } = core;
	if (datagrams === null) return STAY;
	flushReplies(core, datagrams);
	const listener = core.listenerOf(session);
	// What is left is told again. The session may end with what it is sent.
	takeFrom(core, datagrams, listener, i32(table.fd, session));
	return STAY;
}

/** Takes what a socket has. Returns how many messages, or a negative errno. */
function takeFrom(
	core: DatagramContext,
	datagrams: DatagramTraffic,
	listener: ReactorListener,
	fd: number,
): number {
	const count = datagrams.io.receive(fd, 0, SENDER_PLACES);
	for (let place = 0; place < count; ) place += take(core, datagrams, listener, place, count);
	return count;
}

/** Takes the messages of one client from `place` on. Returns how many. */
function take(
	core: DatagramContext,
	datagrams: DatagramTraffic,
	listener: ReactorListener,
	place: number,
	count: number,
): number {
	const { flows, io } = datagrams;
	if (io.isCut(place)) {
		drop(core, "too_long", datagramsIn(io.lengthOf(place), io.segmentOf(place)));
		return 1;
	}
	datagrams.look(listener.plan.slot, place);
	const session = flows.find(datagrams.key);
	if (session === NONE) {
		takeApart(core, datagrams, listener, place);
		return 1;
	}
	if (u8(core.table.protocol, session) === PROTOCOL_QUIC)
		return takeQuic(core, datagrams, listener, session, place, count);
	let taken = 1;
	while (place + taken < count && goesOn(datagrams, place, place + taken)) taken++;
	passOn(core, datagrams, session, place, taken);
	return taken;
}

/** Messages of a client that has a connection of QUIC: usually more of that connection. Returns how many. */
function takeQuic(
	core: DatagramContext,
	datagrams: DatagramTraffic,
	listener: ReactorListener,
	session: Session,
	place: number,
	count: number,
): number {
	if (!datagrams.flows.isShared(session) && isShort(datagrams, place)) {
		noteProof(core, datagrams, session, place * DATAGRAM_PLACE_BYTES, firstBytes(datagrams, place));
		let taken = 0;
		do learn(datagrams, session, place + taken++);
		while (
			place + taken < count &&
			goesOn(datagrams, place, place + taken) &&
			isShort(datagrams, place + taken)
		);
		passOn(core, datagrams, session, place, taken);
		return taken;
	}
	// A hello of another connection, for one; or two connections share the client's port.
	takeApart(core, datagrams, listener, place);
	return 1;
}

/** None of its datagrams begins a connection, or has another form that must be looked at. */
function isShort({ io }: DatagramTraffic, place: number): boolean {
	const start = place * DATAGRAM_PLACE_BYTES;
	const end = start + io.lengthOf(place);
	const segment = Math.max(1, io.segmentOf(place));
	for (let at = start; at < end; at += segment) if ((u8(io.memory, at) & LONG_FORM) !== 0) return false;
	return start < end;
}

function learn(datagrams: DatagramTraffic, session: Session, place: number): void {
	learnFromShort(datagrams, session, place * DATAGRAM_PLACE_BYTES, firstBytes(datagrams, place));
}

/** Of a message's first datagram. */
function firstBytes({ io }: DatagramTraffic, place: number): number {
	return Math.min(io.lengthOf(place), io.segmentOf(place));
}

/** The datagrams of a message, one by one: one may begin the session that the next belongs to, or end it. */
function takeApart(
	core: DatagramContext,
	datagrams: DatagramTraffic,
	listener: ReactorListener,
	place: number,
): void {
	const { io } = datagrams;
	const start = place * DATAGRAM_PLACE_BYTES;
	const end = start + io.lengthOf(place);
	const segment = Math.max(1, io.segmentOf(place));
	for (let at = start; at < end || at === start; at += segment)
		takeOne(core, datagrams, listener, place, at, Math.min(end, at + segment));
}

function takeOne(
	core: DatagramContext,
	datagrams: DatagramTraffic,
	listener: ReactorListener,
	place: number,
	start: number,
	end: number,
): void {
	const { io, flows, key } = datagrams;
	datagrams.look(listener.plan.slot, place);
	let session = flows.find(key);
	if (session !== NONE && u8(core.table.protocol, session) === PROTOCOL_QUIC)
		session = knownConnection(datagrams, session, start, end);
	if (session === NONE) {
		meet(core, datagrams, listener, place, start, end);
		return;
	}
	noteProof(core, datagrams, session, start, end - start);
	passMessage(core, datagrams, session, start, end - start, io.ecnOf(place));
}

/** It is whole, from the same address and port, to the same address of ours. */
function goesOn({ key, io }: DatagramTraffic, place: number, other: number): boolean {
	if (io.isCut(other)) return false;
	const words = nameWords(key.names, place * SENDER_WORDS);
	for (let i = 0; i < words; i++)
		if (i32(key.names, place * SENDER_WORDS + i) !== i32(key.names, other * SENDER_WORDS + i)) return false;
	for (let i = 0; i < LOCAL_WORDS; i++)
		if (i32(key.locals, place * LOCAL_WORDS + i) !== i32(key.locals, other * LOCAL_WORDS + i)) return false;
	return true;
}

/** The kernel says with each datagram how many found no room before it. */
function noteOverrun(
	core: DatagramContext,
	{ io }: DatagramTraffic,
	listener: ReactorListener,
	count: number,
): void {
	const dropped = io.droppedOf(count - 1);
	if (dropped < 0 || dropped === listener.overrun) return;
	core.counters.add(OVERRUN, (dropped - listener.overrun) >>> 0);
	listener.overrun = dropped;
}

/** The turn's news is heard: answers go out, and halves are given up whose time is over. */
export function endArrivals(core: DatagramContext): void {
	const { datagrams } = core;
	if (datagrams === null) return;
	if (datagrams.io.added > 0) flushReplies(core, datagrams);
	const { halves } = datagrams.recognizer;
	halves.expire(core.nowMs);
	countHalves(core, halves);
}

/** When the next half is given up. */
export function halvesDueMs({ datagrams }: DatagramContext): number {
	return datagrams === null ? Number.POSITIVE_INFINITY : datagrams.recognizer.halves.nextDeadlineMs();
}

const OVERRUN = scalarIndex("datagramsOverrun");

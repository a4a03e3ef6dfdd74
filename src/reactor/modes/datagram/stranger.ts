/**
 * A datagram of somebody who has no session at that address: a client of QUIC whose NAT has given it another address, a part of a
 * hello, the beginning of a session, or nothing that anybody here knows. Nothing is ever sent back from here.
 */
import { DATAGRAM_PLACE_BYTES } from "../../../kernel/datagrams.js";
import { cell, i32, u8, u16 } from "../../../parts/at.js";
import { PROTOCOL_OTHER, PROTOCOL_QUIC, PROTOCOL_UNKNOWN } from "../../../protocol/protocols.js";
import { PACKET_INITIAL, parseLongPacket } from "../../../protocol/quic/long-packet.js";
import { COMPLETE, NEED_MORE } from "../../../protocol/verdict.js";
import type { ReactorListener } from "../../admission/listener.js";
import type { HalfHellos } from "../../datagrams/half-hellos.js";
import { NOBODY } from "../../datagrams/shared-ids.js";
import { type DatagramTraffic, WRITE_AT } from "../../datagrams/traffic.js";
import type { DatagramDrop } from "../../records/datagram-drops.js";
import {
	CONNECT_REFUSED,
	FD_PRESSURE,
	LIMIT_CONNECTIONS,
	LIMIT_RATE,
	MEMORY_PRESSURE,
	UPSTREAM_DOWN,
} from "../../records/reasons.js";
import { ROUTE, to } from "../../table/next.js";
import { NONE, type Session } from "../../table/numbers.js";
import { DATAGRAM, DIAL } from "../../table/states.js";
import { byConnectionId, reactorOf } from "./by-id.js";
import { findServer } from "./by-server-id.js";
import type { DatagramContext } from "./context.js";
import { LOOK_COST_BYTES } from "./costs.js";
import { drop } from "./drop.js";
import { hearFrom } from "./ear.js";
import { beginFlow, withProxyHeader } from "./open.js";
import { passMessage } from "./pass.js";

/** The datagram memory[start, end) of a place, whose sender is at hand. */
export function meet(
	core: DatagramContext,
	datagrams: DatagramTraffic,
	listener: ReactorListener,
	place: number,
	start: number,
	end: number,
): void {
	const ecn = datagrams.io.ecnOf(place);
	if (listener.hasLooked && isOfSession(core, datagrams, listener, start, end, ecn)) return;
	if (listener.givenUp || listener.rests) {
		drop(core, "not_accepting");
		return;
	}
	datagrams.lookAt(start, end, core.nowMs, ecn);
	if (listener.router.peeks && findServer(core, datagrams, listener)) {
		open(core, datagrams, listener, PROTOCOL_QUIC, NONE, 1);
		datagrams.recognition.begin();
		return;
	}
	const protocol = recognize(core, datagrams, listener, start);
	if (protocol === NONE) return;
	const half = protocol === PROTOCOL_UNKNOWN ? NONE : datagrams.recognition.half;
	const { halves } = datagrams.recognizer;
	const held = half === NONE ? 0 : halves.heldCount(half);
	open(core, datagrams, listener, protocol, half, 1 + held);
	if (half !== NONE) halves.release(half);
}

/** It is of a client that has moved, and goes to its session, or to the reactor that has it. False: it is of nobody that is known. */
function isOfSession(
	core: DatagramContext,
	datagrams: DatagramTraffic,
	listener: ReactorListener,
	start: number,
	end: number,
	ecn: number,
): boolean {
	const { ids, others } = datagrams;
	const moved = ids.count === 0 ? NONE : byConnectionId(datagrams, start, end);
	if (moved !== NONE) {
		if (u16(core.table.listener, moved) !== listener.plan.slot) return false;
		if (hearFrom(core, datagrams, moved, false)) passMessage(core, datagrams, moved, start, end - start, ecn);
		else drop(core, "limit");
		return true;
	}
	if (core.reactors === 1) return false;
	const reactor = reactorOf(datagrams, start, end);
	if (reactor === NOBODY || reactor === others.index) return false;
	if (!datagrams.giveTo(reactor, start, end, ecn)) drop(core, "send_buffer");
	core.kernel.wakeOther(cell(core.wakeFds, reactor));
	return true;
}

/** What it is; NONE: it has been dropped, passed on, or held until the rest of its hello has come. */
function recognize(
	core: DatagramContext,
	datagrams: DatagramTraffic,
	{ plan, router }: ReactorListener,
	start: number,
): number {
	const { io, recognizer, recognition, arrival } = datagrams;
	if (!router.peeks) return PROTOCOL_UNKNOWN;
	core.budget.turnBytes -= LOOK_COST_BYTES;
	const verdict = recognizer.read(arrival, plan.datagrams?.unknownVersions ?? "reject", recognition);
	countHalves(core, recognizer.halves);
	if (verdict === NEED_MORE) {
		if (!recognition.isHeld) drop(core, "half_hello");
		return NONE;
	}
	if (verdict !== COMPLETE) {
		if (!isLaterInitial(core, datagrams)) drop(core, "malformed");
		return NONE;
	}
	const looksShort = arrival.end > start && (u8(io.memory, start) & SHORT_MASK) === SHORT_FORM;
	if (recognition.protocol === PROTOCOL_OTHER && looksShort && router.asksHello && !router.takesOther) {
		drop(core, "unknown_connection");
		return NONE;
	}
	return recognition.protocol;
}

/**
 * An Initial that its own ID does not open is no hello. It is passed on if its client has a connection of QUIC: quic-go's client calls its
 * server by an ID that it was told under encryption from its first acknowledgement on, which may have the end of its handshake behind it.
 */
function isLaterInitial(core: DatagramContext, datagrams: DatagramTraffic): boolean {
	const { flows, key, ids, io, packet, arrival } = datagrams;
	const session = flows.find(key);
	if (session === NONE || u8(core.table.protocol, session) !== PROTOCOL_QUIC) return false;
	parseLongPacket(io.memory, arrival.start, arrival.end, packet);
	if (packet.kind !== PACKET_INITIAL) return false;
	ids.learn(session, io.memory, packet.destinationAt, packet.destinationBytes);
	passMessage(core, datagrams, session, arrival.start, arrival.end - arrival.start, arrival.ecn);
	return true;
}

/** What has been lost with halves since this was counted last. */
export function countHalves(core: DatagramContext, halves: HalfHellos): void {
	const lost = halves.takeLost();
	if (lost > 0) drop(core, "half_hello", lost);
}

/** RFC 9000, section 17.3.1: no long form, and the fixed bit. */
const SHORT_MASK = 0xc0;
const SHORT_FORM = 0x40;

/** Begins a session with what was held of its hello, and the datagram at hand: `count` datagrams. */
function open(
	core: DatagramContext,
	datagrams: DatagramTraffic,
	listener: ReactorListener,
	protocol: number,
	half: number,
	count: number,
): void {
	const { arrival, io } = datagrams;
	const session = beginFlow(core, datagrams, listener, protocol);
	if (session === NONE) {
		drop(core, "limit", count);
		return;
	}
	const generation = i32(core.table.generation, session);
	// Nothing was asked, so the protocol stays unknown; `other` is what an unconditional route takes.
	core.go(session, to(ROUTE, protocol === PROTOCOL_UNKNOWN ? PROTOCOL_OTHER : protocol));
	if (!lives(core, session, generation)) {
		drop(core, causeOf(datagrams.endReason), count);
		return;
	}
	const header = withProxyHeader(core, datagrams, session);
	const isHeld = half !== NONE && passHeld(core, datagrams, session, half, header);
	if (!lives(core, session, generation)) {
		drop(core, "unreachable");
		return;
	}
	const length = arrival.end - arrival.start;
	if (isHeld || header === 0) {
		passMessage(core, datagrams, session, arrival.start, length, arrival.ecn);
		return;
	}
	// No datagram is so long; what the kernel would say of it is said here.
	if (header + length > DATAGRAM_PLACE_BYTES) {
		drop(core, "too_long");
		return;
	}
	io.memory.copyWithin(WRITE_AT + header, arrival.start, arrival.end);
	passMessage(core, datagrams, session, WRITE_AT, header + length, arrival.ecn);
}

/** Why nothing of what was to begin a session was passed on. */
function causeOf(reason: number): DatagramDrop {
	switch (reason) {
		case UPSTREAM_DOWN:
		case CONNECT_REFUSED:
			return "upstream_down";
		case LIMIT_CONNECTIONS:
		case LIMIT_RATE:
		case FD_PRESSURE:
		case MEMORY_PRESSURE:
			return "limit";
		default:
			return "no_route";
	}
}

function lives({ table }: DatagramContext, session: Session, generation: number): boolean {
	const state = u8(table.state, session);
	// It may wait for a line, which its datagrams are held for.
	return i32(table.generation, session) === generation && (state === DATAGRAM || state === DIAL);
}

/** Passes on what came of its hello before, the first behind a header of so many bytes. False: nothing did. */
function passHeld(
	core: DatagramContext,
	datagrams: DatagramTraffic,
	session: Session,
	half: number,
	headerBytes: number,
): boolean {
	const { halves } = datagrams.recognizer;
	const { memory } = datagrams.io;
	const generation = i32(core.table.generation, session);
	let header = headerBytes;
	let at = halves.firstHeld(half);
	if (at === NONE) return false;
	for (; at !== NONE; at = halves.nextHeld(half, at)) {
		if (!lives(core, session, generation)) {
			drop(core, "unreachable");
			continue;
		}
		const length = halves.heldLength(at);
		memory.set(halves.held.subarray(at, at + length), WRITE_AT + header);
		passMessage(core, datagrams, session, WRITE_AT, header + length, halves.heldEcn(at));
		header = 0;
	}
	return true;
}

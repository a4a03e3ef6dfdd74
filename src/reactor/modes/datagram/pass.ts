/** Datagrams of a client go to its session's upstream. */
import { EAGAIN, ECONNREFUSED, EINTR, EMSGSIZE, ENOBUFS } from "../../../kernel/constants.js";
import { DATAGRAM_PLACE_BYTES } from "../../../kernel/datagrams.js";
import { f64, i32, u8, u16, u32 } from "../../../parts/at.js";
import { datagramsIn } from "../../datagrams/added-messages.js";
import type { DatagramTraffic } from "../../datagrams/traffic.js";
import { FROM_CLIENT } from "../../records/counters.js";
import { BY_FRAMES, PACED } from "../../table/marks.js";
import { STAY } from "../../table/next.js";
import type { Session } from "../../table/numbers.js";
import { DATAGRAM } from "../../table/states.js";
import { stamp } from "../../table/times.js";
import { mayPass, noteMoved } from "../../wire/pace.js";
import { addForUpstream } from "./add.js";
import type { DatagramContext } from "./context.js";
import { MESSAGE_COST_BYTES } from "./costs.js";
import { refused } from "./dial.js";
import { drop, sendDrop } from "./drop.js";
import { flushAdded } from "./flush.js";
import { passByLine, passOneByLine } from "./to-line.js";

/** Passes `count` messages on, from `place` on, as they came. */
export function passOn(
	core: DatagramContext,
	datagrams: DatagramTraffic,
	session: Session,
	place: number,
	count: number,
): void {
	const { io } = datagrams;
	if (isByFrames(core, session)) {
		passByLine(core, datagrams, session, place, count);
		return;
	}
	const at = place * DATAGRAM_PLACE_BYTES;
	const length = io.lengthOf(place);
	if (count === 1 && io.segmentOf(place) >= length) {
		passMessage(core, datagrams, session, at, length, io.ecnOf(place));
		return;
	}
	datagrams.added.turnElsewhere(u8(datagrams.flows.apart, session) === 1);
	for (let each = place; each < place + count; each++) {
		const bytes = io.lengthOf(each);
		add(
			core,
			datagrams,
			session,
			each * DATAGRAM_PLACE_BYTES,
			bytes,
			Math.min(bytes, io.segmentOf(each)),
			io.ecnOf(each),
		);
	}
	send(core, datagrams, session);
}

/** Passes one datagram on. */
export function passMessage(
	core: DatagramContext,
	datagrams: DatagramTraffic,
	session: Session,
	at: number,
	length: number,
	ecn: number,
): void {
	if (isByFrames(core, session)) {
		passOneByLine(core, datagrams, session, at, length);
		return;
	}
	if (ecn !== 0) {
		add(core, datagrams, session, at, length, length, ecn);
		send(core, datagrams, session);
		return;
	}
	if (!isAllowed(core, session, length, 1)) return;
	const sent = sendOne(core, datagrams, session, at, length);
	if (sent >= 0) {
		note(core, datagrams, session, 1, length);
		core.counters.passed(u16(core.table.listener, session), FROM_CLIENT, 1, length);
	} else drop(core, sendDrop(-sent));
}

function isByFrames({ table }: DatagramContext, session: Session): boolean {
	return (i32(table.flags, session) & BY_FRAMES) !== 0;
}

function sendOne(
	core: DatagramContext,
	{ io }: DatagramTraffic,
	session: Session,
	at: number,
	length: number,
): number {
	const { table } = core;
	const generation = i32(table.generation, session);
	// An earlier datagram's error is told once, in place of this one.
	for (let tries = 0; ; tries++) {
		const sent = io.send(i32(table.fd, table.linkOf(session)), at, length);
		if (sent >= 0 || sent === -EAGAIN || sent === -ENOBUFS || tries === 2) return sent;
		if (sent === -ECONNREFUSED && !goesOn(core, session, generation)) return sent;
		if (sent !== -ECONNREFUSED && sent !== -EMSGSIZE && sent !== -EINTR) return sent;
	}
}

/** Nobody listened at its upstream's address. False: the session is over. */
function goesOn(core: DatagramContext, session: Session, generation: number): boolean {
	const { table } = core;
	const next = refused(core, session);
	if (next !== STAY) core.go(session, next);
	return i32(table.generation, session) === generation && u8(table.state, session) === DATAGRAM;
}

/** Sends what has been added for a session's upstream. */
function send(core: DatagramContext, datagrams: DatagramTraffic, session: Session): void {
	const { table } = core;
	const failure = flushAdded(core, datagrams, i32(table.fd, table.linkOf(session)), FROM_CLIENT);
	if (failure === ECONNREFUSED) goesOn(core, session, i32(table.generation, session));
}

function add(
	core: DatagramContext,
	datagrams: DatagramTraffic,
	session: Session,
	at: number,
	length: number,
	segment: number,
	ecn: number,
): void {
	const count = datagramsIn(length, segment);
	if (!isAllowed(core, session, length, count)) return;
	addForUpstream(core, datagrams, session, at, length, segment, ecn);
	note(core, datagrams, session, count, length);
}

/** False: it is beyond its session's rate, and dropped. */
function isAllowed(core: DatagramContext, session: Session, length: number, datagrams: number): boolean {
	if ((i32(core.table.flags, session) & PACED) === 0) return true;
	if (!mayPass(core, session)) {
		drop(core, "rate", datagrams);
		return false;
	}
	noteMoved(core, session, length);
	return true;
}

function note(
	core: DatagramContext,
	{ flows }: DatagramTraffic,
	session: Session,
	count: number,
	bytes: number,
): void {
	const { table, nowMs } = core;
	flows.questions[session] = u32(flows.questions, session) + count;
	core.budget.turnBytes -= bytes + MESSAGE_COST_BYTES;
	const link = table.linkOf(session);
	table.sent[link] = f64(table.sent, link) + bytes;
	table.active[session] = stamp(nowMs);
}

/** Frames that have come by a line are datagrams again: at a gateway they go to the client, at an agent to the local service. */
import { ECONNREFUSED } from "../../../kernel/constants.js";
import { DATAGRAMS_ADDED_MAX } from "../../../kernel/datagrams.js";
import { assert } from "../../../parts/assert.js";
import { f64, i32, u8 } from "../../../parts/at.js";
import { PROTOCOL_QUIC } from "../../../protocol/protocols.js";
import { PROXY_HEADER_LIMIT_BYTES } from "../../../protocol/proxy-protocol.js";
import { datagramOfFrame, FRAME_TOO_LONG, LENGTH_BYTES } from "../../../protocol/tunnel/index.js";
import { type DatagramTraffic, WRITE_AT } from "../../datagrams/traffic.js";
import { FROM_CLIENT, TO_CLIENT } from "../../records/counters.js";
import { HEADER_DUE, PACED } from "../../table/marks.js";
import { NONE, type Session, type Slot } from "../../table/numbers.js";
import { stamp } from "../../table/times.js";
import { mayPass, noteMoved } from "../../wire/pace.js";
import { addForClient, addForUpstream } from "./add.js";
import { flushReplies } from "./answer.js";
import type { DatagramContext } from "./context.js";
import { drop } from "./drop.js";
import { flushAdded } from "./flush.js";
import { learnFromUpstream } from "./learn.js";

/** Where frames lie: in front of the first there is room for a PROXY header. */
const FRAMES_AT = WRITE_AT + PROXY_HEADER_LIMIT_BYTES;

/** Of `deliver`: what stands there is no frame. */
export const MISUNDERSTOOD = -1;
/** Beside the bytes: nobody listens at the local service's address. */
export const REFUSED = 1 << 20;

/** Sends what is whole of the frames in the arena at `at`. Returns how many bytes that were, perhaps with REFUSED; or MISUNDERSTOOD. */
export function deliver(
	core: DatagramContext,
	datagrams: DatagramTraffic,
	line: Slot,
	at: number,
	count: number,
): number {
	const { io, added } = datagrams;
	const session = core.table.sessionOf(line);
	assert(session !== NONE, "frames are a session's");
	io.memory.set(core.kernel.memory.subarray(at, at + count), FRAMES_AT);
	// What waits to be sent goes by another socket, perhaps.
	if (io.added > 0) flushReplies(core, datagrams);
	added.turnElsewhere(u8(datagrams.flows.apart, session) === 1);
	const end = FRAMES_AT + count;
	let refusals = 0;
	let frame = FRAMES_AT;
	let length = datagramOfFrame(io.memory, frame, end);
	for (; length >= 0; length = datagramOfFrame(io.memory, frame, end)) {
		if (io.added === DATAGRAMS_ADDED_MAX) refusals |= flush(core, datagrams, line, session);
		pass(core, datagrams, line, session, frame + LENGTH_BYTES, length);
		frame += LENGTH_BYTES + length;
	}
	refusals |= flush(core, datagrams, line, session);
	return length === FRAME_TOO_LONG ? MISUNDERSTOOD : (frame - FRAMES_AT) | refusals;
}

function flush(core: DatagramContext, datagrams: DatagramTraffic, line: Slot, session: Session): number {
	const { table } = core;
	const isGateway = line !== session;
	const fd = isGateway ? core.listenerOf(session).plan.fd : i32(table.fd, table.linkOf(session));
	const failure = flushAdded(core, datagrams, fd, isGateway ? TO_CLIENT : FROM_CLIENT);
	return failure === ECONNREFUSED && !isGateway ? REFUSED : 0;
}

function pass(
	core: DatagramContext,
	datagrams: DatagramTraffic,
	line: Slot,
	session: Session,
	at: number,
	length: number,
): void {
	const { table } = core;
	if ((i32(table.flags, session) & PACED) !== 0) {
		if (!mayPass(core, session)) {
			drop(core, "rate");
			return;
		}
		noteMoved(core, session, length);
	}
	table.active[session] = stamp(core.nowMs);
	if (line === session) toService(core, datagrams, session, at, length);
	else toClient(core, datagrams, session, at, length);
}

function toClient(
	core: DatagramContext,
	datagrams: DatagramTraffic,
	session: Session,
	at: number,
	length: number,
): void {
	const { table } = core;
	if (u8(table.protocol, session) === PROTOCOL_QUIC)
		learnFromUpstream(datagrams, session, at, length, length);
	table.sent[session] = f64(table.sent, session) + length;
	addForClient(core, datagrams, session, at, length, length, 0);
}

function toService(
	core: DatagramContext,
	datagrams: DatagramTraffic,
	session: Session,
	at: number,
	length: number,
): void {
	const { table } = core;
	const header = withHeader(core, datagrams, session, at);
	const bytes = header + length;
	const link = table.linkOf(session);
	table.sent[link] = f64(table.sent, link) + length;
	addForUpstream(core, datagrams, session, at - header, bytes, bytes, 0);
}

/** Writes the header that the service wants in front of the first datagram. Returns its length; 0: it wants none. */
function withHeader(core: DatagramContext, { io }: DatagramTraffic, session: Session, at: number): number {
	const { table } = core;
	if ((i32(table.flags, session) & HEADER_DUE) === 0) return 0;
	table.flags[session] = i32(table.flags, session) & ~HEADER_DUE;
	const header = core.proxyHeaders.get(session);
	if (header === undefined) return 0;
	io.memory.set(header, at - header.length);
	return header.length;
}

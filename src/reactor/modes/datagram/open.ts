/** A session of datagrams begins: limits, a row, what its client is known by; and what its upstream is told of it first. */
import { LOCAL_BYTES } from "../../../kernel/datagrams.js";
import { copyAddress, portAt } from "../../../kernel/sockaddr.js";
import { i32, ref, setRef, u8, u16 } from "../../../parts/at.js";
import { PROTOCOL_QUIC } from "../../../protocol/protocols.js";
import { V2_DATAGRAM, writeProxyV2 } from "../../../protocol/proxy-protocol.js";
import { parseLongPacket } from "../../../protocol/quic/long-packet.js";
import { COMPLETE } from "../../../protocol/verdict.js";
import { openSession, takeFlowPlace } from "../../admission/accept.js";
import type { ReactorListener } from "../../admission/listener.js";
import { type DatagramTraffic, WRITE_AT } from "../../datagrams/traffic.js";
import { ADDRESS_AT } from "../../memory/arena.js";
import { scalarIndex } from "../../records/counters.js";
import { NOT_COUNTED, TOO_FAST, TOO_MANY } from "../../records/sources.js";
import { BY_FRAMES, UNPROVED } from "../../table/marks.js";
import { NONE, type Session } from "../../table/numbers.js";
import type { DatagramContext } from "./context.js";

/** The session of the sender that is at hand; NONE: it may have none. */
export function beginFlow(
	core: DatagramContext,
	datagrams: DatagramTraffic,
	listener: ReactorListener,
	protocol: number,
): Session {
	const { table, sources } = core;
	const { peer, start, end } = datagrams.arrival;
	if (core.bans.forbid(peer.family, peer.bytes, 0, core.nowMs)) return NONE;
	const place = sources.enter(peer.family, peer.bytes, 0, core.sourceLimits, core.nowMs);
	if (place === TOO_MANY || place === TOO_FAST) return NONE;
	if (!takeFlowPlace(core, listener)) {
		if (place !== NOT_COUNTED) sources.leave(place);
		return NONE;
	}
	const session = openSession(core, listener, NONE);
	if (place === NOT_COUNTED) core.counters.add(SOURCES_NOT_COUNTED, 1);
	else setRef(table.sourcePlace, session, place);
	table.family[session] = peer.family;
	table.sourcePort[session] = peer.port;
	for (let i = 0; i < 16; i++) table.source[session * 16 + i] = u8(peer.bytes, i);
	table.protocol[session] = protocol;
	if (protocol === PROTOCOL_QUIC) table.flags[session] = i32(table.flags, session) | UNPROVED;
	datagrams.flows.add(session, datagrams.key);
	const { recognition, packet, ids, io } = datagrams;
	if (listener.router.peeks && recognition.hasHello)
		table.names.keep(session, recognition.hello.name, recognition.hello.nameLength);
	if (protocol === PROTOCOL_QUIC && parseLongPacket(io.memory, start, end, packet) === COMPLETE)
		ids.learn(session, io.memory, packet.destinationAt, packet.destinationBytes);
	return session;
}

/** Writes the header that its upstream wants in front of the first datagram to WRITE_AT. Returns its length; 0: it wants none. */
export function withProxyHeader(core: DatagramContext, datagrams: DatagramTraffic, session: Session): number {
	const { table } = core;
	const version = core.upstreams.get(ref(table.upstream, session))?.plan.proxyProtocol ?? "off";
	// An agent is told in another way.
	if (version === "off" || (i32(table.flags, session) & BY_FRAMES) !== 0) return 0;
	return writeHeader(core, datagrams, session, datagrams.io.memory, WRITE_AT);
}

/** Writes who the client is, and where its datagrams come to. Returns the header's length. */
export function writeHeader(
	core: DatagramContext,
	{ flows }: DatagramTraffic,
	session: Session,
	out: Uint8Array,
	at: number,
): number {
	const { table, kernel } = core;
	const { fd, port, datagrams } = core.listenerOf(session).plan;
	let family = 0;
	let to = port;
	if (datagrams?.bindsAny === true) family = localOf(flows.localWords, (session * LOCAL_BYTES) / 4);
	else if (kernel.localAddress(fd, ADDRESS_AT) >= 0) {
		family = copyAddress(kernel.memory, ADDRESS_AT, DESTINATION, 0);
		to = portAt(kernel.memory, ADDRESS_AT);
	}
	const named = family === u8(table.family, session) ? (family as 4 | 6) : 0;
	const source = table.source.subarray(session * 16, session * 16 + 16);
	const sourcePort = u16(table.sourcePort, session);
	return writeProxyV2(
		...([out, at, named, source, sourcePort, DESTINATION, to] as const),
		...([NOTHING, 0, 0, V2_DATAGRAM] as const),
	);
}

/** Copies the address that a datagram was sent to. Returns its family. */
function localOf(locals: Int32Array, at: number): 4 | 6 {
	const words = new Int32Array(DESTINATION.buffer, 0, 4);
	const mapped = i32(locals, at) === 0 && i32(locals, at + 1) === 0 && i32(locals, at + 2) === MAPPED;
	if (mapped) words[0] = i32(locals, at + 3);
	else for (let i = 0; i < 4; i++) words[i] = i32(locals, at + i);
	return mapped ? 4 : 6;
}

/** `ffff` in front of an address of IPv4, as a word of the machine's order. */
const MAPPED = 0xffff0000 | 0;
const DESTINATION = new Uint8Array(16);
const NOTHING = new Uint8Array(0);

const SOURCES_NOT_COUNTED = scalarIndex("sourcesNotCounted");

/** Whose a datagram of QUIC is, by the connection ID that it shows. */
import { u8 } from "../../../parts/at.js";
import {
	CONNECTION_ID_MAX_BYTES,
	LONG_FORM,
	PACKET_0RTT,
	PACKET_INITIAL,
	PACKET_UNKNOWN_VERSION,
	parseLongPacket,
} from "../../../protocol/quic/long-packet.js";
import { isLearned } from "../../datagrams/connection-ids.js";
import { NOBODY } from "../../datagrams/shared-ids.js";
import type { DatagramTraffic } from "../../datagrams/traffic.js";
import { NONE, type Session } from "../../table/numbers.js";

/** The session that is known by an ID in the datagram; NONE: there is none. */
export function byConnectionId({ io, ids, packet }: DatagramTraffic, start: number, end: number): Session {
	const { memory } = io;
	if (start >= end) return NONE;
	if ((u8(memory, start) & LONG_FORM) === 0) return ids.findShort(memory, start + 1, end);
	parseLongPacket(memory, start, end, packet);
	return packet.destinationBytes === 0
		? NONE
		: ids.find(memory, packet.destinationAt, packet.destinationBytes);
}

/** The reactor that may have it; NOBODY: none has. */
export function reactorOf({ io, others, packet }: DatagramTraffic, start: number, end: number): number {
	const { memory } = io;
	if (start >= end) return NOBODY;
	if ((u8(memory, start) & LONG_FORM) === 0) return others.ids.findShort(memory, start + 1, end);
	parseLongPacket(memory, start, end, packet);
	const { destinationAt, destinationBytes } = packet;
	if (destinationBytes === 0 || destinationBytes > CONNECTION_ID_MAX_BYTES) return NOBODY;
	return others.ids.find(memory, destinationAt, destinationBytes);
}

/**
 * Which of the sessions of a client of QUIC the datagram belongs to, of which `session` is one. NONE: it begins another connection, or
 * that has moved here.
 */
export function knownConnection(
	datagrams: DatagramTraffic,
	session: Session,
	start: number,
	end: number,
): Session {
	const { io, ids, flows, key, packet } = datagrams;
	const { memory } = io;
	const known = byConnectionId(datagrams, start, end);
	if (known !== NONE) return flows.isAt(known, key) ? known : NONE;
	if (start >= end || (u8(memory, start) & LONG_FORM) === 0) return session;
	// Nobody is known by such an ID, and whoever begins with it would begin again with each packet.
	if (packet.kind === PACKET_UNKNOWN_VERSION && !isLearned(packet.destinationBytes)) return session;
	if (packet.kind === PACKET_INITIAL || packet.kind === PACKET_0RTT || packet.kind === PACKET_UNKNOWN_VERSION)
		return NONE;
	// Its client was told of this ID under encryption.
	ids.learn(session, memory, packet.destinationAt, packet.destinationBytes);
	return session;
}

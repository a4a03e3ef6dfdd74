/**
 * Connection IDs that say which server they are of (draft-ietf-quic-load-balancers, plaintext algorithm):
 *
 *     first byte: the configuration and a length, or what hides them │ server ID │ nonce
 *
 * They are looked at where nothing else says whose a packet is: behind a hello, whose ID its client has made up.
 */
import { at } from "../bytes.js";
import { COMPLETE } from "../verdict.js";
import {
	CONNECTION_ID_MAX_BYTES,
	LONG_FORM,
	type LongPacket,
	PACKET_HANDSHAKE,
	parseLongPacket,
} from "./long-packet.js";

const SERVER_ID_AT = 1;

/**
 * Whether the datagram bytes[start, end) begins with a packet whose ID a server has chosen: a short header, or a Handshake packet. Then its
 * destination stands in `packet`; of a short header, which does not say how long it is, as much as it may be.
 */
export function hasServersId(bytes: Uint8Array, start: number, end: number, packet: LongPacket): boolean {
	if (start >= end) return false;
	if ((at(bytes, start) & LONG_FORM) !== 0)
		return parseLongPacket(bytes, start, end, packet) === COMPLETE && packet.kind === PACKET_HANDSHAKE;
	packet.destinationAt = start + 1;
	packet.destinationBytes = Math.min(CONNECTION_ID_MAX_BYTES, end - start - 1);
	return true;
}

/** Whether that ID names this server. */
export function namesServer(bytes: Uint8Array, packet: LongPacket, serverId: Uint8Array): boolean {
	const { destinationAt, destinationBytes } = packet;
	if (SERVER_ID_AT + serverId.length > destinationBytes) return false;
	for (let i = 0; i < serverId.length; i++)
		if (at(bytes, destinationAt + SERVER_ID_AT + i) !== serverId[i]) return false;
	return true;
}

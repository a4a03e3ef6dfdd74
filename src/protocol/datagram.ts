/**
 * What a datagram of somebody who is not known yet is, by its first bytes (RFC 9443 has what else may share a port):
 *
 *     1… ….  version 1 or 2              QUIC, whatever follows
 *     1… ….  any other version           QUIC, where it could open a connection: connection IDs that fit, and 1,200 bytes
 *     16 fe  …                           DTLS
 *     anything else                      other: packets of QUIC with a short header, too, which name nothing
 *
 * As with streams: once it is QUIC or DTLS, a fault in it is final, and makes it nothing else.
 */
import { beginsDtls } from "./dtls.js";
import { PROTOCOL_DTLS, PROTOCOL_OTHER, PROTOCOL_QUIC } from "./protocols.js";
import {
	type LongPacket,
	PACKET_NEGOTIATION,
	PACKET_UNKNOWN_VERSION,
	parseLongPacket,
} from "./quic/long-packet.js";
import { isKnownVersion } from "./quic/versions.js";
import { COMPLETE } from "./verdict.js";

/**
 * RFC 9000, section 14.1: a server drops Initials of smaller datagrams, so that nobody can make it say much with little; section
 * 6.1: and answers unknown versions in no smaller ones.
 */
export const QUIC_DATAGRAM_MIN_BYTES = 1200;

/** `packet` is filled with the first packet where it is QUIC; its `cause` says what is wrong with it. */
export function recognizeDatagram(bytes: Uint8Array, start: number, end: number, packet: LongPacket): number {
	if (beginsDtls(bytes, start, end)) return PROTOCOL_DTLS;
	const isWhole = parseLongPacket(bytes, start, end, packet) === COMPLETE;
	if (isKnownVersion(packet.version)) return PROTOCOL_QUIC;
	if (!isWhole) return PROTOCOL_OTHER;
	if (packet.kind === PACKET_NEGOTIATION) return PROTOCOL_QUIC;
	const couldOpen = packet.kind === PACKET_UNKNOWN_VERSION && end - start >= QUIC_DATAGRAM_MIN_BYTES;
	return couldOpen ? PROTOCOL_QUIC : PROTOCOL_OTHER;
}

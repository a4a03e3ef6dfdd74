/** Segments of TCP over IPv4, as a relay of packets sees them (RFC 791, RFC 9293). */

const PROTOCOL_TCP = 6;
const TCP_BYTES = 20;
const IP_BYTES = 20;
const HOPS = 64;

const FIN = 0x01;
const SYN = 0x02;
const RST = 0x04;
const ACK = 0x10;

export interface Segment {
	readonly source: number;
	readonly destination: number;
	readonly sourcePort: number;
	readonly destinationPort: number;
	readonly sequence: number;
	readonly acknowledged: number;
	/** Bytes of data. */
	readonly length: number;
	/** It asks for a connection. */
	readonly opens: boolean;
	readonly ends: boolean;
	readonly resets: boolean;
	readonly hasAcknowledgement: boolean;
}

/** `undefined`: it is something else. */
export function readSegment(packet: Buffer): Segment | undefined {
	if (packet.length < IP_BYTES + TCP_BYTES) return undefined;
	const version = packet.readUInt8(0) >> 4;
	const at = (packet.readUInt8(0) & 0x0f) * 4;
	if (version !== 4 || packet.readUInt8(9) !== PROTOCOL_TCP || packet.length < at + TCP_BYTES)
		return undefined;
	const flags = packet.readUInt8(at + 13);
	const headerBytes = (packet.readUInt8(at + 12) >> 4) * 4;
	return {
		...{ source: packet.readUInt32BE(12), destination: packet.readUInt32BE(16) },
		...{ sourcePort: packet.readUInt16BE(at), destinationPort: packet.readUInt16BE(at + 2) },
		...{ sequence: packet.readUInt32BE(at + 4), acknowledged: packet.readUInt32BE(at + 8) },
		length: packet.readUInt16BE(2) - at - headerBytes,
		...{ opens: (flags & (SYN | ACK)) === SYN, ends: (flags & FIN) !== 0, resets: (flags & RST) !== 0 },
		hasAcknowledgement: (flags & ACK) !== 0,
	};
}

/** What a router sends back to whoever sent this on a flow that it does not know (RFC 9293, 3.5.2). */
export function resetFor(segment: Segment): Buffer {
	const packet = Buffer.alloc(IP_BYTES + TCP_BYTES);
	packet.writeUInt8(0x45, 0);
	packet.writeUInt16BE(packet.length, 2);
	packet.writeUInt8(HOPS, 8);
	packet.writeUInt8(PROTOCOL_TCP, 9);
	packet.writeUInt32BE(segment.destination, 12);
	packet.writeUInt32BE(segment.source, 16);
	packet.writeUInt16BE(checksum(packet.subarray(0, IP_BYTES)), 10);
	const tcp = packet.subarray(IP_BYTES);
	tcp.writeUInt16BE(segment.destinationPort, 0);
	tcp.writeUInt16BE(segment.sourcePort, 2);
	if (segment.hasAcknowledgement) tcp.writeUInt32BE(segment.acknowledged, 4);
	else tcp.writeUInt32BE((segment.sequence + segment.length + (segment.opens ? 1 : 0)) >>> 0, 8);
	tcp.writeUInt8((TCP_BYTES / 4) << 4, 12);
	tcp.writeUInt8(segment.hasAcknowledgement ? RST : RST | ACK, 13);
	// Over addresses, protocol and length as well.
	const pseudo = Buffer.alloc(12);
	packet.copy(pseudo, 0, 12, 20);
	pseudo.writeUInt8(PROTOCOL_TCP, 9);
	pseudo.writeUInt16BE(TCP_BYTES, 10);
	tcp.writeUInt16BE(checksum(Buffer.concat([pseudo, tcp])), 16);
	return packet;
}

/** Of the Internet (RFC 1071), over an even number of bytes. */
function checksum(bytes: Buffer): number {
	let sum = 0;
	for (let at = 0; at < bytes.length; at += 2) sum += bytes.readUInt16BE(at);
	while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
	return ~sum & 0xffff;
}

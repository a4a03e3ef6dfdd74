/** SYNs with made-up sources, as data: the drill writes it, the flood's process (syn-flooder.ts) carries it out. */
export interface SynFlood {
	/** Where to: IPv4. */
	readonly address: string;
	readonly port: number;
	readonly synsPerSecond: number;
}

/** No flood is larger or longer: what it shows is there after a second. */
export const SYNS_PER_SECOND_MAX = 20_000;
export const FLOOD_SECONDS_MAX = 60;

/** 198.18.0.0/15 is set aside for measuring (RFC 2544): nobody has these addresses. */
export const MADE_UP_NET = "198.18.0.0/15";

const IP_BYTES = 20;
const TCP_BYTES = 24;
const IPPROTO_TCP = 6;
const SYN = 0x02;

/** A SYN of RFC 9293 with one option, the maximum segment size, as most begin; sums are right, because the kernel looks at them. */
export function synPacket(
	from: Uint8Array,
	fromPort: number,
	to: Uint8Array,
	toPort: number,
	sequence: number,
): Uint8Array {
	const packet = Buffer.alloc(IP_BYTES + TCP_BYTES);
	packet[0] = 0x45; // version 4, five words
	packet.writeUInt16BE(packet.length, 2);
	packet[8] = 64; // hops
	packet[9] = IPPROTO_TCP;
	packet.set(from, 12);
	packet.set(to, 16);
	packet.writeUInt16BE(fromPort, 20);
	packet.writeUInt16BE(toPort, 22);
	packet.writeUInt32BE(sequence, 24);
	packet[32] = (TCP_BYTES / 4) << 4;
	packet[33] = SYN;
	packet.writeUInt16BE(65_535, 34); // window
	packet.set([2, 4, 1_460 >> 8, 1_460 & 0xff], 40); // MSS
	packet.writeUInt16BE(checksum(packet.subarray(0, IP_BYTES), 0), 10);
	const pseudo = IPPROTO_TCP + TCP_BYTES;
	packet.writeUInt16BE(checksum(packet.subarray(12), pseudo), 36);
	return packet;
}

/** RFC 1071, over pairs of bytes. The addresses before the segment, of which `subarray(12)` begins, belong to its sum. */
function checksum(bytes: Buffer, start: number): number {
	let sum = start;
	for (let at = 0; at < bytes.length; at += 2) sum += bytes.readUInt16BE(at);
	while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
	return ~sum & 0xffff;
}

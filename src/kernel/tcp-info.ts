/** What the kernel knows of a TCP connection: `struct tcp_info` of include/uapi/linux/tcp.h, up to the members that are read here. */
import { IPPROTO_TCP, TCP_INFO } from "./constants.js";
import * as libc from "./libc.js";

export interface TcpInfo {
	/** Smoothed. */
	readonly roundTripMicroseconds: number;
	readonly variationMicroseconds: number;
	/** Since the connection was made. */
	readonly retransmits: number;
	/** Segments under way. */
	readonly unacknowledged: number;
	/** Segments. */
	readonly congestionWindow: number;
	/** Since data was last sent, and received; since the connection was made where none was. */
	readonly sentAgoMs: number;
	readonly receivedAgoMs: number;
}

/** `tcpi_last_data_sent`, a word of the structure, and how many words there are up to it. */
export const LAST_DATA_SENT = 11;
export const WORDS_TO_LAST_DATA_SENT = LAST_DATA_SENT + 1;

/** Eight bytes come first, then words of four: `tcpi_total_retrans` is the last of the 2.6 kernels, at byte 100. */
const WORDS = 26;
const UNACKED = 6;
const LAST_DATA_RECV = 13;
const RTT = 17;
const RTTVAR = 18;
const SND_CWND = 20;
const TOTAL_RETRANS = 25;

/** `undefined`: the descriptor is no TCP socket, or none any more. */
export function tcpInfo(fd: number): TcpInfo | undefined {
	if (fd < 0) return undefined;
	const words = new Uint32Array(WORDS);
	const length = new Int32Array([4 * WORDS]);
	if (libc.getsockopt(fd, IPPROTO_TCP, TCP_INFO, libc.addressOf(words), libc.addressOf(length)) < 0)
		return undefined;
	const word = (index: number): number => words[index] ?? 0;
	return {
		roundTripMicroseconds: word(RTT),
		variationMicroseconds: word(RTTVAR),
		retransmits: word(TOTAL_RETRANS),
		unacknowledged: word(UNACKED),
		congestionWindow: word(SND_CWND),
		sentAgoMs: word(LAST_DATA_SENT),
		receivedAgoMs: word(LAST_DATA_RECV),
	};
}

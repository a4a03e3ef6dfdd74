/** Where datagrams come from, as the kernel wrote it: an address and a port. One object serves all of them. */
export interface Peer {
	/** 4 or 6; an IPv4 address that is mapped into IPv6 is the IPv4 address, as kernel/sockaddr.ts reads it. */
	readonly family: number;
	/** Four or sixteen bytes of address at `offset`. */
	readonly bytes: Uint8Array;
	readonly offset: number;
	readonly port: number;
}

export function addressBytes(family: number): number {
	return family === 4 ? 4 : 16;
}

/** Who is counted as one: an IPv4 address, or the /64 of an IPv6 one, which is what one customer gets (RFC 6177). */
export function sourceBytes(family: number): number {
	return family === 4 ? 4 : 8;
}

/** A datagram that has come: [start, end) of the memory where datagrams are received. One object serves all of them. */
export interface Arrival {
	readonly peer: Peer;
	readonly start: number;
	readonly end: number;
	/** Its bits of congestion notification. */
	readonly ecn: number;
	/** By the reactor's clock. */
	readonly nowMs: number;
}

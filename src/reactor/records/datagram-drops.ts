/** Why a datagram was not passed on. None of these ends a session. */
export const DATAGRAM_DROPS = [
	/** Recognition found a fault in it: no server would have taken it. */
	"malformed",
	/** It speaks QUIC of no session that is known: a late packet, a stateless reset, or a client that has moved unseen. */
	"unknown_connection",
	/** No route takes it, or one rejects it. */
	"no_route",
	/** Its client may have no session, or no more of them: a limit, a ban, no place or no descriptor. */
	"limit",
	/** Its session has used up its bytes per second. */
	"rate",
	/** Its upstream has no address that can be used. */
	"upstream_down",
	/** The listener ends, or rests, and opens no sessions. */
	"not_accepting",
	/** The line of its tunnel has not taken what came before it, or there is no line yet. Nothing waits behind that. */
	"slow_line",
	/** Longer than the path takes, which QUIC finds out by this; or than what is received at once, so that its end is missing. */
	"too_long",
	/** The kernel had no room for it when it was sent. */
	"send_buffer",
	/** The network refused it: no way there, or a firewall. */
	"refused",
	/** Nobody listened where it was sent. */
	"unreachable",
	/**
	 * A part of a hello that was given up, because it waited too long, another one needed its place or the rest was malformed; or one
	 * that says nothing new.
	 */
	"half_hello",
] as const;

export type DatagramDrop = (typeof DATAGRAM_DROPS)[number];

const INDEX = new Map<DatagramDrop, number>(DATAGRAM_DROPS.map((drop, index) => [drop, index]));

/** Its place in the counters. */
export function dropIndex(drop: DatagramDrop): number {
	return INDEX.get(drop) ?? 0;
}

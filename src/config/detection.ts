/** How long a peer that vanished without a word can go unnoticed: what the keepalive settings come to. */
import type { Keepalive } from "./config.js";

export interface Detection {
	/** From the last byte heard, while nothing is under way to the peer. */
	readonly silentMs: number;
	/** From the first byte that stays unacknowledged. */
	readonly unacknowledgedMs: number;
}

/**
 * Linux' tcp_keepalive_timer(): the first probe goes after `idle`, and with TCP_USER_TIMEOUT set the peer is
 * given up at the first following probe at which that long has passed; the number of probes then says nothing.
 */
export function deadPeerDetection(keepalive: Keepalive): Detection {
	const idleMs = keepalive.idleSeconds * 1_000;
	const intervalMs = keepalive.intervalSeconds * 1_000;
	const probes = Math.max(1, Math.ceil((keepalive.userTimeoutMs - idleMs) / intervalMs));
	return { silentMs: idleMs + probes * intervalMs, unacknowledgedMs: keepalive.userTimeoutMs };
}

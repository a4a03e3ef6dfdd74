/** How long a peer that vanished without a word can go unnoticed: what the settings come to. */
import type { Config } from "./config.js";

export interface Detection {
	/** From the last byte heard, while nothing is under way to the peer. */
	readonly silentMs: number;
	/** From the first byte that stays unacknowledged. */
	readonly unacknowledgedMs: number;
}

/** What Linux takes for fifteen retransmissions (net.ipv4.tcp_retries2) of a connection with the shortest time-out. */
const RETRANSMISSIONS_MS = 924_600;

/**
 * Linux' tcp_keepalive_timer(): the first probe goes after `idle`, and after `probes` unanswered ones the peer is
 * given up. With TCP_USER_TIMEOUT it is given up at the first following probe at which that has passed, whatever
 * their number. In any case `timeouts.idle` ends a session in which no byte moves.
 */
export function deadPeerDetection({
	keepalive,
	timeouts,
}: Pick<Config, "keepalive" | "timeouts">): Detection {
	const idleMs = keepalive.idleSeconds * 1_000;
	const intervalMs = keepalive.intervalSeconds * 1_000;
	const { userTimeoutMs } = keepalive;
	const probes =
		userTimeoutMs === 0 ? keepalive.probes : Math.max(1, Math.ceil((userTimeoutMs - idleMs) / intervalMs));
	return {
		silentMs: Math.min(idleMs + probes * intervalMs, timeouts.idleMs),
		unacknowledgedMs: Math.min(userTimeoutMs === 0 ? RETRANSMISSIONS_MS : userTimeoutMs, timeouts.idleMs),
	};
}

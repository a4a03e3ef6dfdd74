/** An upstream as a reactor sees it: names resolved, places on the board given. Plain data, sent by message. */
import type { Balance, ProxyTlv } from "../config/config.js";
import type { ClientOptions } from "../kernel/openssl/options.js";

export interface AddressPlan {
	/** Place on the board. */
	readonly board: number;
	readonly sockaddr: Uint8Array;
	/** Seed of the address in source hashing: from its text, so that it survives reordering. */
	readonly hash: number;
	/** It gets sessions only while no other address can. */
	readonly backup?: boolean;
	/** Sessions that it has at most, of all reactors. Absent: no limit. */
	readonly connectionsMax?: number;
	/** It is an agent's, by the number of its tunnel: it is not dialled, and lines that the agent has opened are taken. Absent: it is dialled. */
	readonly tunnel?: number;
	/** What connection IDs of QUIC say of it, where they say which server they are for. */
	readonly serverId?: Uint8Array;
	/** Absent: bytes go there as they are. Otherwise through TLS; equal identities mean equal options. */
	readonly tls?: { readonly client: ClientOptions; readonly identity: string };
}

/** How long a connection to an upstream is kept for further requests. */
export interface PoolPlan {
	/** `false`: none is; each request gets one of its own, and the other values say nothing. */
	readonly keeps: boolean;
	readonly idleMs: number;
	readonly ageMs: number;
	readonly requests: number;
	/** Idle connections per address and reactor. */
	readonly idleMax: number;
}

/** How the kernel asks whether the other side of a line is there, and how long it waits for it to acknowledge anything. */
export interface LineOptions {
	readonly keepaliveIdleSeconds: number;
	readonly keepaliveIntervalSeconds: number;
	readonly keepaliveProbes: number;
	readonly userTimeoutMs: number;
}

/** The same of lines that agents have opened. */
export interface LinesPlan extends PoolPlan, LineOptions {
	/** How long one that is old, or has served enough, stays where it is until another is there in its place. */
	readonly replaceMs: number;
	/** So many that are parked are left for requests that give them back: a WebSocket takes one only where there are more. */
	readonly reserved: number;
}

export interface UpstreamPlan {
	/** Stable over reloads, for as long as an upstream of that name exists. */
	readonly slot: number;
	readonly balance: Balance;
	readonly proxyProtocol: "off" | "v1" | "v2";
	/** What a header of version 2 says besides. Absent: nothing. */
	readonly proxyTlvs?: readonly ProxyTlv[];
	/** `null`: bytes are relayed. Otherwise requests are sent, over connections that the pool lends. */
	readonly pool: PoolPlan | null;
	/** It takes datagrams: a session ends behind so many answers; 0: they do not end it. Absent: it takes connections. */
	readonly responses?: number;
	/** Its servers say in their connection IDs of QUIC which one they are. Absent: they do not. */
	readonly namesServers?: boolean;
	/** How long lines of its agents are kept that nobody has taken; absent: it has none. */
	readonly lines?: LinesPlan;
	/** Sent as Host instead of the client's; `null`: the client's is kept. */
	readonly host: Uint8Array | null;
	/** Its first address as a Host: for requests that name none. */
	readonly authority: Uint8Array;
	/** Trailers of requests go there; otherwise they are dropped. */
	readonly trailers: boolean;
	readonly ejectFailures: number;
	readonly ejectForMs: number;
	/** It is the hub, in this process, and has no addresses. Absent: it is dialled. */
	readonly hub?: true;
	/** Empty while a name has never been resolved. */
	readonly addresses: readonly AddressPlan[];
}

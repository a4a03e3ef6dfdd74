/** What holds when the file does not say. Each number with its reason. */

import type { Balance, HealthConfig, LogConfig, StatusRange } from "./config.js";

export const limits = {
	/** Null: what the descriptor limit allows, decided at start; a fixed number would be wrong on most machines. */
	connections: null,
	/** Who waits in the accept queue is served when somebody leaves; who is reset must know to come back. */
	whenFull: "wait",
	/** Null, no limit: behind NATs and load balancers many clients share an address. */
	connectionsPerIp: null,
	acceptsPerSecond: null,
	acceptsPerSecondPerIp: null,
	requestsPerSecond: null,
	requestsPerSecondPerIp: null,
	/** Null, no limit: bodies are not kept here, and servers know best how much they take. */
	requestBodyBytes: null,
	/** Bytes wait only while a reader is slow. 1,024 sessions may each have 64 KiB waiting at once. */
	bufferedBytes: 64 * 1_048_576,
	/** Each for up to `handshake`: a flood of 8,000 a second displaces one after an eighth of a second, and browsers need 25 ms. */
	halfHellos: 1_024,
	/** A scrape, a log rotation, health checks and DNS of a few dozen upstreams, at the same moment. */
	fdReserve: 64,
	/** Null: a quarter of what the machine or the container has, decided at start. */
	memoryBytes: null,
	/** Leaks and imbalances that hide behind a connection end with it; a handshake per thousand requests is nothing. */
	requestsPerConnection: 1_000,
	/** A phone on a bad link sends more; who sends less holds a connection for its own sake. */
	bodyBytesPerSecond: 1_024,
} as const;

export const sockets = {
	/**
	 * Half a millisecond at 1 Gbit/s, in which a reactor has many turns; bulk over loopback costs no more than
	 * without. 2,000 readers that stop hold 640 MB in all buffers around them, and 850 with twice as much.
	 */
	unsentBytes: 64 * 1_024,
	/** Null: the kernel knows each path's round-trip time, a file does not. */
	sendBytes: null,
	receiveBytes: null,
} as const;

/** A look is a `stat` per file; who renews a certificate does not wait for seconds. */
export const tls = { reloadMs: 10_000, clientSubjectHeader: null } as const;

/** Permanent, and the method stays (RFC 9110, 15.4.9). */
export const redirectStatus = 308;
/** Of answers that a route gives. */
export const answerContentType = "text/plain; charset=utf-8";

/** What upstreams and clients of requests speak here. */
export const HTTP_ALPN = ["http/1.1"] as const;

/** Of tunnels: what each number is for is said at its key (`schema-tunnels.ts`). */
export const tunnels = {
	/** A page asks for some six things at once. */
	lines: 8,
	linesMax: 64,
	/** Pages that open WebSockets load as well. With a `lines_max` of 1 it is none. */
	linesReserved: 1,
	/** Age and use as in the field's old tunnels, and as in pools. */
	ageMs: 900_000,
	requests: 100,
	/** NATs of phone networks forget a mapping after 30 s and more. */
	heartbeatMs: 15_000,
	/** Three heartbeats: two may be lost. */
	deadAfterMs: 45_000,
	/** As often as heartbeats: it is one, by the way that visitors take. */
	canaryMs: 15_000,
	superseded: "finish",
	/**
	 * Where the file says nothing. What is behind a tunnel is one's own: a report or a model that takes minutes to answer, a shell or a
	 * WebSocket that says nothing over lunch.
	 */
	timeouts: { idleMs: 3_600_000, responseHeadMs: 900_000 },
} as const;

/** Of the hub: what each number is for is said at its key (`schema-hub.ts`). */
export const hub = {
	/** Some 35,000 messages of 200 bytes, encoded for each protocol: at 1,000 a second, those of half a minute. */
	memoryBytes: 32 * 1_048_576,
	/** NATs of phone networks forget a mapping after 30 s and more. */
	heartbeatMs: 30_000,
	/** Three heartbeats: two may be lost. */
	deadAfterMs: 90_000,
	/** 10,000 that come back at once are 2,000 handshakes a second. */
	retryMs: 5_000,
	limits: {
		channels: 10_000,
		subscribersPerChannel: 100_000,
		/** A page shows a few dozen things at once. */
		subscriptions: 64,
		/** As much as an outbox has by default: one message is never more than fits there. */
		messageBytes: 64 * 1_024,
		presence: 1_000,
	},
	policy: "drop-oldest",
	/** A second's worth of a channel that is busy, for one who is between two cells. */
	outbox: { messages: 64, bytes: 64 * 1_024 },
	/** No replay: what is kept costs memory that all channels share. */
	replay: { messages: 0, ageMs: 3_600_000 },
	publish: "nobody",
	presence: "off",
} as const;

/** Often enough to find a leak before it matters; a look at 20,000 descriptors takes some 60 ms of one core. */
export const ledger = { intervalMs: 10_000 } as const;

export const timeouts = {
	/** A hello over a bad mobile link takes 1–2 s including one retransmission; an attacker gets no more. */
	handshakeMs: 5_000,
	/** A lost SYN is sent again after 1 s and 3 s: two losses still connect. */
	connectMs: 5_000,
	/** Longer than the ping interval of common WebSocket libraries and SSH (30 s to 5 min). */
	idleMs: 600_000,
	/** A healthy reader drains in milliseconds; a phone between two cells comes back within seconds. */
	stallMs: 30_000,
	/** After one side has said all, an answer in preparation: the usual request timeout of servers. */
	halfClosedMs: 30_000,
	/** 0 is off: connections that stay open are the purpose. */
	lifetimeMs: 0,
	/** What Kubernetes and systemd commonly grant before SIGKILL. */
	drainMs: 30_000,
	/** A client that speaks first does so within one round trip: 300 ms covers other continents. */
	silenceMs: 300,
	/** Twice what a first hello has: a person may be typing. */
	requestHeadMs: 10_000,
	/** The slowest reports that people still wait for. */
	responseHeadMs: 60_000,
	/** nginx' own default: browsers count on about so much. */
	keepAliveMs: 75_000,
} as const;

/**
 * Of listeners on UDP, where nothing ends a session but silence. A request and its answer are over in seconds; QUIC connections are
 * kept open for the next request, for 30 s by most clients, and longer where they say so.
 */
export const datagrams = { idleMs: 30_000, quicIdleMs: 120_000, unknownVersions: "reject" } as const;

/** Idle for less than servers' own 60 s to 75 s, so that we end first; age and use as in the field's old tunnels. */
export const pool = { idleMs: 50_000, ageMs: 900_000, requests: 100, connections: 1_024 } as const;

/** A dead peer is gone after idle + probes × interval = 90 s; most NATs forget a mapping later than 30 s. */
export const keepalive = { idleSeconds: 30, intervalSeconds: 10, probes: 6 } as const;

/** Our name in Via for `via: on`. What runs here is no secret of whoever says so. */
export const viaName = "sluice";

/** Linux' own `net.core.somaxconn` since 5.4, which caps anything above it. */
export const backlog = 4_096;

/** Fair without knowing anything about the sessions. */
export const balance: Balance = "round_robin";

/** One failure is a restart or a lost packet; three in a row are an outage. 10 s spares clients most of it. */
export const eject = { failures: 3, forMs: 10_000 } as const;

/** The usual shortest TTL of records that are meant to move. */
export const resolveMs = 30_000;

/** For `health: on`: a dead address is out after 15 s, and two good answers bring it back. */
export const health: HealthConfig = { intervalMs: 5_000, timeoutMs: 2_000, fall: 3, rise: 2, http: null };

/** A redirect to a login page is the answer of a server that works; 4xx on a path that was named is not. */
export const healthStatuses: readonly StatusRange[] = [{ from: 200, to: 399 }];

/** One line per session is what an incident is read from. */
export const log: LogConfig = { level: "info", format: "auto", sessions: true };

/** Off: at ten thousand requests a second their lines would cost more than the requests. */
export const logRequests = 0;

/** Off: an editor's half-saved file is no deployment. SIGHUP reloads. */
export const watch = false;

/** Of the admin port's Unix socket: its owner alone, and root. */
export const adminMode = "0600";

/** What operators are told of sessions, and what they may ask for. */

/** Where a session is on its way. */
export type SessionState =
	/** Its first bytes do not tell yet where it goes. */
	| "recognizing"
	/** A TLS handshake is under way, the client's or the upstream's. */
	| "securing"
	| "dialling"
	/** Bytes pass. */
	| "relaying"
	/** Between two requests, or one is being read. */
	| "waiting"
	/** A request is sent and answered. */
	| "exchanging"
	/** It was told why it ends. */
	| "ending";

/** A session that lives, in the words of the API. Times are ISO 8601 in UTC, `null` where it has not got so far. */
export interface LiveSession {
	readonly id: number;
	readonly reactor: number;
	readonly listener: string;
	readonly route: string | null;
	readonly protocol: string;
	/** What it asked for; `…` at its end: longer than what is shown. */
	readonly name: string | null;
	/** The client, with its port. */
	readonly source: string;
	readonly upstream: string | null;
	/** Of the upstream. */
	readonly address: string | null;
	readonly state: SessionState;
	readonly accepted: string;
	readonly recognized: string | null;
	readonly connected: string | null;
	readonly age_ms: number;
	/** Since the last byte in either direction. */
	readonly idle_ms: number;
	readonly bytes_from_client: number;
	readonly bytes_to_client: number;
	/** Taken from one side, and not yet by the other. */
	readonly buffered_bytes: number;
}

/** Which sessions are meant: all that fit everything that is said. */
export interface SessionFilter {
	readonly id?: number;
	readonly reactor?: number;
	readonly listener?: string;
	readonly route?: string;
	readonly upstream?: string;
	readonly address?: string;
	/** An address or a block of addresses. */
	readonly source?: SourceBlock;
	readonly protocol?: string;
	readonly state?: SessionState;
	/** What it asked for, or `*.example.com`. */
	readonly name?: string;
	readonly ageMinMs?: number;
	readonly ageMaxMs?: number;
	readonly idleMinMs?: number;
}

export interface SourceBlock {
	readonly family: number;
	/** 4 or 16. */
	readonly bytes: readonly number[];
	readonly prefixLength: number;
}

/** By what a list is ordered. */
export const SORTS = ["id", "age", "idle", "bytes", "buffered"] as const;
export type Sort = (typeof SORTS)[number];

export interface Listing {
	/** Sessions that live. */
	readonly total: number;
	/** Those that fit. */
	readonly matched: number;
	readonly sessions: readonly LiveSession[];
}

export interface Page {
	readonly sort: Sort;
	/** The largest first. */
	readonly isDescending: boolean;
	readonly offset: number;
	readonly limit: number;
}

/** A deadline of a session that comes. */
export interface NextDeadline {
	/** As in `timeouts`. */
	readonly timeout: string;
	readonly at: string;
	readonly in_ms: number;
}

/** What the kernel knows of a connection (TCP_INFO). */
export interface TcpFacts {
	readonly round_trip_ms: number;
	readonly round_trip_variation_ms: number;
	/** Segments sent again, since the connection was made. */
	readonly retransmits: number;
	/** Segments under way that are not acknowledged. */
	readonly unacknowledged: number;
	readonly congestion_window: number;
}

/** All that is known of one session. */
export interface SessionDetails extends LiveSession {
	/** The earliest first. */
	readonly deadlines: readonly NextDeadline[];
	/** `null`: no TCP, or it has ended meanwhile. */
	readonly client_tcp: TcpFacts | null;
	readonly upstream_tcp: TcpFacts | null;
}

/** A session that has ended. */
export interface EndedSession {
	readonly id: number;
	readonly listener: string;
	readonly route: string | null;
	readonly protocol: string;
	readonly name: string | null;
	readonly source: string;
	readonly upstream: string | null;
	readonly address: string | null;
	readonly accepted: string;
	readonly recognized: string | null;
	readonly connected: string | null;
	readonly closed: string;
	readonly bytes_from_client: number;
	readonly bytes_to_client: number;
	readonly reason: string;
}

/** What operators are told of sessions, and what they may ask for. Answers are described by schemas, from which the OpenAPI file is made. */
import { z } from "zod";
import type { Cidr } from "../config/config.js";
import { REASONS } from "../parts/reasons.js";
import { PROTOCOL_NAMES } from "../protocol/index.js";

/** Where a session is on its way. */
export const SESSION_STATES = [
	/** Its first bytes do not tell yet where it goes. */
	"recognizing",
	/** A TLS handshake is under way, the client's or the upstream's. */
	"securing",
	"dialling",
	/** Bytes pass. */
	"relaying",
	/** It wants to subscribe to a channel of the hub, and waits for what becomes of that. */
	"asking",
	/** It is told what is published. */
	"subscribed",
	/** Between two requests, or one is being read. */
	"waiting",
	/** A request is sent and answered. */
	"exchanging",
	/** It was told why it ends. */
	"ending",
] as const;
export type SessionState = (typeof SESSION_STATES)[number];

/** So many that have ended are remembered: some seconds of the busiest gateway, and days of a quiet one. */
export const ENDED_MAX = 10_000;

const time = (what: string) => z.iso.datetime().describe(`${what} (ISO 8601, UTC)`);
const timeOrNull = (what: string) => time(what).nullable();
const count = (what: string) => z.number().min(0).describe(what);
const named = (what: string) => z.string().nullable().describe(what);

/** What both kinds of sessions are described by. */
const described = {
	id: z.int().min(0).describe("Its number, unique in this process; the log's too"),
	listener: z.string().describe("Where it came in"),
	route: named("Label of the route that it took"),
	protocol: z.enum(PROTOCOL_NAMES).describe("What it speaks, as far as anybody had to know"),
	name: named("What it asked for; with … at its end it is longer"),
	source: z.string().describe("The client, with its port"),
	upstream: named("Where it goes"),
	address: named("Address of the upstream"),
	accepted: time("When it was accepted"),
	secured: timeOrNull("When its client's TLS handshake ended; null also where TLS is not terminated"),
	recognized: timeOrNull("When it was known what it speaks; inside its TLS, where that is terminated"),
	connected: timeOrNull("When its upstream's connection was made"),
	bytes_from_client: count(
		"Bytes for the upstream; of a subscriber of the hub, that it said behind its request",
	),
	bytes_to_client: count("Bytes for the client"),
};

export const liveSession = z.strictObject({
	...described,
	reactor: z.int().min(0).describe("Which event loop has it"),
	state: z.enum(SESSION_STATES).describe("Where it is on its way"),
	age_ms: count("Since it was accepted"),
	idle_ms: count("Since the last byte in either direction"),
	buffered_bytes: count("Taken from one side, and not yet by the other"),
});
/** A session that lives, in the words of the API. */
export type LiveSession = z.infer<typeof liveSession>;

/** Which sessions are meant: all that fit everything that is said. */
export interface SessionFilter {
	readonly id?: number;
	readonly reactor?: number;
	readonly listener?: string;
	readonly route?: string;
	readonly upstream?: string;
	readonly address?: string;
	/** An address or a block of addresses. */
	readonly source?: Cidr;
	readonly protocol?: string;
	readonly state?: SessionState;
	/** What it asked for, or `*.example.com`. */
	readonly name?: string;
	readonly ageMinMs?: number;
	readonly ageMaxMs?: number;
	readonly idleMinMs?: number;
}

/** By what a list is ordered. */
export const SORTS = ["id", "age", "idle", "bytes", "buffered"] as const;
export type Sort = (typeof SORTS)[number];

export const listing = z.strictObject({
	total: count("Sessions that live"),
	matched: count("Those that fit"),
	sessions: z.array(liveSession).describe("Of those that fit, the ones that were asked for"),
});
export type Listing = z.infer<typeof listing>;

export interface Page {
	readonly sort: Sort;
	/** The largest first. */
	readonly isDescending: boolean;
	readonly offset: number;
	readonly limit: number;
}

/** A deadline of a session that comes. */
const nextDeadline = z.strictObject({
	timeout: z.string().describe("As in `timeouts`"),
	at: time("When it is due"),
	in_ms: z.number().describe("Until then; below 0: it is being carried out"),
});
export type NextDeadline = z.infer<typeof nextDeadline>;

/** What the kernel knows of a connection (TCP_INFO). */
const tcpFacts = z.strictObject({
	round_trip_ms: count("Smoothed"),
	round_trip_variation_ms: count("Its mean deviation"),
	retransmits: count("Segments sent again since the connection was made"),
	unacknowledged: count("Segments under way"),
	congestion_window: count("Segments"),
	received_ago_ms: count("Since its last byte came; since it was made where none did"),
	sent_ago_ms: count("Since the last byte went to it; since it was made where none did"),
});
export type TcpFacts = z.infer<typeof tcpFacts>;

export const sessionDetails = liveSession.extend({
	routed: timeOrNull("When its route was found; where requests are read, that of the last request"),
	dialled: timeOrNull("When the dial began that is under way, or led to where it is"),
	waits_for_rate_ms: count(
		"Until it may move bytes again by its `bytes_per_second`; 0: it does not wait for that",
	),
	deadlines: z.array(nextDeadline).describe("The earliest first"),
	client_tcp: tcpFacts.nullable().describe("null: no TCP, or it has ended meanwhile"),
	upstream_tcp: tcpFacts.nullable().describe("null: no TCP, or there is none"),
});
/** All that is known of one session. */
export type SessionDetails = z.infer<typeof sessionDetails>;

export const endedSession = z.strictObject({
	...described,
	closed: time("When it ended"),
	reason: z.enum(REASONS).describe("Why it ended"),
});
/** A session that has ended. */
export type EndedSession = z.infer<typeof endedSession>;

export const endedListing = z.strictObject({
	matched: count("Those that fit"),
	sessions: z
		.array(endedSession)
		.describe("Of those that fit, the ones that were asked for, the last one first"),
});
export type EndedListing = z.infer<typeof endedListing>;

export type EndedPage = Pick<Page, "offset" | "limit">;

/** Which of those that have ended are meant. */
export type EndedFilter = Pick<
	SessionFilter,
	"id" | "listener" | "route" | "upstream" | "address" | "source" | "protocol" | "name"
> & { readonly reason?: string };

/** How many sessions live, by what they are. What no session is is not there. */
export interface SessionCensus {
	readonly total: number;
	/** By SessionState. */
	readonly states: ReadonlyMap<string, number>;
	/** By what they speak. */
	readonly protocols: ReadonlyMap<string, number>;
	readonly listeners: ReadonlyMap<string, number>;
	/** By the label of the route. */
	readonly routes: ReadonlyMap<string, number>;
	readonly upstreams: ReadonlyMap<string, number>;
}

/** Where operators ask for sessions. */
export interface SessionDesk {
	census(): SessionCensus;
	list(filter: SessionFilter, page: Page): Listing;
	/** `undefined`: there is no such session, or none any more. */
	details(id: number): SessionDetails | undefined;
	/** Of the last 10,000 that have ended, the last one first. */
	ended(filter: EndedFilter, page: EndedPage): EndedListing;
	/** Has all that fit closed, as `operator`, and says how many these are. */
	close(filter: SessionFilter): number;
}

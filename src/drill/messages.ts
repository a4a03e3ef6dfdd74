/** What crosses the pipes between a drill and its helpers: one JSON line each. */
import type { PublishersDoor, SubscribersDoor } from "../rig/subscribers/doors.js";
import type { Attack, AttackReport, AttackStatus } from "./attack.js";
import type { HubAccount } from "./hub-accounts.js";

/** To the attackers, of whatever kind. */
export type AttackOrder<Kind = Attack> =
	| { readonly do: "attack"; readonly attack: Kind }
	/** Nobody new comes; who is there goes on. */
	| { readonly do: "stop" }
	/** Everybody leaves, and the report is due. */
	| { readonly do: "release" };

/** From the attackers. */
export type AttackNews =
	| { readonly news: "status"; readonly status: AttackStatus }
	/** Every connection of a counted attack has ended. */
	| { readonly news: "done" }
	| { readonly news: "report"; readonly report: AttackReport };

/** The good client asks so often. */
export const CLIENT_EVERY_MS = 20;

/** To the good client. */
export type ClientOrder = ClientStart | ClientFinish;

/** It asks no more, and waits for the answers that are due. */
export interface ClientFinish {
	readonly do: "finish";
}

export interface ClientStart {
	readonly do: "start";
	readonly address: string;
	readonly port: number;
	/** IPv4, on loopback. */
	readonly source: string | null;
	/** The name it asks for in TLS; `null`: it speaks without. */
	readonly tls: string | null;
	/** Base64. Asked in turn. */
	readonly asks: readonly ClientAsk[];
}

/** To the good client of a listener for datagrams. */
export type DatagramClientOrder = DatagramClientStart | ClientFinish;

export interface DatagramClientStart {
	readonly do: "start";
	readonly address: string;
	readonly port: number;
	/** IPv4, on loopback. */
	readonly source: string;
	/** Base64: a TLS record with the hello of which its Initials are made. */
	readonly hello: string;
	/** What stands at the head of each answer of the upstream that this hello is routed to. */
	readonly tag: string;
}

export interface ClientAsk {
	readonly say: string;
	readonly expect: Expected;
	/** Asked over a connection that is kept for the next such ask. Only where a `response` is expected. */
	readonly kept: boolean;
}

export type Expected =
	/** Nobody knows what this target relays to. */
	| { readonly kind: "any" }
	/** These, byte by byte, base64. */
	| { readonly kind: "bytes"; readonly bytes: string }
	/** An HTTP response, 200, with this body; its head is the target's affair. */
	| { readonly kind: "response"; readonly body: string };

/** One attempt of the good client: when it began, how long it took, `null` or why it failed; and how many there were of its kind, where not one. */
export type Attempt = readonly [startedMs: number, tookMs: number, failure: string | null, count?: number];

/** From the good client. */
export interface ClientNews {
	readonly attempts: readonly Attempt[];
	/** It was told to finish, and has. */
	readonly finished: boolean;
}

/** To those who read all that a hub sends. */
export type HubAudienceOrder = HubAudienceStart | ClientFinish;

export interface HubAudienceStart {
	readonly do: "start";
	/** Of each channel. */
	readonly subscribers: number;
	/** By channel. */
	readonly doors: Readonly<Record<string, { subscribe: SubscribersDoor; publish: PublishersDoor }>>;
}

/** From them. */
export interface HubAudienceNews extends ClientNews {
	/** All have subscribed, and the first message is published. */
	readonly subscribed?: true;
	/** With `finished`: of each channel. */
	readonly accounts?: readonly PublishedAccount[];
}

export interface PublishedAccount extends HubAccount {
	readonly published: number;
}

/** To subscribers of a hub who become slow. */
export type HubSlowOrder =
	| HubSlowSubscribe
	| { readonly do: "stop reading" }
	| { readonly do: "read on" }
	/** Nothing more is published: who lives reads all, then all leave, and the report is due. */
	| { readonly do: "settle"; readonly published: Readonly<Record<string, number>> };

export interface HubSlowSubscribe {
	readonly do: "subscribe";
	/** Of each channel. */
	readonly subscribers: number;
	readonly doors: Readonly<Record<string, SubscribersDoor>>;
	/** By when the target should have closed one who takes nothing. */
	readonly deadlineMs: number;
}

/** From them. */
export type HubSlowNews =
	| { readonly news: "subscribed" }
	| { readonly news: "status"; readonly status: AttackStatus }
	| { readonly news: "report"; readonly report: HubSlowReport };

export interface HubSlowReport {
	/** Of each channel. */
	readonly accounts: readonly HubAccount[];
	/** Of those who lived, who lacked something at the end. */
	readonly behind: number;
	readonly ends: AttackReport["ends"];
	/** Of those who took nothing. */
	readonly overdueMs: AttackReport["overdueMs"];
	/** Messages that were not their next one: the first of each channel. */
	readonly faults: readonly string[];
}

/** To the crowd of datagrams: so many clients more, who have not been there before. */
export interface CrowdOrder {
	readonly address: string;
	readonly port: number;
	readonly count: number;
	/** Base64: a TLS record with the hello that each says in an Initial. Absent: they say what is no QUIC. */
	readonly hello?: string;
}

/** From the crowd, when all were answered. */
export interface CrowdNews {
	/** Clients that were answered. */
	readonly came: number;
	/** When the first of them said something, and when somebody did last, on the clock of monotonicMs(). */
	readonly firstMs: number;
	readonly lastMs: number;
}

/** From an upstream of datagrams, once: where it is. */
export interface DatagramUpstreamNews {
	readonly port: number;
}

/**
 * To the upstream, which outlives everybody else: targets know nothing of drills, so they would not notice
 * that theirs was killed. Guarded processes are ended when the drill is gone.
 */
export type UpstreamOrder =
	| { readonly do: "guard"; readonly pid: number }
	| { readonly do: "forget"; readonly pid: number };

/** To the blackholing relay. */
export type RelayOrder = { readonly do: "freeze"; readonly deadlineMs: number } | { readonly do: "release" };

/** From the blackholing relay. */
export type RelayNews =
	| { readonly news: "listening"; readonly port: number }
	/** The target has given all of them up. */
	| { readonly news: "all gone" }
	| { readonly news: "report"; readonly report: RelayReport };

export interface RelayReport {
	/** Connections to the target when it fell silent. */
	readonly frozen: number;
	/** Of these, still open at the end. */
	readonly neverGone: number;
	readonly overdueMs: AttackReport["overdueMs"];
}

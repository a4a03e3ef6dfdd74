/** What crosses the pipes between a drill and its helpers: one JSON line each. */
import type { Attack, AttackReport, AttackStatus } from "./attack.js";

/** To the attackers. */
export type AttackOrder =
	| { readonly do: "attack"; readonly attack: Attack }
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
export type ClientOrder =
	| ClientStart
	/** It asks no more, and waits for the answers that are due. */
	| { readonly do: "finish" };

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

/** One attempt of the good client: when it began, how long it took, and `null` or why it failed. */
export type Attempt = readonly [startedMs: number, tookMs: number, failure: string | null];

/** From the good client. */
export interface ClientNews {
	readonly attempts: readonly Attempt[];
	/** It was told to finish, and has. */
	readonly finished: boolean;
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

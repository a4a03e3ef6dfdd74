/** What the main thread sends a reactor: plain data, by message. A new plan never touches a live session. */
import type { Cidr, RouteConfig } from "../config/config.js";
import type { UpstreamPlan } from "../upstream/plan.js";

/** Deadlines and options that a session takes with it when it begins, and keeps over reloads. */
export interface Policy {
	readonly handshakeMs: number;
	readonly connectMs: number;
	readonly idleMs: number;
	readonly stallMs: number;
	readonly halfClosedMs: number;
	/** 0 = off. */
	readonly lifetimeMs: number;
	readonly silenceMs: number;
	readonly keepaliveIdleSeconds: number;
	readonly keepaliveIntervalSeconds: number;
	readonly keepaliveProbes: number;
}

export interface RoutePlan {
	readonly conditions: RouteConfig;
	/** Place in the counters; stable over reloads for a route that stays as it is. */
	readonly slot: number;
	/** Slot of the upstream, or -1: reject. */
	readonly upstream: number;
}

export interface ListenerPlan {
	/** Place in the counters; stable over reloads. */
	readonly slot: number;
	/** This reactor's listening socket. The main thread owns it, and closes it after `listenersClosed`. */
	readonly fd: number;
	readonly proxyRequired: boolean;
	readonly trusted: readonly Cidr[];
	readonly routes: readonly RoutePlan[];
}

export interface Plan {
	readonly revision: number;
	readonly policy: Policy;
	/** Sessions over all reactors. */
	readonly connections: number;
	readonly logSessions: boolean;
	readonly listeners: readonly ListenerPlan[];
	readonly upstreams: readonly UpstreamPlan[];
}

/** Main thread to reactor. */
export type Command =
	| { readonly kind: "plan"; readonly plan: Plan }
	/** A name was resolved anew. */
	| { readonly kind: "upstream"; readonly upstream: UpstreamPlan }
	/** Stop accepting (what waits in the accept queues is still taken), and say when no session is left. */
	| { readonly kind: "drain" }
	/** Close what is left as `drained` and end. */
	| { readonly kind: "stop" };

/** Reactor to main thread. */
export type Notice =
	| { readonly kind: "applied"; readonly revision: number }
	| { readonly kind: "listenersClosed" }
	| { readonly kind: "drained" }
	/** The journal has its first record after a quiet time, or is half full. */
	| { readonly kind: "journal" }
	/** Something that an operator should read. */
	| { readonly kind: "log"; readonly level: "warn" | "error"; readonly message: string }
	| { readonly kind: "stopped" };

/** What a reactor's thread is started with. */
export interface ReactorOptions {
	readonly index: number;
	readonly reactors: number;
	/** Rows of the table: sessions this reactor may have at once. */
	readonly sessions: number;
	/** This reactor's share of `limits.buffered_bytes`. */
	readonly bufferedBytes: number;
	/** Pipes this reactor may have open at once; each is two descriptors. */
	readonly pipes: number;
	readonly wakeFd: number;
	readonly counters: SharedArrayBuffer;
	readonly journal: SharedArrayBuffer;
	readonly board: SharedArrayBuffer;
	/** Two Int32: sessions alive over all reactors, and 1 when the process is ending without having stopped them. */
	readonly live: SharedArrayBuffer;
}

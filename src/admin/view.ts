/** What the admin port shows, and the gateway provides. */
import type { HubCounts } from "../hub/counts.js";
import type { HubDesk } from "../hub/desk.js";
import type { Counters } from "../reactor/records/counters.js";
import type { TunnelsView } from "../tunnel/gateway/interfaces.js";
import type { Operations } from "./operation-view.js";
import type { SessionDesk } from "./session-view.js";

export interface Named {
	readonly slot: number;
	readonly name: string;
}

/** Shown as `Authorization: Bearer TOKEN`; `null`: there is none. */
export interface AdminTokens {
	/** May ask and change everything. */
	readonly full: string | null;
	/** May ask. */
	readonly read: string | null;
}

/** What the admin port shows. The gateway provides it. */
export interface AdminView {
	counters(): readonly Counters[];
	listeners(): readonly Named[];
	/** `name` is the route's label. */
	routes(): readonly (Named & { readonly listener: string })[];
	upstreams(): readonly Named[];
	addresses(): readonly { upstream: string; address: string; healthy: boolean; active: number }[];
	acceptQueues(): readonly { listener: string; depth: number; limit: number }[];
	/** Sessions that may live at once. */
	connectionsMax(): number;
	descriptorsMax(): number;
	/** Of these, for the admin port, the log and dials. */
	descriptorsReserved(): number;
	logLinesDropped(): number;
	reloads(): {
		readonly succeeded: number;
		readonly failed: number;
		/** The last one did, or there was none. */
		readonly lastSucceeded: boolean;
		/** When the configuration in force was taken. */
		readonly succeededAtMs: number;
	};
	/** Files of certificates in force, and when the first certificate in each expires (Unix time). */
	certificates(): readonly { readonly file: string; readonly expirySeconds: number }[];
	/** Names that the admin port answers to, beside addresses and localhost; in lower case. */
	adminHosts(): readonly string[];
	sessions(): SessionDesk;
	operations(): Operations;
	/** `undefined`: the configuration has none. */
	tunnels(): TunnelsView | undefined;
	/** The same. */
	hub(): HubDesk | undefined;
	/** Of a hub that there is, or was before a reload. */
	hubCounts(): HubCounts | undefined;
	/** Writes into the log what an operator has changed, at whichever level the log is. */
	audit(facts: Readonly<Record<string, unknown>>, message: string): void;
	/** What whoever asks must show; without any, this machine may ask and change what it likes. */
	adminTokens(): AdminTokens;
	/**
	 * Of the main thread: time that its collector has had, and its loop's longest delay since this was asked last. `undefined`: it is not
	 * measured.
	 */
	mainThread(): { readonly collectedSeconds: number; readonly longestDelaySeconds: number } | undefined;
	/** Of this package. */
	version(): string;
	state(): "starting" | "ready" | "draining";
	/** Sessions that each listener of the config may have. */
	connectionsOfListener(): readonly { listener: string; limit: number }[];
	/** Client addresses that have sessions, and the most that one has. */
	sources(): { addresses: number; most: number };
	/** Half-open connections of each listener. Throws where the kernel does not tell, or without a descriptor. */
	halfOpen(): readonly { readonly listener: string; readonly count: number }[];
	/** What the kernel has counted of handshakes in this network namespace. Throws without a descriptor. */
	handshakes(): {
		/** That met a full accept queue, and all that were dropped at listeners. */
		readonly overflows: number;
		readonly drops: number;
		readonly cookiesSent: number;
		readonly cookiesFailed: number;
	};
	memory(): { limit: number; system: number; under: boolean };
	/** Opened and closed, by kind. */
	descriptors(): Readonly<Record<Kind, Count>>;
	ledger(): { checks: number; last: LedgerReport | undefined };
	/** Looks now. */
	checkLedger(): Promise<LedgerReport>;
}

/** Kinds of descriptors that the control plane opens itself. */
export type ControlKind = "listener" | "admin" | "log" | "check" | "tunnel";
export type Kind = "downstream" | "upstream" | "pipe" | ControlKind;

export interface Count {
	readonly opened: number;
	readonly closed: number;
}

export interface Discrepancy {
	/**
	 * `unowned`: a descriptor that nothing owns. `gone`: a row whose descriptor is closed. `replaced`: a row
	 * whose descriptor is something else than it was. `count`: sums that differ.
	 */
	readonly problem: "unowned" | "gone" | "replaced" | "count";
	/** `null` for sums. */
	readonly descriptor: number | null;
	readonly kind: Kind | "unknown";
	/** What the kernel says it is: `socket:[4711]`; empty when it is gone. */
	readonly target: string;
	/** Who had it last, and since when; empty when no reactor ever had it. */
	readonly lastOwner: string;
	readonly since: string | null;
}

export interface LedgerReport {
	readonly checkedAt: string;
	readonly tookMs: number;
	/** Descriptors that the process has. */
	readonly descriptors: number;
	readonly kinds: Readonly<Record<Kind, Count>>;
	readonly discrepancies: readonly Discrepancy[];
}

/** What clients know of the run that they are in. */
import type { HubConfig } from "../../../src/config/config.js";
import type { HubPublication } from "../../../src/hub/desk.js";
import type { Terms } from "./expected.js";
import type { ReplayTerms, Wish } from "./following.js";
import type { HubReactor } from "./hub-reactor.js";
import type { Ledger } from "./ledger.js";

export interface HubSide {
	readonly nowMs: number;
	readonly epoch: number;
	readonly ledger: Ledger;
	readonly reactors: readonly HubReactor[];
	/** All that have been in force, the last one is. */
	readonly configs: readonly HubConfig[];
	/** What a message may have in any case. */
	readonly messageBytesMin: number;
	/** A channel that the hub has forgotten may have had a message behind this id. */
	mayBeForgotten(after: unknown): boolean;
	meet(what: string): void;
	/** What has held for a channel since a configuration. */
	termsOf(channel: string, since: number): readonly Terms[];
	replaysOf(channel: string, since: number): readonly ReplayTerms[];
	/** What somebody comes back with, or begins with, and how that is said. */
	randomWish(): {
		readonly wish: Wish;
		readonly fields: { readonly after?: string; readonly last?: boolean };
	};
	randomMessage(): HubPublication;
}

/** From one of a reactor's sights to another. */
export interface Span {
	readonly from: number;
	readonly to: number;
	/** When the turn began in which it ended. */
	readonly turn: number;
	/** How often the client had taken no more by then. */
	readonly shorts: number;
	readonly fromMs: number;
	readonly untilMs: number;
}

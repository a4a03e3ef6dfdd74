/**
 * Who opens an agent's lines and moves their bytes: Node's streams everywhere (`node-mover.ts`); where there is a reactor, that. Both keep
 * the same book, and speak the same wire.
 */
import type { Ticket } from "../../protocol/tunnel/index.js";
import type { Report } from "./events.js";
import type { Known } from "./known.js";
import type { LineBook } from "./line-book.js";
import type { AgentSettings, TunnelSettings } from "./settings.js";
import type { Tunnel } from "./tunnel.js";

export interface Mover {
	/** It can move what this tunnel's lines carry. */
	takes(tunnel: TunnelSettings, settings: AgentSettings, known: Known): boolean;
	/** Opens a line for each ticket. */
	open(tunnel: Tunnel, tickets: readonly Ticket[], known: Known): void;
	/** Closes those that nobody uses: all, or those that one tunnel had under this number. */
	retire(number?: number): void;
	/** Closes all, whatever they do. */
	cut(): void;
	/** What it can tell besides the agent's own figures (Prometheus); empty: nothing. */
	metrics(): string;
	/** These are the settings now. */
	follow(settings: AgentSettings): void;
	/** Gives everything back. */
	end(): Promise<void>;
}

/** What a mover is made for. */
export interface MoverWorld {
	readonly book: LineBook;
	readonly report: Report;
	/** Makes sure of the gateway once more, whose certificate is another than before. Rejects when it is not believed; otherwise `Known` has it. */
	makeSure(): Promise<void>;
}

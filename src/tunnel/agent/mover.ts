/**
 * Who opens an agent's lines and moves their bytes: Node's streams everywhere (`node-mover.ts`); where there is a reactor, that. Both keep
 * the same book, and speak the same wire.
 */
import type { Ticket } from "../../protocol/tunnel/index.js";
import type { Report } from "./events.js";
import type { LineBook } from "./line-book.js";
import type { AgentSettings, TunnelSettings } from "./settings.js";
import type { Tunnel } from "./tunnel.js";

/** How often a gateway wants to hear something, and after how long without it who is silent is dead. */
export interface Alive {
	readonly heartbeatMs: number;
	readonly deadAfterMs: number;
}

/** The gateway that a control connection has made sure of. */
export interface GatewayFound {
	/** An IP address; `undefined` through a proxy. */
	readonly address: string | undefined;
	readonly port: number;
	/** SHA-256 of its certificate, 64 hexadecimal digits in upper case; `undefined`: it speaks in the open. */
	readonly fingerprint: string | undefined;
	/** A line that is silent or does not get through is dead when the control connection would be. */
	readonly alive: Alive;
}

export interface Mover {
	/** It can move what this tunnel's lines carry. */
	takes(tunnel: TunnelSettings, settings: AgentSettings, gateway: GatewayFound): boolean;
	/** Opens a line for each ticket. */
	open(tunnel: Tunnel, tickets: readonly Ticket[], gateway: GatewayFound): void;
	/** Closes those that nobody uses: all, or those that one tunnel had under this number. */
	retire(number?: number): void;
	/** Closes all, whatever they do. */
	cut(): void;
	/** These are the settings now. */
	follow(settings: AgentSettings): void;
	/** Gives everything back. */
	end(): Promise<void>;
}

/** What a mover is made for. */
export interface MoverWorld {
	readonly book: LineBook;
	readonly report: Report;
	/** Makes sure of the gateway once more, whose certificate is another than before. Rejects when it is not believed. */
	makeSure(): Promise<GatewayFound>;
}

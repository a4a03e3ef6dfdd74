/** The desk of lines, and beside it what the simulation knows: which tickets are out, and that each serves once. */

import { isLineProof } from "../../../src/protocol/tunnel/index.js";
import type {
	LineEnd,
	Lines as LineNews,
	LineOwner,
	LineState,
	OpenTunnel,
} from "../../../src/tunnel/gateway/interfaces.js";
import type { AskForLines, LineDesk } from "../../../src/tunnel/gateway/line-desk.js";
import type { DepthLimits } from "../../../src/tunnel/registry/depth.js";
import { TICKET_MS } from "../../../src/tunnel/registry/tickets.js";
import { violated } from "../trace.js";
import type { World } from "../world.js";
import type { SimulatedTicket } from "./agent-line.js";

interface Out extends SimulatedTicket {
	untilMs: number;
}

export class WatchedDesk implements LineNews {
	readonly #desk: LineDesk;
	readonly #world: World;
	/** By id. */
	readonly #tickets = new Map<string, Out>();
	/** Tunnels that are closed: their tickets are good no more. */
	readonly #closed = new Set<number>();
	/** Tickets of which a good proof has come: each is a line's. */
	#lastGood: Out | undefined;

	constructor(desk: LineDesk, world: World) {
		this.#desk = desk;
		this.#world = world;
	}

	// Tunnels.

	add(tunnel: Omit<OpenTunnel, "number" | "slot">, ask: AskForLines): OpenTunnel {
		return this.#desk.add(tunnel, ask);
	}

	open(number: number): void {
		this.#desk.open(number);
		this.#check();
	}

	close(number: number): void {
		this.#closed.add(number);
		for (const [id, ticket] of this.#tickets) if (ticket.tunnel === number) this.#tickets.delete(id);
		this.#desk.close(number);
		this.#check();
	}

	configure(limits: DepthLimits): void {
		this.#expire();
		this.#desk.configure(limits);
		this.#check();
	}

	tick(): void {
		this.#expire();
		this.#desk.tick();
		this.#check();
	}

	#expire(): void {
		const { nowMs } = this.#world.kernel;
		for (const [id, ticket] of this.#tickets) if (ticket.untilMs <= nowMs) this.#tickets.delete(id);
	}

	tunnels(): ReturnType<LineDesk["tunnels"]> {
		return this.#desk.tunnels();
	}

	// Tickets.

	issued(ticket: SimulatedTicket): void {
		const id = keyOf(ticket.id);
		if (this.#tickets.has(id)) violated("a ticket is issued twice");
		this.#tickets.set(id, Object.assign(ticket, { untilMs: this.#world.kernel.nowMs + TICKET_MS }) as Out);
	}

	failed(ticket: Uint8Array, epoch: number): void {
		this.#tickets.delete(keyOf(ticket));
		this.#desk.failed(ticket, epoch);
		this.#check();
	}

	verify(id: Uint8Array, nonce: Uint8Array, proof: Uint8Array): LineOwner | undefined {
		const ticket = this.#tickets.get(keyOf(id));
		let owner = this.#desk.verify(id, nonce, proof);
		if (owner !== undefined) this.#lastGood = ticket;
		else if (this.#world.mutant === "doubled_ticket") owner = this.#lastGood;
		const isGood =
			ticket !== undefined &&
			isLineProof(proof, ticket.key, id, nonce) &&
			this.#world.kernel.nowMs < ticket.untilMs;
		if (owner !== undefined && !isGood)
			violated("a line is taken for one of ours, and its ticket is not good");
		if (owner === undefined && isGood) violated("the ticket of a line is good, and the line is refused");
		if (owner !== undefined && owner.tunnel !== ticket?.tunnel)
			violated("a line is taken for another tunnel's");
		if (ticket !== undefined) ticket.state = "used";
		this.#tickets.delete(keyOf(id));
		this.#world.meet(isGood ? "lines that are proved" : "lines that are not proved");
		this.#check();
		return owner;
	}

	// News.

	parked(tunnel: number): void {
		this.#desk.parked(tunnel);
		this.#check();
	}

	taken(tunnel: number, was: "parked" | "retiring"): void {
		this.#world.meet(was === "parked" ? "lines that are taken" : "lines that retire and are taken");
		if (this.#world.mutant === "lost_news") return;
		this.#desk.taken(tunnel, was);
		this.#check();
	}

	returned(tunnel: number): void {
		this.#world.meet("lines that are given back");
		this.#desk.returned(tunnel);
		this.#check();
	}

	retiring(tunnel: number, was: "parked" | "used"): void {
		this.#world.meet(`lines that retire ${was}`);
		this.#desk.retiring(tunnel, was);
		this.#check();
	}

	ended(tunnel: number, was: LineState, why: LineEnd): void {
		this.#world.meet(`lines that end ${was} as ${why}`);
		this.#desk.ended(tunnel, was, why);
		this.#check();
	}

	waiting(tunnel: number, visitors: number): void {
		this.#desk.waiting(tunnel, visitors);
		this.#check();
	}

	visited(): void {}

	/** Nothing is counted below zero, and no more is asked for than the tickets that are out. */
	#check(): void {
		for (const { tunnel, isClosed, lines } of this.#desk.tunnels()) {
			for (const [name, count] of Object.entries(lines))
				if (count < 0) violated(`tunnel ${tunnel.number} counts ${count} ${name}`);
			let out = 0;
			for (const ticket of this.#tickets.values()) if (ticket.tunnel === tunnel.number) out++;
			if (lines.asked !== out && !isClosed)
				violated(`tunnel ${tunnel.number} has ${out} tickets out, and counts ${lines.asked}`);
		}
	}
}

function keyOf(id: Uint8Array): string {
	return Buffer.from(id).toString("latin1");
}

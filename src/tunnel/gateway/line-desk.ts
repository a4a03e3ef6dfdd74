/**
 * Tunnels that are open, and what is known of their lines: answers the reactors (`Lines`), and asks agents for more when there are too
 * few. A tunnel stays here after it was closed until the last of its lines has ended, so that its slot is nobody else's before.
 */

import type { Ticket } from "../../protocol/tunnel/index.js";
import { Depth, type DepthLimits } from "../registry/depth.js";
import { Tickets } from "../registry/tickets.js";
import type { LineCounts, LineEnd, LineOwner, LineState, Lines, OpenTunnel } from "./interfaces.js";

/** Asks the agent for a line for each ticket. */
export type AskForLines = (tickets: readonly Ticket[]) => void;

interface Entry {
	tunnel: OpenTunnel;
	readonly depth: Depth;
	readonly ask: AskForLines;
	/** Lines are asked for from when it is open to when it is closed. */
	state: "opening" | "open" | "closed";
}

/** Names and reasons that visitors are counted by: an agent may open one name after the other. */
const VISITOR_COUNTS_MAX = 4_096;

interface VisitorCount {
	readonly tunnel: string;
	readonly reason: string;
	count: number;
}

export class LineDesk implements Lines {
	readonly #now: () => number;
	readonly #tickets: Tickets;
	#limits: DepthLimits;
	#last = 0;
	/** By number. */
	readonly #entries = new Map<number, Entry>();
	/** Those that are taken. */
	readonly #slots = new Set<number>();
	readonly #visitors = new Map<string, VisitorCount>();
	readonly #recycled = new Map<LineEnd, number>();

	constructor(now: () => number, limits: DepthLimits) {
		this.#now = now;
		this.#limits = limits;
		this.#tickets = new Tickets(now);
	}

	configure(limits: DepthLimits): void {
		this.#limits = limits;
		for (const { depth } of this.#entries.values()) depth.configure(limits, this.#now());
		this.tick();
	}

	/** Gives it a number and a slot. No line is asked for before it is `open`. */
	add(tunnel: Omit<OpenTunnel, "number" | "slot">, ask: AskForLines): OpenTunnel {
		const whole = { ...tunnel, number: ++this.#last, slot: this.#takeSlot() };
		const depth = new Depth(this.#limits, this.#now());
		this.#entries.set(whole.number, { tunnel: whole, depth, ask, state: "opening" });
		return whole;
	}

	open(number: number): void {
		const entry = this.#entries.get(number);
		if (entry?.state !== "opening") return;
		entry.state = "open";
		this.#ask(entry);
	}

	/** Its limits are others now. */
	change(tunnel: OpenTunnel): void {
		const entry = this.#entries.get(tunnel.number);
		if (entry !== undefined) entry.tunnel = tunnel;
	}

	/** Its tickets are good no more. */
	close(number: number): void {
		const entry = this.#entries.get(number);
		if (entry === undefined) return;
		entry.state = "closed";
		entry.depth.asked = 0;
		entry.depth.waiting = 0;
		this.#tickets.forget(number);
		this.#forgetWhenOver(entry);
	}

	/** The agent could not open a line. False: it has no such ticket. */
	failed(ticket: Uint8Array, epoch: number): boolean {
		const owner = this.#tickets.giveUp(ticket, epoch);
		if (owner !== undefined) this.#with(owner.tunnel, ({ depth }) => depth.lost());
		return owner !== undefined;
	}

	/** Now and then: tickets end, depths shrink, and what could not be asked for before is asked for. */
	tick(): void {
		this.#tickets.expire(({ tunnel }) => this.#entries.get(tunnel)?.depth.lost());
		for (const entry of this.#entries.values()) {
			entry.depth.shrink(this.#now());
			this.#ask(entry, true);
		}
	}

	verify(ticket: Uint8Array, nonce: Uint8Array, proof: Uint8Array): LineOwner | undefined {
		const used = this.#tickets.use(ticket, nonce, proof);
		if (used === undefined) return undefined;
		this.#with(used.owner.tunnel, ({ depth }) => (used.isGood ? depth.proved() : depth.lost()));
		return used.isGood ? used.owner : undefined;
	}

	parked(tunnel: number): void {
		this.#with(tunnel, ({ depth }) => depth.isParked());
	}

	taken(tunnel: number, was: "parked" | "retiring" = "parked"): void {
		this.#with(tunnel, ({ depth }) => depth.taken(was));
	}

	returned(tunnel: number): void {
		this.#with(tunnel, ({ depth }) => depth.returned());
	}

	retiring(tunnel: number, was: "parked" | "used"): void {
		this.#with(tunnel, ({ depth }) => depth.retire(was));
	}

	ended(tunnel: number, was: LineState, why: LineEnd): void {
		this.#with(tunnel, ({ depth }) => {
			if (depth.ended(was)) this.#recycled.set(why, (this.#recycled.get(why) ?? 0) + 1);
		});
	}

	waiting(tunnel: number, visitors: number): void {
		this.#with(tunnel, ({ depth, state }) => depth.wait(state === "closed" ? 0 : visitors));
	}

	visited(tunnel: number, reason: string): void {
		const name = this.#entries.get(tunnel)?.tunnel.name;
		if (name === undefined) return;
		const key = `${name} ${reason}`;
		const known = this.#visitors.get(key) ?? { tunnel: name, reason, count: 0 };
		known.count++;
		this.#visitors.set(key, known);
		const [oldest] = this.#visitors.keys();
		if (this.#visitors.size > VISITOR_COUNTS_MAX && oldest !== undefined) this.#visitors.delete(oldest);
	}

	/** Those that are there, closed ones with lines included. */
	tunnels(): { readonly tunnel: OpenTunnel; readonly isClosed: boolean; readonly lines: LineCounts }[] {
		return [...this.#entries.values()].map(({ tunnel, depth, state }) => ({
			tunnel,
			isClosed: state === "closed",
			lines: {
				...{ depth: depth.target, asked: depth.asked, proving: depth.proving, parked: depth.parked },
				...{ used: depth.used, retiring: depth.retiring, failed: depth.failed },
			},
		}));
	}

	visitors(): readonly VisitorCount[] {
		return [...this.#visitors.values()];
	}

	recycled(): Readonly<Record<string, number>> {
		return Object.fromEntries(this.#recycled);
	}

	/** News of a tunnel, after which another line may be wanted, or none be left. */
	#with(number: number, change: (entry: Entry) => void): void {
		const entry = this.#entries.get(number);
		if (entry === undefined) return;
		change(entry);
		this.#ask(entry);
		this.#forgetWhenOver(entry);
	}

	#ask({ state, depth, tunnel, ask }: Entry, isTime = false): void {
		if (state !== "open") return;
		const count = depth.ask(this.#now(), isTime);
		if (count === 0) return;
		const owner = { tunnel: tunnel.number, epoch: tunnel.epoch };
		ask(Array.from({ length: count }, () => this.#tickets.issue(owner)));
	}

	#forgetWhenOver({ state, depth, tunnel }: Entry): void {
		if (state !== "closed" || depth.lines > 0) return;
		this.#entries.delete(tunnel.number);
		this.#slots.delete(tunnel.slot);
	}

	#takeSlot(): number {
		let slot = 0;
		while (this.#slots.has(slot)) slot++;
		this.#slots.add(slot);
		return slot;
	}
}

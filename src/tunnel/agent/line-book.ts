/**
 * All lines of an agent, whoever moves their bytes (`mover.ts`): which there are, what they are at, and what is told and counted of
 * them and their visitors.
 */
import type { Reason } from "../../parts/reasons.js";
import type { Ticket } from "../../protocol/tunnel/index.js";
import type { AgentDrop } from "./agent-drops.js";
import type { Report } from "./events.js";
import type { Figures } from "./figures.js";
import { LINE_STATES, type LineState } from "./line-states.js";
import type { Tunnel } from "./tunnel.js";

/** Lines at once; a gateway that asks for more is told that there are none. */
const LINES_MAX = 16_384;

/** A gateway that cannot be reached is told of once in a while, not once for each line. */
const TOLD_MS = 10_000;

/** How a visitor has ended. */
export interface VisitorEnd {
	readonly reason: Reason;
	readonly bytesFromVisitor: number;
	readonly bytesToVisitor: number;
}

/** One line, until nothing of it is left. */
export interface LineEntry {
	readonly tunnel: Tunnel;
	/** Of the tunnel, when the line was asked for. */
	readonly number: number;
	readonly ticket: Ticket;
	readonly state: LineState;
}

interface Kept extends LineEntry {
	state: LineState;
	wasParked: boolean;
	/** Of its visitor, once one has come. */
	visitor: number;
	source: string | null;
	beganAt: number;
}

export interface LineBookWorld {
	readonly report: Report;
	readonly figures: Figures;
	/** The gateway is to know. */
	failed(ticket: Ticket, message: string): void;
	/** A visitor could not reach this tunnel's local service. */
	localFailed(tunnel: Tunnel): void;
	/** Nothing is left of the last line. */
	emptied(): void;
}

export class LineBook {
	readonly #world: LineBookWorld;
	readonly #entries = new Set<Kept>();
	#visitors = 0;
	#busy = 0;
	#toldAt = Number.NEGATIVE_INFINITY;

	constructor(world: LineBookWorld) {
		this.#world = world;
	}

	/** Visitors that run. */
	get busy(): number {
		return this.#busy;
	}

	/** Nothing is left of any line. */
	get isEmpty(): boolean {
		return this.#entries.size === 0;
	}

	counts(): Record<LineState, number> {
		const counts = Object.fromEntries(LINE_STATES.map((state) => [state, 0])) as Record<LineState, number>;
		for (const { state } of this.#entries) counts[state]++;
		return counts;
	}

	/** A line is about to be opened. `undefined`: there are too many, and the gateway has been told. */
	open(tunnel: Tunnel, ticket: Ticket): LineEntry | undefined {
		if (this.#entries.size >= LINES_MAX) {
			this.#world.failed(ticket, "the agent has too many lines");
			return undefined;
		}
		const entry: Kept = {
			...{ tunnel, number: tunnel.number, ticket, state: "opening", wasParked: false },
			...{ visitor: 0, source: null, beganAt: 0 },
		};
		this.#entries.add(entry);
		return entry;
	}

	parked(entry: LineEntry): void {
		const kept = entry as Kept;
		kept.state = "parked";
		kept.wasParked = true;
		this.#world.figures.linesOpened++;
	}

	/** A visitor has come, or requests have. `source`: `203.0.113.7:53496`; `null`: nobody says who. */
	began(entry: LineEntry, as: "visitor" | "requests", source: string | null): void {
		const kept = entry as Kept;
		kept.state = as;
		kept.visitor = ++this.#visitors;
		kept.source = source;
		kept.beganAt = performance.now();
		this.#busy++;
		const { name } = kept.tunnel;
		this.#world.report({ event: "visitor_started", visitor: kept.visitor, tunnel: name, source });
	}

	/** The local service cannot be reached for its visitor. */
	localFailed({ tunnel }: LineEntry, why: string): void {
		this.#world.figures.localFailures++;
		const { name, settings } = tunnel;
		this.#world.report({ event: "local_failed", tunnel: name, local: settings.local.text, why });
		this.#world.localFailed(tunnel);
	}

	/** A datagram of a visitor's was not passed on. */
	dropped(cause: AgentDrop): void {
		this.#world.figures.dropped[cause]++;
	}

	/** It could not be opened. It is still to be `closed`. */
	failed({ tunnel, ticket }: LineEntry, message: string): void {
		this.#world.failed(ticket, message);
		const now = performance.now();
		if (now - this.#toldAt < TOLD_MS) return;
		this.#toldAt = now;
		this.#world.report({ event: "line_failed", tunnel: tunnel.name, why: message });
	}

	/** Once, when all that it held is closed. `end`: how its visitor ended, if one came. */
	closed(entry: LineEntry, end: VisitorEnd | undefined): void {
		const kept = entry as Kept;
		if (!this.#entries.delete(kept)) return;
		const { figures } = this.#world;
		figures.linesClosed[kept.visitor > 0 ? "used" : kept.wasParked ? "parked" : "failed"]++;
		if (kept.visitor > 0) this.#tellEnd(kept, end ?? NOTHING);
		if (this.isEmpty) this.#world.emptied();
	}

	#tellEnd(kept: Kept, end: VisitorEnd): void {
		const { figures } = this.#world;
		const { reason, bytesFromVisitor, bytesToVisitor } = end;
		figures.visitorEnded(kept.tunnel.name, reason);
		figures.bytesFromVisitors += bytesFromVisitor;
		figures.bytesToVisitors += bytesToVisitor;
		this.#world.report({
			...{ event: "visitor_ended", visitor: kept.visitor, tunnel: kept.tunnel.name },
			...{ source: kept.source, bytes_from_visitor: bytesFromVisitor, bytes_to_visitor: bytesToVisitor },
			...{ duration_ms: Math.round(performance.now() - kept.beganAt), reason },
		});
		this.#busy--;
	}
}

const NOTHING: VisitorEnd = { reason: "internal", bytesFromVisitor: 0, bytesToVisitor: 0 };

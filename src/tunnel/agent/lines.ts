/** All lines of an agent: which there are, whose they are, and what becomes of them. */
import type { Ticket } from "../../protocol/tunnel/index.js";
import type { Report } from "./events.js";
import type { Figures } from "./figures.js";
import { LINE_STATES, Line, type LineState } from "./line.js";
import type { LookOn } from "./onlooker.js";
import type { RelayEnd } from "./relay.js";
import type { Tunnel } from "./tunnel.js";
import type { Visitor } from "./visitor.js";
import type { Wire } from "./wire.js";

/** Lines at once; a gateway that asks for more is told that there are none. */
const LINES_MAX = 16_384;

/** How often visitors are looked at whose ends have deadlines. */
const LOOK_MS = 1_000;

/** A gateway that cannot be reached is told of once in a while, not once for each line. */
const TOLD_MS = 10_000;

interface Served {
	readonly tunnel: Tunnel;
	readonly number: number;
	/** Of its visitor, once one has come. */
	visitor: number;
	source: string | null;
	beganAt: number;
	wasParked: boolean;
}

export interface LinesWorld {
	readonly report: Report;
	readonly figures: Figures;
	readonly lookOn: LookOn | undefined;
	dial(tunnel: Tunnel, signal: AbortSignal): Promise<Wire>;
	/** The gateway is to know. */
	failed(ticket: Ticket, message: string): void;
	/** The last busy line has ended. */
	idle(): void;
}

export class Lines {
	readonly #world: LinesWorld;
	readonly #lines = new Map<Line, Served>();
	#visitors = 0;
	#busy = 0;
	#looking: NodeJS.Timeout | undefined;
	#toldAt = Number.NEGATIVE_INFINITY;

	constructor(world: LinesWorld) {
		this.#world = world;
	}

	/** Visitors that run. */
	get busy(): number {
		return this.#busy;
	}

	counts(): Record<LineState, number> {
		const counts = Object.fromEntries(LINE_STATES.map((state) => [state, 0])) as Record<LineState, number>;
		for (const { state } of this.#lines.keys()) if (state !== "closed") counts[state]++;
		return counts;
	}

	/** Opens a line for each ticket. */
	open(tunnel: Tunnel, tickets: readonly Ticket[]): void {
		for (const ticket of tickets) {
			if (this.#lines.size >= LINES_MAX) this.#world.failed(ticket, "the agent has too many lines");
			else this.#openOne(tunnel, ticket);
		}
	}

	#openOne(tunnel: Tunnel, ticket: Ticket): void {
		const { lookOn } = this.#world;
		const line = new Line(ticket, {
			...(lookOn === undefined ? {} : { lookOn: () => lookOn(tunnel.settings) }),
			dial: (signal) => this.#world.dial(tunnel, signal),
			settings: () => tunnel.settings,
			parked: () => {
				served.wasParked = true;
				this.#world.figures.linesOpened++;
			},
			began: (_, visitor) => this.#began(served, visitor),
			localFailed: (_, why) => {
				this.#world.figures.localFailures++;
				const { name, settings } = tunnel;
				this.#world.report({ event: "local_failed", tunnel: name, local: settings.local.text, why });
			},
			failed: (_, message) => this.#failed(served, ticket, message),
			closed: (_, end) => this.#closed(line, served, end),
		});
		const { number } = tunnel;
		const served: Served = {
			...{ tunnel, number, visitor: 0, source: null, beganAt: 0, wasParked: false },
		};
		this.#lines.set(line, served);
		void line.run();
	}

	#began(served: Served, visitor: Visitor | undefined): void {
		served.visitor = ++this.#visitors;
		served.source = visitor?.source ?? null;
		served.beganAt = performance.now();
		this.#busy++;
		this.#looking ??= setInterval(() => {
			for (const line of this.#lines.keys()) line.look(performance.now());
		}, LOOK_MS);
		const { name } = served.tunnel;
		const { visitor: number, source } = served;
		this.#world.report({ event: "visitor_started", visitor: number, tunnel: name, source });
	}

	#failed({ tunnel }: Served, ticket: Ticket, message: string): void {
		this.#world.failed(ticket, message);
		const now = performance.now();
		if (now - this.#toldAt < TOLD_MS) return;
		this.#toldAt = now;
		this.#world.report({ event: "line_failed", tunnel: tunnel.name, why: message });
	}

	#closed(line: Line, served: Served, end: RelayEnd | undefined): void {
		this.#lines.delete(line);
		const { figures } = this.#world;
		figures.linesClosed[served.visitor > 0 ? "used" : served.wasParked ? "parked" : "failed"]++;
		if (served.visitor === 0) return;
		const { reason, bytesFromVisitor, bytesToVisitor } = end ?? NOTHING;
		figures.visitorEnded(served.tunnel.name, reason);
		figures.bytesFromVisitors += bytesFromVisitor;
		figures.bytesToVisitors += bytesToVisitor;
		this.#world.report({
			...{ event: "visitor_ended", visitor: served.visitor, tunnel: served.tunnel.name },
			...{ source: served.source, bytes_from_visitor: bytesFromVisitor, bytes_to_visitor: bytesToVisitor },
			...{ duration_ms: Math.round(performance.now() - served.beganAt), reason },
		});
		this.#busy--;
		if (this.#busy > 0) return;
		clearInterval(this.#looking);
		this.#looking = undefined;
		this.#world.idle();
	}

	/** Closes those that nobody uses: all, or those that one tunnel had under this number. */
	retire(number?: number): void {
		for (const [line, served] of [...this.#lines])
			if (number === undefined || served.number === number) line.retire();
	}

	/** Closes all, whatever they do. */
	cut(number?: number): void {
		for (const [line, served] of [...this.#lines])
			if (number === undefined || served.number === number) line.cut("drained");
	}
}

const NOTHING: RelayEnd = { reason: "internal", bytesFromVisitor: 0, bytesToVisitor: 0 };

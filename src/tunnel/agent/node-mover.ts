/** Lines over Node's streams. */
import type { Ticket } from "../../protocol/tunnel/index.js";
import { Line } from "./line.js";
import type { LineBook, LineEntry } from "./line-book.js";
import type { Mover } from "./mover.js";
import type { LookOn } from "./onlooker.js";
import type { Tunnel } from "./tunnel.js";
import type { Wire } from "./wire.js";

/** How often visitors are looked at whose ends have deadlines. */
const LOOK_MS = 1_000;

export interface NodeMoverWorld {
	readonly book: LineBook;
	readonly lookOn: LookOn | undefined;
	dial(tunnel: Tunnel, signal: AbortSignal): Promise<Wire>;
}

export class NodeMover implements Mover {
	readonly #world: NodeMoverWorld;
	readonly #lines = new Map<Line, LineEntry>();
	#looking: NodeJS.Timeout | undefined;

	constructor(world: NodeMoverWorld) {
		this.#world = world;
	}

	takes(): boolean {
		return true;
	}

	open(tunnel: Tunnel, tickets: readonly Ticket[]): void {
		for (const ticket of tickets) {
			const entry = this.#world.book.open(tunnel, ticket);
			if (entry !== undefined) this.#openOne(tunnel, entry);
		}
	}

	#openOne(tunnel: Tunnel, entry: LineEntry): void {
		const { book, lookOn } = this.#world;
		const line = new Line(entry.ticket, {
			...(lookOn === undefined ? {} : { lookOn: () => lookOn(tunnel.settings) }),
			dial: (signal) => this.#world.dial(tunnel, signal),
			settings: () => tunnel.settings,
			parked: () => book.parked(entry),
			began: (_, visitor) => {
				book.began(entry, visitor === undefined ? "requests" : "visitor", visitor?.source ?? null);
				this.#looking ??= setInterval(() => this.#look(), LOOK_MS);
			},
			localFailed: (_, why) => book.localFailed(entry, why),
			idleMs: () => tunnel.idleMs,
			dropped: (cause) => book.dropped(cause),
			failed: (_, message) => book.failed(entry, message),
			closed: (_, end) => {
				this.#lines.delete(line);
				book.closed(entry, end);
			},
		});
		this.#lines.set(line, entry);
		void line.run();
	}

	/** While a line is busy. */
	#look(): void {
		const now = performance.now();
		let isBusy = false;
		for (const line of [...this.#lines.keys()]) {
			line.look(now);
			isBusy ||= line.isBusy;
		}
		if (isBusy) return;
		clearInterval(this.#looking);
		this.#looking = undefined;
	}

	retire(number?: number): void {
		for (const [line, entry] of [...this.#lines])
			if (number === undefined || entry.number === number) line.retire();
	}

	cut(): void {
		for (const line of [...this.#lines.keys()]) line.cut("drained");
	}

	metrics(): string {
		return "";
	}

	follow(): void {}

	async end(): Promise<void> {
		clearInterval(this.#looking);
		this.#looking = undefined;
	}
}

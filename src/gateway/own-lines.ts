/** Lines that this process opens as an agent, in its reactors: they are told which, and tell what becomes of them. */
import { f64 } from "../parts/at.js";
import { REASONS, type Reason } from "../parts/reasons.js";
import type { LineGateway, LineOrder, OwnLineNews } from "../reactor/plan/plan.js";
import {
	ID,
	integerOf,
	type Journal,
	SESSION_FROM_CLIENT,
	SESSION_KINDS,
	SESSION_TO_CLIENT,
} from "../reactor/records/journal.js";
import type { Reactors } from "./reactors.js";

/** A session that came by a line, and has ended. */
export interface EndedVisit {
	/** As `began` has told it. */
	readonly session: number;
	readonly reason: Reason;
	readonly bytesFromVisitor: number;
	readonly bytesToVisitor: number;
}

/** What becomes of a line until a visitor has it. */
export type LineNews = Exclude<OwnLineNews, { readonly kind: "ended" }>;

/** Who hears what becomes of lines. */
export interface OwnLinesListener {
	news(item: LineNews): void;
	/** Comes up to 100 ms after the end. */
	ended(visit: EndedVisit): void;
}

export interface OwnLinesWorld {
	readonly reactors: Reactors;
	readonly slotOf: (listener: string) => number;
	/** Has all sessions closed as `drained`. */
	readonly cut: () => void;
}

export class OwnLines {
	readonly #world: OwnLinesWorld;
	readonly #listener: OwnLinesListener;
	/** Which reactor is next. */
	#turn = 0;

	constructor(world: OwnLinesWorld, listener: OwnLinesListener) {
		this.#world = world;
		this.#listener = listener;
	}

	/** Opens a line for each order; their visitors are sessions of this listener. */
	open(listener: string, gateway: LineGateway, orders: readonly LineOrder[]): void {
		const { reactors } = this.#world;
		const slot = this.#world.slotOf(listener);
		const { count } = reactors;
		const shares = Array.from({ length: Math.min(count, orders.length) }, (_, share) =>
			orders.filter((_order, index) => index % count === share),
		);
		for (const lines of shares) {
			reactors.tellOne(this.#turn, { kind: "openLines", listener: slot, gateway, lines });
			this.#turn = (this.#turn + 1) % count;
		}
	}

	/** Closes those that no visitor has: of a listener, or all. */
	close(listener?: string): void {
		const slot = listener === undefined ? -1 : this.#world.slotOf(listener);
		this.#world.reactors.tell({ kind: "closeLines", listener: slot });
	}

	/** Cuts all visitors. */
	cut(): void {
		this.#world.cut();
	}

	heard(items: readonly OwnLineNews[]): void {
		for (const item of items) {
			if (item.kind !== "ended") this.#listener.news(item);
			else this.#tellEnd(item.session, item.reason, item.fromVisitor, item.toVisitor);
		}
	}

	/** A session has ended. */
	ended(journal: Journal, record: number): void {
		this.#tellEnd(
			f64(journal.words, record + ID),
			integerOf(journal, record, SESSION_KINDS) & 0xff,
			f64(journal.words, record + SESSION_FROM_CLIENT),
			f64(journal.words, record + SESSION_TO_CLIENT),
		);
	}

	#tellEnd(session: number, why: number, bytesFromVisitor: number, bytesToVisitor: number): void {
		const reason = REASONS[why];
		if (reason !== undefined) this.#listener.ended({ session, reason, bytesFromVisitor, bytesToVisitor });
	}
}

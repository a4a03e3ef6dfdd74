/**
 * What became of lines of tunnels, for the main thread: gathered in a turn and told in one message. Requests borrow lines and give them
 * back by the thousand, and what is told of each would cost more than the request: so of these only the difference is told, and not
 * at once. Lent twice and back twice is nothing to tell.
 */
import type { LineNewsItem, Notice } from "../plan/plan.js";

/** A difference is told so much later at the most. */
const HELD_MS = 1;

export class LineNews {
	#items: LineNewsItem[] = [];
	/** Lines lent to requests, less those that came back, by tunnel; of those tunnels that have had any since all was told. */
	readonly #lent = new Map<number, number>();
	#dueMs = Number.POSITIVE_INFINITY;

	/** Told at the end of the turn. */
	add(item: LineNewsItem): void {
		this.#settle(item.tunnel);
		this.#items.push(item);
	}

	/** A request has borrowed a line (1), or given it back (-1), and nobody waits to hear of that. */
	lend(tunnel: number, more: 1 | -1, nowMs: number): void {
		if (this.#lent.size === 0) this.#dueMs = nowMs + HELD_MS;
		this.#lent.set(tunnel, (this.#lent.get(tunnel) ?? 0) + more);
	}

	/** When there will be something to tell without any further news. */
	get dueMs(): number {
		return this.#dueMs;
	}

	/** At the end of a turn. */
	tell(notify: (notice: Notice) => void, nowMs: number): void {
		if (nowMs >= this.#dueMs) this.tellAll(notify);
		else this.#tell(notify);
	}

	/** Nothing is held back. */
	tellAll(notify: (notice: Notice) => void): void {
		for (const tunnel of this.#lent.keys()) this.#settle(tunnel);
		this.#tell(notify);
	}

	#tell(notify: (notice: Notice) => void): void {
		if (this.#items.length === 0) return;
		const items = this.#items;
		this.#items = [];
		notify({ kind: "lines", items });
	}

	/** What was held back of a tunnel stands before what comes behind it. */
	#settle(tunnel: number): void {
		const lent = this.#lent.get(tunnel);
		if (lent === undefined) return;
		this.#lent.delete(tunnel);
		if (this.#lent.size === 0) this.#dueMs = Number.POSITIVE_INFINITY;
		const kind = lent > 0 ? "taken" : "returned";
		for (let left = Math.abs(lent); left > 0; left--) this.#items.push({ kind, tunnel });
	}
}

/**
 * What became of lines of tunnels, for the main thread: gathered in a turn and told in one message, because requests over them come
 * and go by the thousand.
 */
import type { Notice } from "../plan/plan.js";

/** One piece of news: `amount` of it belong to `waiting` alone. */
export type LineNewsKind = "parked" | "taken" | "returned" | "waiting" | "ended";

/** Where a line was when it ended, and why. */
export type LineEnding = "parked" | "used";

export interface LineNewsItem {
	readonly kind: LineNewsKind;
	/** Number of the tunnel. */
	readonly tunnel: number;
	/** `waiting`: sessions that wait for a line of it here. */
	readonly waiting?: number;
	/** `ended` */
	readonly was?: LineEnding;
	/** `ended`: one of RECYCLE_REASONS; -1: with what it served. */
	readonly why?: number;
}

export class LineNews {
	#items: LineNewsItem[] = [];

	add(item: LineNewsItem): void {
		this.#items.push(item);
	}

	/** At the end of a turn. */
	tell(notify: (notice: Notice) => void): void {
		if (this.#items.length === 0) return;
		const items = this.#items;
		this.#items = [];
		notify({ kind: "lines", items });
	}
}

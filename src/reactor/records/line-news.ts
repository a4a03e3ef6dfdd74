/**
 * What became of lines of tunnels, for the main thread: gathered in a turn and told in one message, because requests over them come
 * and go by the thousand.
 */
import type { LineNewsItem, Notice } from "../plan/plan.js";

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

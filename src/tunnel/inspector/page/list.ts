/** The list of exchanges, the newest first: chosen from by mouse or keyboard, and filtered. */

import { amount, byId, clockTime, duration, element } from "../../../browser/dom.js";
import type { Summary } from "../api.js";

interface Row {
	summary: Summary;
	readonly item: HTMLLIElement;
}

export class List {
	readonly #list = byId("list");
	readonly #rows = new Map<number, Row>();
	readonly #choose: (id: number) => void;
	#most = 1_000;
	#words: readonly string[] = [];
	#chosen: number | undefined;

	constructor(choose: (id: number) => void) {
		this.#choose = choose;
		this.#list.addEventListener("click", (event) => {
			const item = event.target instanceof Element ? event.target.closest("li") : null;
			if (item !== null) this.choose(Number(item.dataset["id"]));
		});
		this.#list.addEventListener("keydown", (event) => this.#key(event));
	}

	get chosen(): number | undefined {
		return this.#chosen;
	}

	summary(id: number): Summary | undefined {
		return this.#rows.get(id)?.summary;
	}

	/** All that there are, and how many there can be. */
	replace(summaries: readonly Summary[], most: number): void {
		this.#most = most;
		// An agent that was started anew counts from 1 again.
		const kept = new Map(summaries.map(({ id, began }) => [id, began]));
		for (const [id, { summary }] of this.#rows) if (kept.get(id) !== summary.began) this.#remove(id);
		for (const summary of [...summaries].reverse()) this.put(summary);
	}

	/** A new one, or a newer picture of one that is there. */
	put(summary: Summary): void {
		const known = this.#rows.get(summary.id);
		if (known !== undefined && known.summary.revision >= summary.revision) return;
		const row = known ?? this.#add(summary);
		row.summary = summary;
		row.item.replaceChildren(...cells(summary));
		row.item.title = `${summary.method} ${summary.target}`;
		this.#show(row);
		byId("none").hidden = true;
	}

	#add(summary: Summary): Row {
		const { id } = summary;
		const item = element("li", {
			role: "option",
			id: `x${id}`,
			"data-id": String(id),
			"aria-selected": "false",
		});
		const row = { summary, item };
		this.#rows.set(id, row);
		this.#list.insertBefore(item, this.#firstOlder(id));
		const [oldest] = this.#rows.keys();
		if (this.#rows.size > this.#most && oldest !== undefined) this.#remove(oldest);
		return row;
	}

	/** Nearly always the one on top: what is new is the newest. */
	#firstOlder(id: number): Element | null {
		for (const item of this.#list.children) if (Number((item as HTMLElement).dataset["id"]) < id) return item;
		return null;
	}

	#remove(id: number): void {
		this.#rows.get(id)?.item.remove();
		this.#rows.delete(id);
	}

	clear(): void {
		for (const id of this.#rows.keys()) this.#remove(id);
		this.#chosen = undefined;
		this.#list.removeAttribute("aria-activedescendant");
		byId("none").hidden = false;
	}

	/** Only what has all of these words is shown. */
	filter(words: readonly string[]): void {
		this.#words = words;
		for (const row of this.#rows.values()) this.#show(row);
	}

	#show({ summary, item }: Row): void {
		const { method, target, host, status, state, tunnel } = summary;
		const text = [method, target, host, status ?? "", state, tunnel].join(" ").toLowerCase();
		item.hidden = !this.#words.every((word) => text.includes(word));
	}

	choose(id: number): void {
		const before = this.#rows.get(this.#chosen ?? -1);
		before?.item.setAttribute("aria-selected", "false");
		const row = this.#rows.get(id);
		if (row === undefined) return;
		this.#chosen = id;
		row.item.setAttribute("aria-selected", "true");
		this.#list.setAttribute("aria-activedescendant", row.item.id);
		row.item.scrollIntoView({ block: "nearest" });
		this.#choose(id);
	}

	focus(): void {
		this.#list.focus();
	}

	#key(event: KeyboardEvent): void {
		if (event.ctrlKey || event.altKey || event.metaKey) return;
		const shown = [...this.#list.children].filter((item) => !(item as HTMLElement).hidden);
		const at = shown.findIndex((item) => item.id === `x${this.#chosen}`);
		const to = { ArrowDown: at + 1, j: at + 1, ArrowUp: at - 1, k: at - 1, Home: 0, End: shown.length - 1 }[
			event.key
		];
		if (event.key === "Enter") byId("detail").focus();
		else if (to === undefined) return;
		else {
			const item = shown[Math.max(0, Math.min(shown.length - 1, to))] as HTMLElement | undefined;
			if (item !== undefined) this.choose(Number(item.dataset["id"]));
		}
		event.preventDefault();
	}
}

function cells(summary: Summary): HTMLElement[] {
	const { method, target, replay_of, began } = summary;
	const isReplay = replay_of === null ? "" : " replayed";
	return [
		element("span", { class: `status ${colour(summary)}` }, outcome(summary)),
		element("span", { class: "method" }, method === "" ? "–" : method),
		element("span", { class: `target${isReplay}` }, target === "" ? (summary.why ?? "") : target),
		element("span", { class: "took", title: clockTime(began) }, took(summary)),
	];
}

/** The status, or what there is instead of one. */
export function outcome({ status, state }: Summary): string {
	if (state === "lost") return "?";
	if (status !== null) return String(status);
	return state === "aborted" ? "✕" : "…";
}

export function colour({ status, state }: Summary): string {
	if (state === "lost" || state === "aborted" || (status ?? 0) >= 500) return "bad";
	if (status === null || status >= 400) return "other";
	return status < 300 ? "good" : "";
}

function took({ state, duration_ms, upgrade }: Summary): string {
	if (upgrade === null || state !== "upgraded") return duration(duration_ms);
	return `${upgrade.protocol} ${amount(upgrade.bytes_from_visitor + upgrade.bytes_to_visitor)}`;
}

/** What a place of the page is: shown in `#view`, until another one is. */
import { element } from "../../../browser/dom.js";
import type { Figures } from "../figures.js";

export interface View {
	readonly title: string;
	readonly root: HTMLElement;
	/** A reading has come; the newest one also right after it is shown. */
	figures?(figures: Figures): void;
	/** Light and dark have changed places. */
	restyle?(): void;
	/** Another one is shown. */
	leave?(): void;
}

/** Asks now, and again every so often until the view is left, one question at a time; not while nobody sees the page. */
export class Asking {
	readonly #ask: () => Promise<void>;
	readonly #everyMs: number;
	#timer: ReturnType<typeof setTimeout> | undefined;
	#isOver = false;
	#isAsking = false;
	#isAskedAgain = false;

	constructor(everyMs: number, ask: () => Promise<void>) {
		this.#ask = ask;
		this.#everyMs = everyMs;
		void this.#go();
	}

	async #go(): Promise<void> {
		this.#isAsking = true;
		do {
			this.#isAskedAgain = false;
			if (!document.hidden) await this.#ask();
		} while (this.#isAskedAgain && !this.#isOver);
		this.#isAsking = false;
		if (!this.#isOver) this.#timer = setTimeout(() => void this.#go(), this.#everyMs);
	}

	/** At once; behind the answer that is under way, which may be of before. */
	now(): void {
		clearTimeout(this.#timer);
		if (this.#isAsking) this.#isAskedAgain = true;
		else if (!this.#isOver) void this.#go();
	}

	end(): void {
		this.#isOver = true;
		clearTimeout(this.#timer);
	}
}

/** A table for a few dozen rows. */
export function plainTable(
	caption: string,
	heads: readonly string[],
	rows: readonly (readonly (Node | string | null)[])[],
): HTMLElement {
	if (rows.length === 0) return element("p", { class: "none" }, `${caption}: none`);
	const table = element(
		"table",
		{},
		element("caption", {}, caption),
		element("thead", {}, element("tr", {}, ...heads.map((head) => element("th", { scope: "col" }, head)))),
		element(
			"tbody",
			{},
			...rows.map((cells) =>
				element(
					"tr",
					{ "data-key": textOf(cells[0]) },
					...cells.map((cell, index) =>
						index === 0 ? element("th", { scope: "row" }, cell) : element("td", {}, cell),
					),
				),
			),
		),
	);
	return element("div", { class: "wide", tabindex: "0", role: "region", "aria-label": caption }, table);
}

/** Of the first cell: what the row is about. */
function textOf(cell: Node | string | null | undefined): string {
	return (typeof cell === "string" ? cell : cell?.textContent) ?? "";
}

export function link(href: string, text: string): HTMLAnchorElement {
	return element("a", { href }, text);
}

/** Sessions that have this in common. */
export function sessionsWith(query: Readonly<Record<string, string>>): string {
	return `#/sessions?${new URLSearchParams(query)}`;
}

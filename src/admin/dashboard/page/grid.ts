/**
 * A table of any number of rows, of which only those in sight have elements: rows are asked for by the page, as they come into sight, and
 * asked for again while they stay. By keyboard: arrows, Page Up and Down, Home, End, and Enter opens what is chosen.
 */
import { element } from "../../../browser/dom.js";

export interface Column<Row> {
	readonly title: string;
	/** What it is sorted by; absent: it cannot be. */
	readonly sort?: string;
	/** In fractions of the width that is there. */
	readonly width: string;
	readonly isNumber?: boolean;
	readonly cell: (row: Row) => string;
}

export interface Rows<Row> {
	readonly total: number;
	readonly rows: readonly Row[];
}

export interface GridOptions<Row> {
	readonly label: string;
	readonly columns: readonly Column<Row>[];
	/** By which a row is known again when it stands elsewhere. */
	readonly key: (row: Row) => number;
	readonly ask: (from: number, count: number) => Promise<Rows<Row>>;
	readonly open: (row: Row) => void;
	readonly sorted?: { readonly by: string; readonly isDescending: boolean };
	readonly sortBy?: (by: string) => void;
	/** It did not answer. */
	readonly failed: (error: unknown) => void;
}

const ROW_PX = 30;
const PAGE_ROWS = 200;
/** Rows beyond those in sight that have elements. */
const BEYOND = 8;
/** Pages that are kept. */
const PAGES_MAX = 50;

export class Grid<Row> {
	readonly root: HTMLElement;
	readonly #options: GridOptions<Row>;
	readonly #body = element("div", { class: "rows", role: "rowgroup" });
	readonly #pages = new Map<number, readonly Row[]>();
	readonly #asked = new Set<number>();
	/** Elements by the number of their row. */
	readonly #shown = new Map<number, HTMLElement>();
	readonly #sizes = new ResizeObserver(() => this.#later());
	#total = 0;
	/** Where the chosen row is; and which one it is, once that is known. */
	#chosen = -1;
	#chosenKey: number | undefined;
	#isDrawn = false;

	constructor(options: GridOptions<Row>) {
		this.#options = options;
		const { label, columns } = options;
		this.root = element("div", { class: "grid", role: "grid", "aria-label": label, tabindex: "0" });
		this.root.style.setProperty("--columns", columns.map(({ width }) => width).join(" "));
		const head = element("div", { role: "row", class: "row head", "aria-rowindex": "1" });
		head.append(...columns.map((column) => this.#head(column)));
		this.root.append(element("div", { role: "rowgroup", class: "heads" }, head), this.#body);
		this.root.addEventListener("scroll", () => this.#later(), { passive: true });
		this.root.addEventListener("keydown", (event) => this.#key(event));
		this.#body.addEventListener("click", ({ target }) => {
			const row = target instanceof Element ? target.closest<HTMLElement>(".row") : null;
			if (row === null) return;
			this.#choose(Number(row.dataset["row"]));
			this.#open();
		});
		this.#sizes.observe(this.root);
	}

	/** It is shown no more. */
	leave(): void {
		this.#sizes.disconnect();
	}

	/** Asks anew for what is in sight. */
	async refresh(): Promise<void> {
		const [first, last] = this.#sight();
		const pages = new Set([Math.floor(first / PAGE_ROWS), Math.floor(Math.max(first, last - 1) / PAGE_ROWS)]);
		await Promise.all([...pages].map((page) => this.#load(page)));
	}

	#head({ title, sort, isNumber = false }: Column<Row>): HTMLElement {
		const { sorted, sortBy } = this.#options;
		const isSorted = sort !== undefined && sorted?.by === sort;
		const cell = element("div", {
			...{ role: "columnheader", class: isNumber ? "number" : "" },
			...(isSorted ? { "aria-sort": sorted.isDescending ? "descending" : "ascending" } : {}),
		});
		if (sort === undefined || sortBy === undefined) cell.append(title);
		else {
			const press = element("button", { type: "button" }, title);
			press.addEventListener("click", () => sortBy(sort));
			cell.append(press);
		}
		return cell;
	}

	/** Numbers of the rows that are to have elements: none where there are none. */
	#sight(): readonly [number, number] {
		const first = Math.max(0, Math.floor(this.root.scrollTop / ROW_PX) - BEYOND);
		const last = Math.ceil((this.root.scrollTop + this.root.clientHeight) / ROW_PX) + BEYOND;
		return [first, Math.min(this.#total, last)];
	}

	#later(): void {
		if (this.#isDrawn) return;
		this.#isDrawn = true;
		requestAnimationFrame(() => {
			this.#isDrawn = false;
			this.#draw();
		});
	}

	#draw(): void {
		const [first, last] = this.#sight();
		for (const [index, row] of this.#shown)
			if (index < first || index >= last) {
				row.remove();
				this.#shown.delete(index);
			}
		for (let index = first; index < last; index++) {
			if (!this.#pages.has(Math.floor(index / PAGE_ROWS))) void this.#load(Math.floor(index / PAGE_ROWS));
			this.#put(index, this.#row(index));
		}
		const chosen = this.#shown.get(this.#chosen);
		if (chosen === undefined || !this.#isChosen(this.#chosen))
			this.root.removeAttribute("aria-activedescendant");
		else this.root.setAttribute("aria-activedescendant", chosen.id);
	}

	#put(index: number, row: Row | undefined): void {
		const shown = this.#shown.get(index) ?? this.#make(index);
		for (const [place, { cell }] of this.#options.columns.entries()) {
			const text = row === undefined ? "" : cell(row);
			const there = shown.children[place] as HTMLElement;
			if (there.textContent !== text) {
				there.textContent = text;
				there.title = text;
			}
		}
		shown.setAttribute("aria-selected", String(this.#isChosen(index)));
	}

	#make(index: number): HTMLElement {
		const made = element("div", {
			...{ role: "row", class: "row", id: `row-${index}`, "data-row": String(index) },
			"aria-rowindex": String(index + 2),
		});
		made.append(
			...this.#options.columns.map(({ isNumber = false }) =>
				element("div", { role: "gridcell", class: isNumber ? "number" : "" }),
			),
		);
		made.style.transform = `translateY(${index * ROW_PX}px)`;
		this.#shown.set(index, made);
		this.#body.append(made);
		return made;
	}

	async #load(page: number): Promise<void> {
		if (this.#asked.has(page)) return;
		this.#asked.add(page);
		try {
			const { total, rows } = await this.#options.ask(page * PAGE_ROWS, PAGE_ROWS);
			// Those that were kept longest go.
			this.#pages.delete(page);
			this.#pages.set(page, rows);
			for (const oldest of this.#pages.keys()) if (this.#pages.size > PAGES_MAX) this.#pages.delete(oldest);
			this.#total = total;
			this.#findChosen(page, rows);
			this.#body.style.blockSize = `${total * ROW_PX}px`;
			this.root.setAttribute("aria-rowcount", String(total + 1));
			this.#later();
		} catch (error) {
			this.#options.failed(error);
		} finally {
			this.#asked.delete(page);
		}
	}

	#row(index: number): Row | undefined {
		return this.#pages.get(Math.floor(index / PAGE_ROWS))?.[index % PAGE_ROWS];
	}

	/** Where another row stands now, the chosen one has gone. */
	#isChosen(index: number): boolean {
		if (index !== this.#chosen) return false;
		const row = this.#row(index);
		return row === undefined || this.#options.key(row) === this.#chosenKey;
	}

	/** Others have come or gone before it; or it was chosen before it was there. */
	#findChosen(page: number, rows: readonly Row[]): void {
		const { key } = this.#options;
		const there = rows[this.#chosen - page * PAGE_ROWS];
		if (this.#chosenKey === undefined) {
			if (there !== undefined) this.#chosenKey = key(there);
			return;
		}
		const place = rows.findIndex((row) => key(row) === this.#chosenKey);
		if (place >= 0) this.#chosen = page * PAGE_ROWS + place;
	}

	#choose(index: number): void {
		this.#chosen = Math.max(0, Math.min(this.#total - 1, index));
		const row = this.#row(this.#chosen);
		this.#chosenKey = row === undefined ? undefined : this.#options.key(row);
		const top = this.#chosen * ROW_PX;
		// The head covers a row.
		const room = this.root.clientHeight - 2 * ROW_PX;
		if (top < this.root.scrollTop) this.root.scrollTop = top;
		else if (top > this.root.scrollTop + room) this.root.scrollTop = top - room;
		this.#draw();
	}

	#open(): void {
		const row = this.#row(this.#chosen);
		if (row !== undefined && this.#isChosen(this.#chosen)) this.#options.open(row);
	}

	#key(event: KeyboardEvent): void {
		if (event.target !== this.root || event.ctrlKey || event.altKey || event.metaKey) return;
		const page = Math.max(1, Math.floor(this.root.clientHeight / ROW_PX) - 2);
		const to = {
			ArrowDown: this.#chosen + 1,
			ArrowUp: this.#chosen - 1,
			PageDown: this.#chosen + page,
			PageUp: this.#chosen - page,
			Home: 0,
			End: this.#total - 1,
		}[event.key];
		if (event.key === "Enter") this.#open();
		else if (to !== undefined) this.#choose(to);
		else return;
		event.preventDefault();
	}
}

/** The list of sessions that live: filtered and sorted by the gateway, as far as one looks at it. */
import { button, element } from "../../../browser/dom.js";
import type { Listing, LiveSession } from "../../session-view.js";
import { ask, type Query } from "./ask.js";
import { confirmAndDo, tell } from "./dialogs.js";
import { age, bytes, counting, whole } from "./format.js";
import { type Column, Grid } from "./grid.js";
import { Asking, type View } from "./view.js";

export const SESSION_COLUMNS: readonly Column<LiveSession>[] = [
	{ title: "Id", sort: "id", width: "5rem", isNumber: true, cell: ({ id }) => String(id) },
	{ title: "State", width: "6.5rem", cell: ({ state }) => state },
	{ title: "Kind", width: "5rem", cell: ({ protocol }) => protocol },
	{ title: "Client", width: "minmax(8rem, 2fr)", cell: ({ source }) => source },
	{ title: "Name", width: "minmax(6rem, 3fr)", cell: ({ name }) => name ?? "" },
	{ title: "Route", width: "minmax(6rem, 2fr)", cell: ({ route }) => route ?? "" },
	{ title: "Upstream", width: "minmax(6rem, 2fr)", cell: ({ upstream }) => upstream ?? "" },
	{ title: "Age", sort: "age", width: "5.5rem", isNumber: true, cell: ({ age_ms }) => age(age_ms) },
	{ title: "Idle", sort: "idle", width: "5.5rem", isNumber: true, cell: ({ idle_ms }) => age(idle_ms) },
	{
		...{ title: "Bytes", sort: "bytes", width: "6rem", isNumber: true },
		cell: ({ bytes_from_client, bytes_to_client }) => bytes(bytes_from_client + bytes_to_client),
	},
	{
		...{ title: "Buffered", sort: "buffered", width: "6rem", isNumber: true },
		cell: ({ buffered_bytes }) => bytes(buffered_bytes),
	},
];

/** What the list can be narrowed by; the names are the API's. */
const FILTERS = [
	"name",
	"source",
	"listener",
	"route",
	"upstream",
	"address",
	"protocol",
	"state",
	"min_age",
	"min_idle",
] as const;

/** These leave no session out. */
const OF_ORDER: ReadonlySet<string> = new Set(["sort", "order"]);

const REFRESH_MS = 2_000;

/** A pause in writing so long, and what was written is looked for. */
const TYPED_MS = 700;

/** What is to be written, where the API's name does not say it. */
const HINTS: Readonly<Record<string, string>> = {
	name: "name, *.name",
	source: "source, or block",
	min_age: "older than: 10m",
	min_idle: "idle for: 1m",
};

/** Fields of a filter; what is written in them goes into the address of the page. */
export function filterFields(
	names: readonly string[],
	query: Query,
	changed: (query: Query) => void,
): HTMLElement {
	const fields = element("div", { class: "filters", role: "search" });
	// What a link has asked for is to be seen, and taken back, like what was written here.
	const others = Object.keys(query).filter((name) => !names.includes(name) && !OF_ORDER.has(name));
	for (const name of [...names, ...others]) {
		const field = element("input", {
			...{ type: "search", placeholder: HINTS[name] ?? name, "aria-label": `Only with this ${name}` },
			...{ autocomplete: "off", spellcheck: "false" },
		});
		field.value = query[name] ?? "";
		let later: ReturnType<typeof setTimeout> | undefined;
		const apply = (): void => {
			clearTimeout(later);
			if (field.isConnected) changed({ ...query, [name]: field.value.trim() });
		};
		field.addEventListener("change", apply);
		field.addEventListener("input", () => {
			clearTimeout(later);
			later = setTimeout(apply, TYPED_MS);
		});
		fields.append(field);
	}
	return fields;
}

/** `go`: shows the list with another query. */
export class Sessions implements View {
	readonly title = "Sessions";
	readonly root = element("div", { class: "filled" });
	readonly #grid: Grid<LiveSession>;
	readonly #asking: Asking;

	constructor(query: Query, go: (query: Query) => void) {
		const { sort = "id", order } = query;
		const isDescending = order === undefined || order === "" ? sort !== "id" : order === "desc";
		const counted = element("p", { role: "status" });
		let fitting = 0;
		const filter = Object.fromEntries(Object.entries(query).filter(([name]) => !OF_ORDER.has(name)));
		this.#grid = new Grid({
			...{ label: "Sessions that live", columns: SESSION_COLUMNS, sorted: { by: sort, isDescending } },
			key: ({ id }) => id,
			ask: async (offset, limit) => {
				const { total, matched, sessions } = await ask<Listing>("/api/sessions", {
					...{ ...query, sort, order: isDescending ? "desc" : "asc" },
					...{ offset: String(offset), limit: String(limit) },
				});
				fitting = matched;
				counted.textContent = matched === total ? whole(total) : `${whole(matched)} of ${whole(total)}`;
				return { total: matched, rows: sessions };
			},
			open: ({ id }) => {
				location.hash = `#/sessions/${id}`;
			},
			sortBy: (by) => go({ ...query, sort: by, order: by === sort && isDescending ? "asc" : "desc" }),
			failed: (error) => void tell(error),
		});
		const close = button("Close these", () => {
			const isAll = Object.values(filter).every((value) => value === "");
			void confirmAndDo({
				says: `Close ${isAll ? "ALL" : "the"} ${counting(fitting, "session")}${isAll ? "" : " that fit this filter"}, as operator.`,
				verb: "Close",
				...{ path: "/api/sessions/close", query: isAll ? { all: "true" } : filter },
			}).then(() => this.#asking.now());
		});
		const tools = element("div", { class: "tools" }, counted, close);
		this.root.append(element("h1", {}, "Sessions"), filterFields(FILTERS, query, go), tools, this.#grid.root);
		this.#asking = new Asking(REFRESH_MS, () => this.#grid.refresh());
	}

	leave(): void {
		this.#asking.end();
		this.#grid.leave();
	}
}

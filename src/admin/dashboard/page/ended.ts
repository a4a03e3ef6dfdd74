/** The last sessions that ended, and why. */
import { element } from "../../../browser/dom.js";
import type { EndedListing, EndedSession } from "../../session-view.js";
import { ask, type Query } from "./ask.js";
import { tell } from "./dialogs.js";
import { age, bytes, whole } from "./format.js";
import { type Column, Grid } from "./grid.js";
import { filterFields } from "./sessions.js";
import { meaningOf, timelineOf } from "./timeline.js";
import { Asking, type View } from "./view.js";

const COLUMNS: readonly Column<EndedSession>[] = [
	{ title: "Id", width: "5rem", isNumber: true, cell: ({ id }) => String(id) },
	{ title: "Ended", width: "8rem", cell: ({ closed }) => new Date(closed).toLocaleTimeString() },
	{ title: "Reason", width: "9rem", cell: ({ reason }) => reason },
	{ title: "Kind", width: "5rem", cell: ({ protocol }) => protocol },
	{ title: "Client", width: "minmax(8rem, 2fr)", cell: ({ source }) => source },
	{ title: "Name", width: "minmax(6rem, 3fr)", cell: ({ name }) => name ?? "" },
	{ title: "Upstream", width: "minmax(6rem, 2fr)", cell: ({ upstream }) => upstream ?? "" },
	{
		...{ title: "Lived", width: "5.5rem", isNumber: true },
		cell: ({ accepted, closed }) => age(Date.parse(closed) - Date.parse(accepted)),
	},
	{
		...{ title: "Bytes", width: "6rem", isNumber: true },
		cell: ({ bytes_from_client, bytes_to_client }) => bytes(bytes_from_client + bytes_to_client),
	},
];

const FILTERS = ["reason", "name", "source", "listener", "route", "upstream", "address", "protocol"] as const;
/** As many as the gateway remembers. */
const REMEMBERED = 10_000;
const REFRESH_MS = 5_000;

export class Ended implements View {
	readonly title = "Ended";
	readonly root = element("div", { class: "filled" });
	readonly #asking: Asking;
	readonly #grid: Grid<EndedSession>;

	constructor(query: Query, go: (query: Query) => void) {
		const counted = element("p", { role: "status" });
		const chosen = element("div", { class: "chosen" });
		this.#grid = new Grid<EndedSession>({
			...{ label: "Sessions that have ended, the last one first", columns: COLUMNS },
			key: ({ id }) => id,
			ask: async (offset, limit) => {
				const { matched, sessions } = await ask<EndedListing>("/api/ended", {
					...{ ...query, offset: String(offset), limit: String(limit) },
				});
				counted.textContent = `${whole(matched)} of the last ${whole(REMEMBERED)}`;
				return { total: matched, rows: sessions };
			},
			open: (session) => chosen.replaceChildren(timelineOf(session, session.closed), meaningOf(session)),
			failed: (error) => void tell(error),
		});
		this.root.append(
			element("h1", {}, "Sessions that have ended"),
			...[
				filterFields(FILTERS, query, go),
				element("div", { class: "tools" }, counted),
				chosen,
				this.#grid.root,
			],
		);
		this.#asking = new Asking(REFRESH_MS, () => this.#grid.refresh());
	}

	leave(): void {
		this.#asking.end();
		this.#grid.leave();
	}
}

/** Where operators ask for sessions, live ones and those that have ended, and have them closed. */
import type {
	EndedFilter,
	EndedListing,
	EndedPage,
	Listing,
	Page,
	SessionCensus,
	SessionDesk,
	SessionDetails,
	SessionFilter,
} from "../../admin/session-view.js";
import { u16 } from "../../parts/at.js";
import type { Names } from "../log-lines.js";
import type { Reactors } from "../reactors.js";
import { censusOf } from "./census.js";
import { WallClock } from "./clock.js";
import { detailsOf } from "./details.js";
import type { EndedSessions } from "./ended.js";
import { isStill, LiveSessions, type Place } from "./live.js";

export class Desk implements SessionDesk {
	readonly #reactors: Reactors;
	readonly #names: Names;
	readonly #live: LiveSessions;
	readonly #ended: EndedSessions;
	readonly #readJournals: () => void;

	/** `readJournals`: what has ended until now is among `ended` then. */
	constructor(reactors: Reactors, names: Names, ended: EndedSessions, readJournals: () => void) {
		this.#reactors = reactors;
		this.#names = names;
		this.#live = new LiveSessions(() => reactors.rows, names);
		this.#ended = ended;
		this.#readJournals = readJournals;
	}

	list(filter: SessionFilter, page: Page): Listing {
		return this.#live.list(filter, page);
	}

	/** Where it is; `undefined`: it does not live. */
	place(id: number): Place | undefined {
		return this.#live.find(id);
	}

	details(id: number): SessionDetails | undefined {
		const place = this.#live.find(id);
		const rows = place === undefined ? undefined : this.#reactors.rows[place.reactor];
		if (place === undefined || rows === undefined) return undefined;
		const { reactor, row, number } = place;
		const clock = new WallClock();
		const live = this.#live.describe(place, clock);
		if (live === undefined) return undefined;
		const policy = this.#reactors.policyOf(reactor, u16(rows.table.policy, row));
		const details = detailsOf(live, rows, row, policy, clock);
		// Its descriptors were its own as long as its row was.
		return isStill(rows, row, number) ? details : undefined;
	}

	ended(filter: EndedFilter, page: EndedPage): EndedListing {
		this.#readJournals();
		return this.#ended.list(filter, page);
	}

	close(filter: SessionFilter, reason?: number): number {
		const places = this.#live.matching(filter);
		this.#reactors.close(places, reason);
		return places.length;
	}

	census(): SessionCensus {
		return censusOf(this.#reactors.rows, this.#names);
	}

	/** How many fit. */
	count(filter: SessionFilter): number {
		return this.#live.matching(filter).length;
	}
}

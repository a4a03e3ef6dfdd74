/** Idle upstream connections, by address: lists of places, threaded through the link columns. */

import { assert, thorough } from "../../parts/assert.js";
import { type Cells, i32 } from "../../parts/at.js";
import { pushFront, removeFrom } from "../../parts/linked-lists.js";
import { PLACES } from "../../upstream/board.js";
import { NONE, type Place, type Session } from "../table/numbers.js";
import type { LinkColumns } from "./columns.js";

export class IdleLists {
	/** The first place of each list. */
	readonly heads = new Int32Array(PLACES).fill(NONE) as Cells<Place>;
	readonly lengths = new Int32Array(PLACES);
	/** Idle connections in all of these lists. */
	idle = 0;
	/** Idle connections that belong to a session, over all sessions: these are in their owners' lists. */
	owned = 0;
	/** Where the next connection is looked for that makes room for another. */
	roomFrom = 0;
	readonly #links: LinkColumns;

	constructor(links: LinkColumns) {
		this.#links = links;
	}

	/** It waits for the next request to its address. */
	add(address: number, place: Place): void {
		this.#check(place);
		pushFront(this.#links, this.heads, address, place);
		this.lengths[address] = i32(this.lengths, address) + 1;
		this.idle++;
	}

	/** It waits for the next request of the session that it belongs to. */
	addOwned(session: Session, place: Place): void {
		this.#check(place);
		pushFront(this.#links, this.#links.owned, session, place);
		this.owned++;
	}

	/** Takes a place out of the list that it is in. */
	remove(place: Place): void {
		const links = this.#links;
		const owner = i32(links.owner, place);
		if (owner !== NONE) {
			removeFrom(links, links.owned, owner, place);
			this.owned--;
			return;
		}
		const address = i32(links.address, place);
		removeFrom(links, this.heads, address, place);
		this.lengths[address] = i32(this.lengths, address) - 1;
		this.idle--;
		assert(this.idle >= 0 && i32(this.lengths, address) >= 0, "no more are taken out than were put in");
	}

	/** It is in no list yet. */
	#check(place: Place): void {
		if (!thorough.isOn) return;
		for (const head of this.heads)
			for (let other = head; other !== NONE; other = i32(this.#links.next, other))
				assert(other !== place, "a connection waits in one list");
	}
}

/**
 * First-in-first-out lists of places, any of which may leave from the middle: adding and removing are O(1) and allocate nothing.
 * A place is in one list of an object at most.
 *
 *     first ──► place ──► place ──► place ◄── last
 */
import { i32 } from "./at.js";
import { NONE } from "./none.js";

export class Queues {
	readonly #first: Int32Array;
	readonly #last: Int32Array;
	readonly #next: Int32Array;
	readonly #previous: Int32Array;

	constructor(lists: number, places: number) {
		this.#first = new Int32Array(lists).fill(NONE);
		this.#last = new Int32Array(lists).fill(NONE);
		this.#next = new Int32Array(places).fill(NONE);
		this.#previous = new Int32Array(places).fill(NONE);
	}

	/** The place that has been in the list for longest; NONE: it is empty. */
	first(list: number): number {
		return i32(this.#first, list);
	}

	/** Who came next after a place of a list. */
	next(place: number): number {
		return i32(this.#next, place);
	}

	push(list: number, place: number): void {
		const last = i32(this.#last, list);
		this.#next[place] = NONE;
		this.#previous[place] = last;
		if (last === NONE) this.#first[list] = place;
		else this.#next[last] = place;
		this.#last[list] = place;
	}

	/** It is in that list. */
	remove(list: number, place: number): void {
		const next = i32(this.#next, place);
		const previous = i32(this.#previous, place);
		if (next === NONE) this.#last[list] = previous;
		else this.#previous[next] = previous;
		if (previous === NONE) this.#first[list] = next;
		else this.#next[previous] = next;
	}
}

/**
 * Doubly linked lists of places, threaded through two columns that the caller has: adding and removing are O(1) and allocate
 * nothing. A place is in one list at most.
 *
 *     head ──► place ──► place ──► NONE        `next` leads on, `previous` leads back
 */
import { i32 } from "./at.js";
import { NONE } from "./none.js";

export interface ListColumns {
	readonly next: Int32Array;
	readonly previous: Int32Array;
}

/** Puts a place in front of the list whose first place is `heads[list]`. */
export function pushFront(
	{ next, previous }: ListColumns,
	heads: Int32Array,
	list: number,
	place: number,
): void {
	const head = i32(heads, list);
	next[place] = head;
	previous[place] = NONE;
	if (head !== NONE) previous[head] = place;
	heads[list] = place;
}

/** Takes a place out of the list whose first place is `heads[list]`. */
export function removeFrom(
	{ next, previous }: ListColumns,
	heads: Int32Array,
	list: number,
	place: number,
): void {
	const after = i32(next, place);
	const before = i32(previous, place);
	if (after !== NONE) previous[after] = before;
	if (before !== NONE) next[before] = after;
	else heads[list] = after;
}

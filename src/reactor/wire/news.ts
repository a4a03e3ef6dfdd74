/** What events and reads say about what can be read. Edges are told once, so flags of the row remember them. */

import { EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLPRI, EPOLLRDHUP } from "../../kernel/constants.js";
import { i32 } from "../../parts/at.js";
import type { TableContext } from "../table/context.js";
import { BULK, END_NEXT, ENDING, READABLE, URGENT } from "../table/marks.js";
import type { Slot } from "../table/numbers.js";

const ENDS = EPOLLRDHUP | EPOLLHUP | EPOLLERR;

/** Bytes, an end or an error. */
export const SAYS_SOMETHING = EPOLLIN | EPOLLPRI | ENDS;

/** Returns the row's flags with what the event says. */
export function noteNews(core: TableContext, slot: Slot, events: number): number {
	const { flags } = core.table;
	let mine = i32(flags, slot);
	if ((events & SAYS_SOMETHING) === 0) return mine;
	const ends = events & ENDS;
	if (ends === 0) mine |= READABLE;
	// A reset shuts both directions, and leaves an error: that is no end to be carried on.
	else mine |= ends === EPOLLRDHUP ? READABLE | ENDING | END_NEXT : READABLE | ENDING;
	// A splice would stop at the mark.
	if ((events & EPOLLPRI) !== 0) mine = (mine | URGENT) & ~BULK;
	flags[slot] = mine;
	return mine;
}

/** Nothing more is there, unless an end was announced, which can still follow, or urgent data hides what is behind it. */
export function notReadable(core: TableContext, slot: Slot): void {
	const { flags } = core.table;
	const mine = i32(flags, slot);
	if ((mine & (ENDING | URGENT)) === 0) flags[slot] = mine & ~READABLE;
}

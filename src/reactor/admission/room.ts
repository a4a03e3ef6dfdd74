/** What a reactor remembers of its search for room, so that a flood does not buy a look at all rows with each connection. */

import type { Pieces } from "../../route/pieces.js";
import type { Session } from "../table/numbers.js";

/**
 * Sessions that are closed after one look at the rows, and for one turn's sake: closing one whose peer never took what
 * waits for it can take the kernel a fifth of a millisecond.
 */
export const CLOSED_AT_ONCE = 16;

/** Looks at all rows behind one wait, for connections that need room at once. Each is a quarter of a millisecond or so. */
const LOOKS_PER_WAIT = 3;

export class Room {
	/** When the other reactors were asked last. */
	askedMs = Number.NEGATIVE_INFINITY;
	/** Until then no further look is made, at least not among sessions that are not routed yet. */
	nobodyUntilMs = Number.NEGATIVE_INFINITY;
	nobodyWasUnrecognized = false;
	#lookedWait = -1;
	#looks = 0;
	/** The rest of a share that began to go. */
	work: Pieces | undefined;
	isForUnrecognizedOnly = false;
	/** Clients whose unfinished heads are oldest, as one look has found them for the wait `headsWait`. */
	heads: Session[] = [];
	/** There are no others. */
	headsAreAll = false;
	headsWait = -1;
	/** Sessions that were found to hold memory: their generations, by client row, and one more, so that 0 is none. */
	readonly holders: Int32Array;

	constructor(sessions: number) {
		this.holders = new Int32Array(sessions);
	}

	/** All rows may be looked through once more behind this wait. */
	mayLook(wait: number): boolean {
		if (this.#lookedWait !== wait) this.#looks = 0;
		this.#lookedWait = wait;
		return this.#looks++ < LOOKS_PER_WAIT;
	}

	/** LATER was returned behind this wait: there may be room behind the next one. */
	isPutOff(wait: number): boolean {
		return this.#lookedWait === wait && this.#looks > LOOKS_PER_WAIT;
	}
}

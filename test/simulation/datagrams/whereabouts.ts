/** Where a client is answered that comes from several addresses: as far as that can be known from outside. */

/** How long a client stays where it was found last (`src/reactor/datagrams/flows.ts`). */
const MOVE_MS = 500;

export class Whereabouts {
	/** Undefined: at one of the addresses that it had. */
	at: string | undefined;
	/** Between these it has moved last. */
	#movedMs = 0;
	#movedAtLatestMs = 0;
	/** While that is not known: where it was heard from last, and since when from nowhere else. */
	#heardFrom = "";
	#heardSinceMs = 0;
	#isUnknown = false;

	constructor(at: string | undefined) {
		this.at = at;
	}

	hear(from: string, nowMs: number): void {
		if (this.#isUnknown) return;
		if (this.at === undefined) this.#guess(from, nowMs);
		else if (this.at === from || nowMs - this.#movedMs < MOVE_MS) return;
		else if (nowMs - this.#movedAtLatestMs >= MOVE_MS) this.#move(from, nowMs, nowMs);
		else {
			this.at = undefined;
			this.#guess(from, nowMs);
		}
	}

	/** It cannot be known any more. */
	giveUp(): void {
		this.#isUnknown = true;
		this.at = undefined;
	}

	/** It may have come from somewhere. */
	lose(): void {
		this.at = undefined;
		this.#heardFrom = "";
	}

	#guess(from: string, nowMs: number): void {
		if (this.#heardFrom !== from) {
			this.#heardFrom = from;
			this.#heardSinceMs = nowMs;
		} else if (nowMs - this.#heardSinceMs >= MOVE_MS) this.#move(from, this.#heardSinceMs, nowMs);
	}

	#move(to: string, fromMs: number, toMs: number): void {
		this.at = to;
		this.#movedMs = fromMs;
		this.#movedAtLatestMs = toMs;
		this.#heardFrom = "";
	}
}

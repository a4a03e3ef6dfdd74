/** Whether something is up, as checks of it find: one that fails once may be busy, and one that works once may still be starting. */

export interface Streaks {
	/** Failures in a row until it is down. */
	readonly fall: number;
	/** Successes in a row until it is up again. */
	readonly rise: number;
}

export class Standing {
	/** Results in a row that contradict it. */
	#contrary = 0;
	#isDown: boolean;

	constructor(isDown = false) {
		this.#isDown = isDown;
	}

	get isDown(): boolean {
		return this.#isDown;
	}

	/** A check is over. True: it is down now and was up, or the other way round. */
	take(isGood: boolean, { fall, rise }: Streaks): boolean {
		if (isGood !== this.#isDown) {
			this.#contrary = 0;
			return false;
		}
		this.#contrary++;
		if (this.#contrary < (isGood ? rise : fall)) return false;
		this.#contrary = 0;
		this.#isDown = !isGood;
		return true;
	}
}

/** What this machine lacks says nothing about what is checked. */
export function isOurOwn(error: NodeJS.ErrnoException | undefined): boolean {
	return ["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM", "EADDRNOTAVAIL"].includes(error?.code ?? "");
}

/** A bound on everything the generator waits for: a proxy that loses a byte must fail its row, not hang the run. */
export class Deadline {
	readonly #at: number;
	readonly #what: string;

	constructor(what: string, ms: number) {
		this.#what = what;
		this.#at = performance.now() + ms;
	}

	/** Throws when the time is over; `progress` says how far things got. */
	check(progress: string): void {
		if (performance.now() > this.#at) throw new Error(`${this.#what}: no end in sight (${progress})`);
	}
}

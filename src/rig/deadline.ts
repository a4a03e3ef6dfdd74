/** A bound on everything that a load waits for: a target that loses a byte must fail it, and not hang whoever drives it. */
export class Deadline {
	readonly #atMs: number;
	readonly #what: string;

	constructor(what: string, ms: number) {
		this.#what = what;
		this.#atMs = performance.now() + ms;
	}

	/** Whole milliseconds, rounded up; 0 when the time is over. */
	get leftMs(): number {
		return Math.max(0, Math.ceil(this.#atMs - performance.now()));
	}

	/** `progress` says how far things got. */
	error(progress: string): Error {
		return new Error(`${this.#what}: no end in sight (${progress})`);
	}

	/** Throws when the time is over. */
	check(progress: string): void {
		if (this.leftMs === 0) throw this.error(progress);
	}
}

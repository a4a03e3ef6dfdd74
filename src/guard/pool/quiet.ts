/** Waiting until nothing is left. */

/** One wait at a time, for a condition that is looked at after each change. */
export class Quiet {
	#wake: (() => void) | undefined;

	/** Something has changed. */
	changed(): void {
		this.#wake?.();
	}

	/** Its timer keeps the process alive: somebody waits for the report, and it is bounded. */
	until(isQuiet: () => boolean, withinMs: number): Promise<void> {
		if (isQuiet() || withinMs === 0) return Promise.resolve();
		return new Promise((resolve) => {
			const done = (): void => {
				clearTimeout(timer);
				this.#wake = undefined;
				resolve();
			};
			const timer = setTimeout(done, withinMs);
			this.#wake = () => {
				if (isQuiet()) done();
			};
		});
	}
}

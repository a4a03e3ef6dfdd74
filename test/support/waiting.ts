/** Waiting for something to happen, always with a deadline and a sentence about what did not come. */
import { setTimeout as sleep } from "node:timers/promises";

/**
 * Long enough for two cores on which twenty programs want to run; a test that passes never waits for it. All tests have
 * this one: a shorter one finds no more, and fails where there is much to do.
 */
export const PATIENCE_MS = 60_000;

/** No test takes so long unless it hangs. */
export const TEST_MS = 5 * PATIENCE_MS;

/** How often something that announces nothing (a table in /proc, a metric) is looked at. */
const POLL_MS = 10;

/** A state that announces its changes, so that whoever waits looks exactly then. */
export class Changes {
	readonly #waiters = new Set<() => void>();

	/** The state is different now. */
	announce(): void {
		for (const look of [...this.#waiters]) look();
	}

	/** The first value that `read` gives, asked now and after each change. */
	until<T>(read: () => T | undefined, missing: () => string, patienceMs = PATIENCE_MS): Promise<T> {
		return new Promise((resolve, reject) => {
			const finish = (): void => {
				this.#waiters.delete(look);
				clearTimeout(timer);
			};
			const look = (): void => {
				try {
					const value = read();
					if (value === undefined) return;
					finish();
					resolve(value);
				} catch (error) {
					// It can no longer come: whoever waits learns why at once.
					finish();
					reject(error);
				}
			};
			const timer = setTimeout(() => {
				finish();
				reject(new Error(`nothing after ${patienceMs} ms: ${missing()}`));
			}, patienceMs);
			this.#waiters.add(look);
			look();
		});
	}
}

/** For what announces nothing: looks again and again until `read` gives a value. */
export async function eventually<T>(
	read: () => T | undefined | Promise<T | undefined>,
	missing: () => string,
	patienceMs = PATIENCE_MS,
): Promise<T> {
	const giveUpAtMs = performance.now() + patienceMs;
	for (;;) {
		const value = await read();
		if (value !== undefined) return value;
		if (performance.now() > giveUpAtMs) throw new Error(`nothing after ${patienceMs} ms: ${missing()}`);
		await sleep(POLL_MS);
	}
}

/** How long an agent waits before it connects again. */

const LEAST_MS = 500;

/** Who was logged in for so long has had a connection that works: the next time is the first again. */
const STEADY_MS = 5_000;

/**
 * At once the first time; then after half a second up to a bound that doubles each time, drawn at random, so that a thousand agents
 * of a gateway that was restarted do not come all together.
 */
export class Backoff {
	readonly #mostMs: number;
	readonly #random: () => number;
	#boundMs = LEAST_MS;
	#atOnce = true;

	constructor(mostMs: number, random: () => number = Math.random) {
		this.#mostMs = Math.max(mostMs, LEAST_MS);
		this.#random = random;
	}

	/** `readyMs`: how long the agent was logged in; 0 when it did not come to that. `leastMs`: what the gateway asks for. */
	next(readyMs: number, leastMs = 0): number {
		if (readyMs >= STEADY_MS) {
			this.#boundMs = LEAST_MS;
			this.#atOnce = true;
		}
		if (readyMs > 0 && this.#atOnce && leastMs === 0) {
			this.#atOnce = false;
			return 0;
		}
		this.#boundMs = Math.min(this.#mostMs, this.#boundMs * 2);
		return Math.max(leastMs, LEAST_MS + this.#random() * (this.#boundMs - LEAST_MS));
	}
}

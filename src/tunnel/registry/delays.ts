/** Who logged in wrongly waits before his next login is looked at: each time twice as long. */
import { sourceOf } from "../../guard/sources.js";

const FIRST_MS = 1_000;
const LONGEST_MS = 60_000;
/** After so long without a wrong login an address is as a stranger again. */
const FORGET_MS = 10 * LONGEST_MS;
/** Addresses that are remembered: a few hundred kilobytes. Who has more of them is not held up by this table, but by Ed25519. */
const ADDRESSES_MAX = 4_096;

interface Waiting {
	untilMs: number;
	delayMs: number;
}

export class Delays {
	readonly #now: () => number;
	/** By address, IPv6 by its /64; the longest untouched first. */
	readonly #waiting = new Map<string, Waiting>();

	constructor(now: () => number) {
		this.#now = now;
	}

	get size(): number {
		return this.#waiting.size;
	}

	/** How long this address has to wait yet; 0: it is looked at. */
	left(address: string): number {
		const untilMs = this.#waiting.get(sourceOf(address))?.untilMs ?? 0;
		return Math.max(0, untilMs - this.#now());
	}

	/** A login was wrong. Returns how long the next has to wait. */
	wrong(address: string): number {
		const key = sourceOf(address);
		const now = this.#now();
		const before = this.#waiting.get(key);
		const isKnown = before !== undefined && now - before.untilMs < FORGET_MS;
		const delayMs = isKnown ? Math.min(before.delayMs * 2, LONGEST_MS) : FIRST_MS;
		this.#waiting.delete(key);
		this.#waiting.set(key, { untilMs: now + delayMs, delayMs });
		const [oldest] = this.#waiting.keys();
		if (this.#waiting.size > ADDRESSES_MAX && oldest !== undefined) this.#waiting.delete(oldest);
		return delayMs;
	}
}

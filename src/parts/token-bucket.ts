/**
 * The arithmetic of token buckets, without a clock: the reactor keeps its buckets in columns that threads share, the library
 * keeps them in objects, and both count alike.
 */

/**
 * Tokens at `nowMs`, of a bucket that had `tokens` at `countedMs` and never holds more than `burst`. Infinitely many mean a full
 * bucket.
 */
export function refilled(
	tokens: number,
	countedMs: number,
	perSecond: number,
	burst: number,
	nowMs: number,
): number {
	return Math.min(burst, tokens + ((nowMs - countedMs) * perSecond) / 1_000);
}

/** Milliseconds until a bucket that has `tokens` has `needed` of them. 0: it has. */
export function msUntil(needed: number, tokens: number, perSecond: number): number {
	return tokens >= needed ? 0 : ((needed - tokens) * 1_000) / perSecond;
}

/** What a bucket holds where nothing else is said: one second's worth, and never less than one token. */
export function usualBurst(perSecond: number): number {
	return Math.max(1, perSecond);
}

/** A bucket that no other thread shares. It begins full. */
export class Bucket {
	readonly perSecond: number;
	readonly burst: number;
	#tokens: number;
	#countedMs: number;

	constructor(perSecond: number, burst: number, nowMs: number) {
		this.perSecond = perSecond;
		this.burst = burst;
		this.#tokens = burst;
		this.#countedMs = nowMs;
	}

	/** Tokens in it at `nowMs`, a fraction included. */
	at(nowMs: number): number {
		this.#tokens = refilled(this.#tokens, this.#countedMs, this.perSecond, this.burst, nowMs);
		this.#countedMs = nowMs;
		return this.#tokens;
	}

	/** Takes tokens that are there. False: they are not, and nothing is taken. */
	take(tokens: number, nowMs: number): boolean {
		if (this.at(nowMs) < tokens) return false;
		this.#tokens -= tokens;
		return true;
	}
}

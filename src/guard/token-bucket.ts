/**
 * A rate, and a line of those who wait for it. The package's entry `sluice/token-bucket`; docs/library/token-bucket.md tells
 * what for.
 */
import { Line, type Place } from "../parts/line.js";
import { onAbort } from "../parts/on-abort.js";
import { Bucket, msUntil, usualBurst } from "../parts/token-bucket.js";
import { OptionError, requireKnown, toCount } from "./units.js";

export { OptionError } from "./units.js";

/** So many promises are some hundred kilobytes. Whoever has more in line has a queue to think about, not a rate. */
const WAITERS_MAX = 1_024;

/** The longest that a timer of Node's can be; a longer wait is waited for in pieces. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/** What a bucket gives, and how many may wait for it. */
export interface TokenBucketOptions {
	/** Tokens per second, also fractions: 0.1 is one every ten seconds. More than 0. */
	readonly perSecond: number;
	/**
	 * Tokens that a full bucket holds: what can be taken at once after a pause, and the most that one `take` can ask for. The
	 * bucket starts full. Default: one second's worth, and at least 1.
	 */
	readonly burst?: number;
	/**
	 * Takes that may wait at a time; one more is refused with TooManyWaiters. Default 1,024. With 0 nobody waits.
	 */
	readonly waitersMax?: number;
	/** Milliseconds that never go back, for tests. Default `performance.now`. */
	readonly now?: () => number;
}

/** How one take waits. */
export interface TakeOptions {
	/** Ends the wait: the promise is rejected with the signal's reason, and nothing was taken. */
	readonly signal?: AbortSignal | undefined;
}

/** As many takes wait as may (`waitersMax`). Nothing was taken: answer "busy", or come back later. */
export class TooManyWaiters extends Error {
	/** The class, as logs and `error.stack` show it. */
	override readonly name = "TooManyWaiters";
	/** To tell it by, across copies of the package. */
	readonly code = "SLUICE_TOO_MANY_WAITERS";
	/** The bucket's option. */
	readonly waitersMax: number;

	constructor(waitersMax: number) {
		super(`${waitersMax} takes wait for this bucket already: refuse the work, or raise waitersMax`);
		this.waitersMax = waitersMax;
	}
}

/** The bucket was closed, before the take or while it waited. Nothing was taken. */
export class TokenBucketClosed extends Error {
	/** The class, as logs and `error.stack` show it. */
	override readonly name = "TokenBucketClosed";
	/** To tell it by, across copies of the package. */
	readonly code = "SLUICE_TOKEN_BUCKET_CLOSED";

	constructor() {
		super("the token bucket was closed: take from the one that replaces it, if there is one");
	}
}

interface Waiter {
	readonly tokens: number;
	/** In the order in which it stands in their lines. */
	readonly buckets: readonly TokenBucket[];
	/** Its places in the lines that it has come to so far. It is the first in all of them but the last. */
	readonly places: Place<Waiter>[];
	/** Stops listening to the signal. */
	readonly deaf: () => void;
	readonly resolve: () => void;
	readonly reject: (error: unknown) => void;
}

/**
 * Gives `perSecond` tokens a second, and after a pause up to `burst` at once: over any time, never more than
 * `burst + perSecond * seconds`.
 *
 * Who finds too few waits in line; tokens are given in the order of arrival, and a later, smaller take does not overtake. There
 * is one timer per bucket, and only while somebody waits.
 *
 *     const bucket = new TokenBucket({ perSecond: 64 * 1024, burst: 256 * 1024 });
 *     for await (const chunk of source) {
 *         await bucket.take(chunk.length, { signal });
 *         target.write(chunk);
 *     }
 */
export class TokenBucket {
	/** As passed. */
	readonly perSecond: number;
	/** As passed, or what follows from `perSecond`. */
	readonly burst: number;
	/** As passed, or the default. */
	readonly waitersMax: number;

	static #made = 0;
	readonly #number = TokenBucket.#made++;
	readonly #now: () => number;
	readonly #bucket: Bucket;

	/** All that wait for tokens of this bucket, also those who wait for another one's first. */
	readonly #waiters = new Set<Waiter>();
	readonly #line = new Line<Waiter>();

	#timer: NodeJS.Timeout | undefined;
	/** Whom the timer is for. */
	#timerFor: Place<Waiter> | undefined;
	#isClosed = false;

	/** Throws OptionError. */
	constructor(options: TokenBucketOptions) {
		requireKnown("", options, ["perSecond", "burst", "waitersMax", "now"]);
		const { perSecond, burst, waitersMax = WAITERS_MAX, now } = options;
		this.perSecond = toRate("perSecond", perSecond);
		this.burst = toRate("burst", burst ?? usualBurst(perSecond));
		this.waitersMax = toCount("waitersMax", waitersMax, 0);
		this.#now = now ?? (() => performance.now());
		this.#bucket = new Bucket(this.perSecond, this.burst, this.#now());
	}

	/** Tokens in the bucket now, a fraction included. */
	get available(): number {
		return this.#bucket.at(this.#now());
	}

	/** Takes that wait now. */
	get waiting(): number {
		return this.#waiters.size;
	}

	/** Whether it was closed. */
	get isClosed(): boolean {
		return this.#isClosed;
	}

	/**
	 * Takes at once or not at all. `false`: too few tokens, or somebody stands in line. Throws OptionError for more than `burst`,
	 * which there never will be, and TokenBucketClosed.
	 */
	tryTake(tokens = 1): boolean {
		return TokenBucket.tryTakeFrom([this], tokens);
	}

	/**
	 * Takes, after a wait if need be. Rejected with the signal's reason, TooManyWaiters, TokenBucketClosed, or OptionError for more
	 * than `burst`, which there never will be. Nothing was taken then.
	 */
	take(tokens = 1, options: TakeOptions = {}): Promise<void> {
		return TokenBucket.takeFrom([this], tokens, options);
	}

	/** As `tryTake`, the same number from each bucket: from all of them or from none. */
	static tryTakeFrom(buckets: readonly TokenBucket[], tokens = 1): boolean {
		check(buckets, tokens);
		if (buckets.some((bucket) => bucket.#isClosed)) throw new TokenBucketClosed();
		if (buckets.some((bucket) => bucket.#line.first !== undefined || bucket.available < tokens)) return false;
		for (const bucket of buckets) bucket.#bucket.take(tokens, bucket.#now());
		return true;
	}

	/**
	 * As `take`, the same number from each bucket: from all of them at one moment, or from none. For a rate of each connection
	 * within one of all together.
	 *
	 * Slower buckets are waited for first (by `perSecond`, whatever the order in the list), and only who has come to the front
	 * there and finds enough stands in line for the next. So who waits for a slow bucket of its own holds nobody up in the shared
	 * one, two that take from the same buckets cannot wait for each other, and everybody's turn comes.
	 *
	 *     await TokenBucket.takeFrom([ofThisConnection, ofAll], chunk.length, { signal });
	 */
	static async takeFrom(
		buckets: readonly TokenBucket[],
		tokens = 1,
		{ signal }: TakeOptions = {},
	): Promise<void> {
		signal?.throwIfAborted();
		if (TokenBucket.tryTakeFrom(buckets, tokens)) return;
		for (const { waiting, waitersMax } of buckets)
			if (waiting >= waitersMax) throw new TooManyWaiters(waitersMax);
		await TokenBucket.#wait(buckets, tokens, signal);
	}

	/** Rejects all that wait with TokenBucketClosed, and all that come later. The second time it does nothing. */
	close(): void {
		this.#isClosed = true;
		const others = new Set<TokenBucket>();
		for (const waiter of this.#waiters) {
			TokenBucket.#forget(waiter);
			waiter.reject(new TokenBucketClosed());
			for (const bucket of waiter.buckets) others.add(bucket);
		}
		// When nobody stands in this bucket's line any more: a smaller take would be served from it.
		TokenBucket.#serve([...others]);
	}

	/** `close()`, for `using`. */
	[Symbol.dispose](): void {
		this.close();
	}

	static #wait(
		buckets: readonly TokenBucket[],
		tokens: number,
		signal: AbortSignal | undefined,
	): Promise<void> {
		return new Promise((resolve, reject) => {
			const waiter: Waiter = {
				tokens,
				// One order for all, so that nobody holds what another one needs while needing what that one holds.
				buckets: [...buckets].sort((a, b) => a.perSecond - b.perSecond || a.#number - b.#number),
				places: [],
				deaf: onAbort(signal, () => TokenBucket.#giveUp(waiter, signal?.reason)),
				resolve,
				reject,
			};
			for (const bucket of buckets) bucket.#waiters.add(waiter);
			if (TokenBucket.#advance(waiter)) TokenBucket.#serve(waiter.buckets);
		});
	}

	/**
	 * Takes the waiter as far as it gets: at the front of a line with enough tokens in the bucket, it keeps its place and goes to the
	 * next line. What it finds there stays, as nobody but the first takes from a bucket. Whether it was given its tokens.
	 */
	static #advance(waiter: Waiter): boolean {
		const { buckets, places, tokens } = waiter;
		const reached = Math.max(0, places.length - 1);
		for (const [index, bucket] of buckets.entries()) {
			if (index < reached) continue;
			places[index] ??= bucket.#line.add(waiter);
			if (bucket.#line.first === places[index] && bucket.available >= tokens) continue;
			bucket.#arm();
			return false;
		}
		for (const bucket of buckets) bucket.#bucket.take(tokens, bucket.#now());
		TokenBucket.#forget(waiter);
		waiter.resolve();
		return true;
	}

	static #giveUp(waiter: Waiter, error: unknown): void {
		TokenBucket.#forget(waiter);
		waiter.reject(error);
		TokenBucket.#serve(waiter.buckets);
	}

	static #forget(waiter: Waiter): void {
		const { buckets, places, deaf } = waiter;
		deaf();
		for (const [index, bucket] of buckets.entries()) {
			bucket.#waiters.delete(waiter);
			const place = places[index];
			if (place !== undefined) bucket.#line.remove(place);
		}
	}

	/** Gives to those at the front what there is. A loop: each one served may let a hundred thousand others go on. */
	static #serve(buckets: readonly TokenBucket[]): void {
		const left = [...buckets];
		for (let bucket = left.pop(); bucket !== undefined; bucket = left.pop()) {
			const waiter = bucket.#line.first?.value;
			const isHere = waiter !== undefined && waiter.buckets[waiter.places.length - 1] === bucket;
			if (isHere && TokenBucket.#advance(waiter)) left.push(...waiter.buckets);
			else bucket.#arm();
		}
	}

	/** The timer is for the first in line, if this bucket is what it waits for; else there is none. */
	#arm(): void {
		const first = this.#line.first;
		const { buckets, places, tokens } = first?.value ?? { buckets: [], places: [], tokens: 0 };
		const isHere = first !== undefined && buckets[places.length - 1] === this;
		if (isHere && this.#timerFor === first) return;
		clearTimeout(this.#timer);
		this.#timer = undefined;
		this.#timerFor = undefined;
		if (!isHere) return;
		this.#timerFor = first;
		const waitMs = Math.ceil(msUntil(tokens, this.available, this.perSecond));
		this.#timer = setTimeout(() => this.#onTimer(), Math.min(waitMs, TIMER_MS_MAX));
	}

	#onTimer(): void {
		this.#timer = undefined;
		this.#timerFor = undefined;
		TokenBucket.#serve([this]);
	}
}

function check(buckets: readonly TokenBucket[], tokens: number): void {
	if (buckets.length === 0 || new Set(buckets).size < buckets.length)
		throw new OptionError("buckets", buckets, "expected at least one bucket, and each one once");
	if (!(tokens >= 0)) throw new OptionError("tokens", tokens, `expected 0 or more, found ${String(tokens)}`);
	for (const { burst } of buckets)
		if (tokens > burst)
			throw new OptionError(
				"tokens",
				tokens,
				`the bucket never holds more than its burst of ${burst}: take less at a time, or make burst larger`,
			);
}

function toRate(option: string, value: number): number {
	if (typeof value === "number" && value > 0 && value < Number.POSITIVE_INFINITY) return value;
	throw new OptionError(option, value, `expected a number over 0, found ${String(value)}`);
}

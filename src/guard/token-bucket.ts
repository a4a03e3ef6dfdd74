/**
 * Token buckets: so many at once, and so many per second. Whoever must wait does so in a line, which has an end.
 *
 *     import { TokenBucket } from "sluice/token-bucket";
 *
 *     const shared = new TokenBucket({ perSecond: 1_000 });
 *     const own = new TokenBucket({ perSecond: 10, burst: 50 });
 *     for await (const message of messages) {
 *         await TokenBucket.takeFrom([own, shared], 1, { signal });
 *         handle(message);
 *     }
 *
 * @module
 */
import { Line } from "../parts/line.js";
import { refilled, untilMs } from "../parts/token-bucket.js";
import { OptionError, toCount } from "./units.js";

export { OptionError } from "./units.js";

/** How large a bucket is, and how fast it fills. */
export interface TokenBucketOptions {
	/** Tokens that come per second: messages, or bytes. More than 0. */
	readonly perSecond: number;
	/** Tokens that a full bucket holds, and the most that may be taken at once. Default: one second's worth, at least 1. */
	readonly burst?: number;
	/** Who may wait at a time; others are refused with {@link TooManyWaiters}. Default: 1,000 */
	readonly waitersMax?: number;
}

/** How to wait. */
export interface TakeOptions {
	/** Ends the wait; `take` rejects with its reason. */
	readonly signal?: AbortSignal;
}

/** The line is as long as it may be: the caller should slow down or give up. */
export class TooManyWaiters extends Error {
	/** `TooManyWaiters` */
	override readonly name = "TooManyWaiters";
	/** `SLUICE_TOO_MANY_WAITERS` */
	readonly code = "SLUICE_TOO_MANY_WAITERS";
	/** The bound that was met. */
	readonly waitersMax: number;

	constructor(waitersMax: number) {
		super(`${waitersMax} wait for tokens already: take fewer at a time, or raise waitersMax`);
		this.waitersMax = waitersMax;
	}
}

/** The bucket was closed. */
export class TokenBucketClosed extends Error {
	/** `TokenBucketClosed` */
	override readonly name = "TokenBucketClosed";
	/** `SLUICE_TOKEN_BUCKET_CLOSED` */
	readonly code = "SLUICE_TOKEN_BUCKET_CLOSED";

	constructor() {
		super("the token bucket is closed");
	}
}

const WAITERS_MAX = 1_000;
/** Timers of Node are exact to a millisecond, and may be early by a part of one. */
const TIMER_MIN_MS = 1;
/** Timers end at 24.8 days, and fire at once beyond: a long wait is looked at again. */
const TIMER_MAX_MS = 3_600_000;

interface Waiter {
	readonly tokens: number;
	readonly buckets: readonly TokenBucket[];
	resolve(): void;
	reject(error: unknown): void;
}

/** A bucket of tokens. It starts full. No timer runs while nobody waits. */
export class TokenBucket {
	readonly #perSecond: number;
	readonly #burst: number;
	readonly #waitersMax: number;
	readonly #waiters = new Line<Waiter>();
	#tokens: number;
	#countedMs = performance.now();
	#timer: NodeJS.Timeout | undefined;
	#isClosed = false;

	/** Throws OptionError. */
	constructor({ perSecond, burst, waitersMax = WAITERS_MAX }: TokenBucketOptions) {
		if (!(perSecond > 0 && perSecond < Number.POSITIVE_INFINITY))
			throw new OptionError("perSecond", perSecond, `expected a number above 0; found ${String(perSecond)}`);
		this.#perSecond = perSecond;
		this.#burst = burst === undefined ? Math.max(1, perSecond) : toCount("burst", burst);
		this.#waitersMax = toCount("waitersMax", waitersMax, 0);
		this.#tokens = this.#burst;
	}

	/** Tokens that are there now. */
	get available(): number {
		return this.#refill();
	}

	/** How many wait. */
	get waiting(): number {
		return this.#waiters.size;
	}

	/** Takes tokens if they are there and nobody waits for them. Throws OptionError for more than `burst`. */
	tryTake(tokens = 1): boolean {
		return tryAll([this], checked([this], tokens));
	}

	/**
	 * Takes tokens, when everybody who came before has had theirs. Rejects with the signal's reason, TooManyWaiters or
	 * TokenBucketClosed; throws OptionError for more than `burst`, which would never be there.
	 */
	async take(tokens = 1, options: TakeOptions = {}): Promise<void> {
		await TokenBucket.takeFrom([this], tokens, options);
	}

	/**
	 * Takes the same tokens from several buckets, such as a connection's own and a shared one: from all or none, so that nothing is
	 * spent in one while another makes wait. Waits in the line of each.
	 */
	static async takeFrom(
		buckets: readonly TokenBucket[],
		tokens = 1,
		{ signal }: TakeOptions = {},
	): Promise<void> {
		checked(buckets, tokens);
		signal?.throwIfAborted();
		if (tryAll(buckets, tokens)) return;
		for (const bucket of buckets) {
			if (bucket.#isClosed) throw new TokenBucketClosed();
			if (bucket.#waiters.size >= bucket.#waitersMax) throw new TooManyWaiters(bucket.#waitersMax);
		}
		await new Promise<void>((resolve, reject) => {
			const leave = (): void => {
				signal?.removeEventListener("abort", abort);
				for (const [index, bucket] of buckets.entries()) {
					const place = places[index];
					if (place !== undefined) bucket.#waiters.leave(place);
				}
			};
			const waiter: Waiter = {
				tokens,
				buckets,
				resolve: () => {
					leave();
					resolve();
				},
				reject: (error) => {
					leave();
					reject(error);
				},
			};
			const abort = (): void => {
				waiter.reject(signal?.reason);
				// Whoever stood behind may have waited for this one only.
				for (const bucket of buckets) bucket.#serve();
			};
			signal?.addEventListener("abort", abort, { once: true });
			const places = buckets.map((bucket) => bucket.#waiters.join(waiter));
			for (const bucket of buckets) bucket.#wait();
		});
	}

	/** Rejects all who wait, and all who come. */
	close(): void {
		this.#isClosed = true;
		clearTimeout(this.#timer);
		this.#timer = undefined;
		for (let waiter = this.#waiters.first; waiter !== undefined; waiter = this.#waiters.first) {
			waiter.reject(new TokenBucketClosed());
			for (const bucket of waiter.buckets) if (bucket !== this) bucket.#serve();
		}
	}

	/** The same as `close`, for `using`. */
	[Symbol.dispose](): void {
		this.close();
	}

	/** @internal All or none; nobody overtakes who waits. */
	static tryAll(buckets: readonly TokenBucket[], tokens: number, waiter?: Waiter): boolean {
		for (const bucket of buckets) {
			if (bucket.#isClosed || bucket.#waiters.first !== waiter || bucket.#refill() < tokens) return false;
		}
		for (const bucket of buckets) bucket.#tokens -= tokens;
		return true;
	}

	/** @internal */
	static least(buckets: readonly TokenBucket[]): number {
		return Math.min(...buckets.map((bucket) => bucket.#burst));
	}

	#refill(): number {
		const nowMs = performance.now();
		this.#tokens = refilled(this.#tokens, this.#countedMs, this.#perSecond, this.#burst, nowMs);
		this.#countedMs = nowMs;
		return this.#tokens;
	}

	/** A timer for whoever is first in all of its lines. Who stands behind somebody elsewhere is served when that one is. */
	#wait(): void {
		const { first } = this.#waiters;
		if (this.#timer !== undefined || first === undefined) return;
		if (!first.buckets.every((bucket) => bucket.#waiters.first === first)) return;
		const delayMs = Math.max(
			...first.buckets.map((bucket) => untilMs(bucket.#refill(), bucket.#perSecond, first.tokens)),
		);
		this.#timer = setTimeout(
			() => {
				this.#timer = undefined;
				this.#serve();
			},
			Math.min(TIMER_MAX_MS, Math.max(TIMER_MIN_MS, Math.ceil(delayMs))),
		);
	}

	#serve(): void {
		for (;;) {
			const { first } = this.#waiters;
			if (first === undefined || !tryAll(first.buckets, first.tokens, first)) break;
			first.resolve();
			// It may have stood before others in the other lines.
			for (const bucket of first.buckets) if (bucket !== this) bucket.#serve();
		}
		if (this.#waiters.size === 0) {
			clearTimeout(this.#timer);
			this.#timer = undefined;
			return;
		}
		this.#wait();
	}
}

const { tryAll } = TokenBucket;

function checked(buckets: readonly TokenBucket[], tokens: number): number {
	const least = TokenBucket.least(buckets);
	if (tokens > 0 && tokens <= least) return tokens;
	throw new OptionError(
		"tokens",
		tokens,
		`expected more than 0 and at most the burst, ${least}, for more are never there; found ${String(tokens)}`,
	);
}

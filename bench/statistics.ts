/** What many rounds come to: a median, and how sure it is. */

import { median } from "../src/rig/percentile.js";

export interface Interval {
	readonly low: number;
	readonly high: number;
}

export interface Estimate {
	readonly median: number;
	/** `null`: too few values for any of that confidence. */
	readonly interval: Interval | null;
	readonly count: number;
}

const CONFIDENCE = 0.95;

/** `null` of nothing. */
export function estimate(values: readonly number[]): Estimate | null {
	const middle = median(values);
	return middle === null ? null : { median: middle, interval: medianInterval(values), count: values.length };
}

/**
 * The interval that holds the median of what the values were drawn from, with a confidence of 95 % at least, whatever its
 * distribution: from the k-th smallest value to the k-th largest (David and Nagaraja, Order Statistics, 7.1). Each
 * value lies below the true median with a probability of one half, so the k-th smallest lies above it when fewer than k do.
 * That needs six values: of five, all lie on one side in 6 % of the cases.
 */
export function medianInterval(values: readonly number[]): Interval | null {
	const rank = intervalRank(values.length);
	const sorted = [...values].sort((a, b) => a - b);
	const low = sorted[rank - 1];
	const high = sorted[sorted.length - rank];
	return low === undefined || high === undefined ? null : { low, high };
}

/** The largest k for which fewer than k of `count` fair coins show heads in 2.5 % of the cases at most; 0: there is none. */
export function intervalRank(count: number): number {
	let rank = 0;
	// Of exactly `rank` heads, and of no more than that.
	let exactly = 0.5 ** count;
	let atMost = exactly;
	while (rank < count && 2 * atMost <= 1 - CONFIDENCE) {
		rank++;
		exactly *= (count - rank + 1) / rank;
		atMost += exactly;
	}
	return rank;
}

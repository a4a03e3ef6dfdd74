/** Summaries of many values. */

export interface Spread {
	readonly count: number;
	readonly p50: number;
	readonly p99: number;
	readonly max: number;
}

/** The smallest value that is not exceeded by that share (0 to 1) of all; `null` of nothing. */
export function percentile(sorted: ArrayLike<number>, share: number): number | null {
	if (sorted.length === 0) return null;
	return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? null;
}

/** `null` of nothing. */
export function spread(values: ArrayLike<number>): Spread | null {
	const sorted = Float64Array.from(values).sort();
	const p50 = percentile(sorted, 0.5);
	const p99 = percentile(sorted, 0.99);
	const max = percentile(sorted, 1);
	return p50 === null || p99 === null || max === null ? null : { count: sorted.length, p50, p99, max };
}

/** Half of the values are below it, half above: between two values when their number is even. `null` of nothing. */
export function median(values: readonly number[]): number | null {
	const sorted = [...values].sort((a, b) => a - b);
	const middle = sorted.length >> 1;
	const upper = sorted[middle];
	if (upper === undefined) return null;
	const lower = sorted[middle - 1];
	return sorted.length % 2 === 0 && lower !== undefined ? (lower + upper) / 2 : upper;
}

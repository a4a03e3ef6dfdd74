/** How long turns took between two readings, out of a histogram that only grows. */
import { SECONDS_BUCKETS } from "../../parts/buckets.js";

export class TurnTimes {
	#before: readonly number[] = [];
	readonly #reactors: TurnTimes[] = [];

	/** Those of one reactor. */
	of(reactor: number): TurnTimes {
		this.#reactors[reactor] ??= new TurnTimes();
		return this.#reactors[reactor];
	}

	/** `cells`: as histograms are kept. Bounds of buckets, in seconds; 0 where there was no turn, and above the last bound that. */
	since(cells: ArrayLike<number>): { readonly p50: number; readonly p99: number } {
		const since = SECONDS_BUCKETS.map((_, index) => (cells[index] ?? 0) - (this.#before[index] ?? 0));
		const above = (cells[SECONDS_BUCKETS.length] ?? 0) - (this.#before[SECONDS_BUCKETS.length] ?? 0);
		this.#before = Array.from(cells);
		const counts = [...since, above];
		return { p50: quantile(counts, 0.5), p99: quantile(counts, 0.99) };
	}
}

function quantile(counts: readonly number[], part: number): number {
	const total = counts.reduce((all, count) => all + count, 0);
	if (total === 0) return 0;
	let below = 0;
	for (const [index, bound] of SECONDS_BUCKETS.entries()) {
		below += counts[index] ?? 0;
		if (below >= part * total) return bound;
	}
	return SECONDS_BUCKETS.at(-1) ?? 0;
}

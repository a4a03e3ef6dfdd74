/**
 * How much more there is in the second half of some values: by the least of each half and by the most, whichever is less. A heap goes up and
 * down with its collector, whose turn may fall into one half only; what leaks lifts both.
 */
export function growth(values: readonly number[]): number {
	const [before, after] = [values.slice(0, values.length / 2), values.slice(values.length / 2)];
	return Math.min(Math.min(...after) - Math.min(...before), Math.max(...after) - Math.max(...before));
}

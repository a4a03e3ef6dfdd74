/** What all reactors counted, added up. */

import type { SingleIn } from "../parts/exposition.js";
import { type Counters, HISTOGRAM_CELLS, type Scalar } from "../reactor/records/counters.js";
import type { FAMILIES, MetricsPage } from "./families/families.js";
import type { AdminView } from "./view.js";

export function sum(view: AdminView, read: (counters: Counters) => number): number {
	let total = 0;
	for (const counters of view.counters()) total += read(counters);
	return total;
}

/** Of histograms. */
export function addUp(view: AdminView, cells: (counters: Counters) => Float64Array): number[] {
	const total = new Array<number>(HISTOGRAM_CELLS).fill(0);
	for (const counters of view.counters())
		for (const [index, value] of cells(counters).entries()) total[index] = (total[index] ?? 0) + value;
	return total;
}

/** A family of a single figure. */
export function scalar(
	page: MetricsPage,
	view: AdminView,
	name: SingleIn<typeof FAMILIES>,
	figure: Scalar,
): void {
	page.single(
		name,
		sum(view, (counters) => counters.get(figure)),
	);
}

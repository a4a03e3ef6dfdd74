/** What all reactors counted, added up. */

import type { Page } from "../parts/exposition.js";
import { type Counters, HISTOGRAM_CELLS, type Scalar } from "../reactor/records/counters.js";
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
	page: Page,
	view: AdminView,
	name: string,
	kind: "counter" | "gauge",
	help: string,
	figure: Scalar,
): void {
	page.single(
		name,
		kind,
		help,
		sum(view, (counters) => counters.get(figure)),
	);
}

/** Charts over time, by uPlot, in the page's colours: drawn anew when light and dark change places. */

import type UPlot from "uplot";
import type { AlignedData, Options, Series } from "uplot";
import { element } from "../../../browser/dom.js";

/** The page loads it before this script. */
declare const uPlot: typeof UPlot;

const HEIGHT = 150;
const COLOURS = ["--one", "--two", "--three", "--four", "--five", "--six"] as const;

export interface ChartOptions {
	readonly title: string;
	/** Where the figures come from: what it is made of. */
	readonly href: string;
	readonly labels: readonly string[];
	readonly write: (value: number) => string;
}

/** Times in seconds, and a row of values for each label; null: it is not known. */
export type ChartData = readonly [readonly number[], ...(readonly (number | null)[])[]];

export class Chart {
	readonly figure = element("figure");
	readonly #options: ChartOptions;
	readonly #box = element("div", { role: "img" });
	readonly #legend = element("p", { class: "legend" });
	#plot: UPlot | undefined;
	#labels: readonly string[];
	#data: ChartData = [[]];

	constructor(options: ChartOptions) {
		this.#options = options;
		this.#labels = options.labels;
		this.figure.append(
			element("figcaption", {}, element("a", { href: options.href }, options.title)),
			...[this.#box, this.#legend],
		);
	}

	/** `labels`: others than before, where they change. */
	draw(data: ChartData, labels: readonly string[] = this.#labels): void {
		if (labels.join("\n") !== this.#labels.join("\n")) {
			this.#labels = labels;
			this.#drop();
		}
		this.#data = data;
		this.#tell(this.#plot?.cursor.idx ?? null);
		const width = this.#box.clientWidth;
		if (width === 0) return;
		if (this.#plot === undefined) this.#plot = this.#make(width, data as unknown as AlignedData);
		else {
			if (this.#plot.width !== width) this.#plot.setSize({ width, height: HEIGHT });
			this.#plot.setData(data as unknown as AlignedData);
		}
	}

	/** Beneath the chart: what there was where the pointer is, or what there is now. */
	#tell(index: number | null): void {
		const at = index ?? (this.#data[0]?.length ?? 0) - 1;
		const told = this.#labels.map((label, each): [string, string] => {
			const value = this.#data[each + 1]?.[at];
			return [label, value == null ? "–" : this.#options.write(value)];
		});
		const words = told.map(([label, value]) => `${label} ${value}`).join(", ");
		if (index === null)
			this.#box.setAttribute("aria-label", `${this.#options.title}, now: ${words || "none"}`);
		this.#legend.replaceChildren(
			...told.map(([label, value], each) =>
				element(
					"span",
					{},
					element("span", { class: `key s${each % COLOURS.length}`, "aria-hidden": "true" }),
					`${label} ${value}`,
				),
			),
			index === null ? "" : element("span", {}, clock(this.#data[0]?.[at] ?? 0)),
		);
	}

	/** The colours of the page have changed. */
	restyle(): void {
		this.#drop();
	}

	#drop(): void {
		this.#plot?.destroy();
		this.#plot = undefined;
	}

	#make(width: number, data: AlignedData): UPlot {
		const { write } = this.#options;
		const style = getComputedStyle(document.documentElement);
		const colour = (name: string): string => style.getPropertyValue(name).trim();
		const axis = {
			stroke: colour("--faint"),
			grid: { stroke: colour("--line"), width: 1 },
			ticks: { show: false },
			font: "11px system-ui, sans-serif",
		};
		const series = this.#labels.map(
			(label, index): Series => ({
				...{ label, stroke: colour(COLOURS[index % COLOURS.length] ?? "--one"), width: 1.5 },
				points: { show: false },
			}),
		);
		const options: Options = {
			...{ width, height: HEIGHT, series: [{}, ...series] },
			axes: [
				{ ...axis, space: 70, values: (_, splits) => splits.map(clock) },
				{ ...axis, size: 64, values: (_, splits) => splits.map(write) },
			],
			scales: { y: { range: (_, low, high) => [Math.min(0, low), high > 0 ? high * 1.05 : 1] } },
			cursor: { sync: { key: "sluice" }, drag: { x: false, y: false } },
			legend: { show: false },
			hooks: { setCursor: [({ cursor: { idx } }) => this.#tell(idx ?? null)] },
		};
		return new uPlot(options, data, this.#box);
	}
}

const CLOCK = new Intl.DateTimeFormat(undefined, { timeStyle: "medium", hourCycle: "h23" });

/** `atSeconds`: Unix time. */
function clock(atSeconds: number): string {
	return CLOCK.format(new Date(atSeconds * 1_000));
}

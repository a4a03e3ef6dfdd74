/** The readings that charts are drawn from: what only grows becomes what there was a second. */
import type { FigurePoint } from "../figures.js";
import type { ChartData } from "./charts.js";

/** As many as the gateway keeps. */
const POINTS_MAX = 300;
/** Reasons that have a line of their own. */
const REASONS_MAX = 5;

export class Points {
	#points: FigurePoint[] = [];

	replace(points: readonly FigurePoint[]): void {
		this.#points = [...points];
	}

	add(point: FigurePoint): void {
		// A gateway that was started anew counts from 0 again.
		if ((this.#points.at(-1)?.totals.accepted ?? 0) > point.totals.accepted) this.#points = [];
		this.#points.push(point);
		if (this.#points.length > POINTS_MAX) this.#points.shift();
	}

	levels(...names: readonly (keyof FigurePoint["levels"])[]): ChartData {
		return [
			this.#points.map(({ at }) => at),
			...names.map((name) => this.#points.map(({ levels }) => levels[name])),
		];
	}

	rates(...names: readonly (keyof FigurePoint["totals"])[]): ChartData {
		return [
			this.#points.map(({ at }) => at),
			...names.map((name) => this.#perSecond(({ totals }) => totals[name])),
		];
	}

	/** Those for which most sessions ended in the time that is shown. */
	reasons(): { readonly names: readonly string[]; readonly data: ChartData } {
		const [first, last] = [this.#points[0], this.#points.at(-1)];
		const names = Object.entries(last?.reasons ?? {})
			.map(([name, count]): [string, number] => [name, count - (first?.reasons[name] ?? 0)])
			.filter(([, count]) => count > 0)
			.sort(([, most], [, more]) => more - most)
			.slice(0, REASONS_MAX)
			.map(([name]) => name)
			.sort();
		return {
			names,
			data: [
				this.#points.map(({ at }) => at),
				...names.map((name) => this.#perSecond(({ reasons }) => reasons[name] ?? 0)),
			],
		};
	}

	/** The newest rate of one figure; 0 before there are two readings. */
	rate(name: keyof FigurePoint["totals"]): number {
		return this.#perSecond(({ totals }) => totals[name]).at(-1) ?? 0;
	}

	#perSecond(read: (point: FigurePoint) => number): (number | null)[] {
		return this.#points.map((point, index) => {
			const before = this.#points[index - 1];
			if (before === undefined || point.at <= before.at) return null;
			return Math.max(0, read(point) - read(before)) / (point.at - before.at);
		});
	}
}

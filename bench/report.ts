/** The results as one value, for machines; report-text.ts makes Markdown of it. */

import { HAS_SCHEDSTAT } from "../src/rig/proc.js";
import type { Figure, FigureSpec } from "./figure.js";
import { type Change, judgeChange, judgeTarget, type Verdict } from "./judge.js";
import { describeMachine, type Machine } from "./machine.js";
import type { Estimate } from "./statistics.js";
import { beforeOf } from "./systems/sluice.js";

/** The column of the way without any system. */
export const DIRECT = "direct";

/** Who is who, unless a figure says otherwise. */
export interface Roles {
	/** Whose targets they are. */
	readonly subject: string;
	/** Whom ratios are to, in the same round. */
	readonly reference: string;
	/** The reference once more: what its ratio to the first comes to is the machine's doing. */
	readonly again: string;
}

/** What a bench has done, whichever it is. */
export interface Taken {
	readonly title: string;
	readonly roles: Roles;
	readonly rounds: number;
	readonly quick: boolean;
	readonly systems: readonly Measured[];
	/** All that was charged to each system in measured rounds, by both of the kernel's clocks. */
	readonly cpuTotals: ReadonlyMap<string, { readonly statNs: number; readonly finestNs: number }>;
}

export interface Measured {
	readonly id: string;
	readonly note: string;
	version(): string | null;
}

interface Described {
	readonly id: string;
	describe(quick: boolean): string;
}

export interface Report {
	readonly title: string;
	readonly machine: Machine;
	readonly rounds: number;
	readonly quick: boolean;
	readonly minutes: number;
	readonly systems: readonly ReportedSystem[];
	/** In the order of columns: the systems, and the way without any where it was measured. */
	readonly columns: readonly string[];
	readonly rows: readonly { readonly id: string; readonly load: string }[];
	readonly figures: readonly ReportedFigure[];
	/** Which of the kernel's clocks the CPU figures come from. */
	readonly cpuClock: "schedstat" | "stat";
}

export interface ReportedSystem {
	readonly id: string;
	readonly version: string;
	readonly note: string;
	/** CPU charged over all rounds by /proc/PID/stat, divided by that of the figures: near 1, or the clocks disagree. */
	readonly statRatio: number | null;
}

export interface ReportedFigure extends FigureSpec {
	readonly subject: string;
	readonly reference: string;
	/** What the target is for: ratios of the subject to the reference, or its values. */
	readonly judgedBy: Estimate | null;
	/** Of the reference's second instance to its first. */
	readonly self: Estimate | null;
	/** `null`: there is no target. */
	readonly verdict: Verdict | null;
	/** Beside the older checkout. `null`: there is none in this figure. */
	readonly against: { readonly ratios: Estimate; readonly change: Change } | null;
	readonly results: Readonly<Record<string, Result>>;
}

export type Result =
	| {
			/** One per round. */
			readonly values: readonly number[];
			readonly median: number | null;
			/** To the reference in the same round. */
			readonly ratios: readonly number[];
			readonly ratio: number | null;
	  }
	| { readonly absent: string };

export function buildReport(
	bench: Taken,
	rows: readonly Described[],
	figures: readonly Figure[],
	minutes: number,
): Report {
	const measured = new Set(figures.flatMap((figure) => figure.systems));
	return {
		title: bench.title,
		machine: describeMachine(),
		rounds: bench.rounds,
		quick: bench.quick,
		minutes,
		systems: bench.systems.map((system) => reportSystem(bench, system)),
		columns: [...bench.systems.map(({ id }) => id), DIRECT].filter((id) => measured.has(id)),
		rows: rows.map((row) => ({ id: row.id, load: row.describe(bench.quick) })),
		figures: figures.map((figure) => reportFigure(figure, bench.roles)),
		cpuClock: HAS_SCHEDSTAT ? "schedstat" : "stat",
	};
}

function reportSystem(bench: Taken, system: Measured): ReportedSystem {
	const total = bench.cpuTotals.get(system.id);
	return {
		id: system.id,
		version: system.version() ?? "unknown version",
		note: system.note,
		statRatio: total === undefined || total.finestNs === 0 ? null : total.statNs / total.finestNs,
	};
}

export function reportFigure(figure: Figure, roles: Roles): ReportedFigure {
	const { spec } = figure;
	const { subject = roles.subject, target } = spec;
	const reference = referenceOf(figure, roles.reference);
	const isRatio = target === null || target.kind === "ratio";
	const judgedBy = isRatio ? figure.ratioEstimate(subject, reference) : figure.estimate(subject);
	const { again = roles.again } = spec;
	const self = figure.ratioEstimate(again, spec.again === undefined ? roles.reference : reference);
	const ratios = isRepetition(spec) ? null : figure.ratioEstimate(subject, beforeOf(subject));
	return {
		...spec,
		subject,
		reference,
		judgedBy,
		self,
		verdict: target === null ? null : judgeTarget(target, judgedBy, self),
		against:
			ratios === null ? null : { ratios, change: judgeChange(ratios, self, spec.moreIsBetter === true) },
		results: resultsOf(figure, reference),
	};
}

function referenceOf(figure: Figure, otherwise: string): string {
	const { reference = otherwise, moreIsBetter } = figure.spec;
	if (typeof reference === "string") return reference;
	const medians = reference.flatMap((id) => {
		const median = figure.estimate(id)?.median;
		return median === undefined ? [] : [{ id, rank: moreIsBetter === true ? -median : median }];
	});
	return medians.sort((a, b) => a.rank - b.rank)[0]?.id ?? otherwise;
}

/** Beside another reference, it is as much slower or faster than it was before as the figure above. */
function isRepetition({ repeats, subject }: FigureSpec): boolean {
	return repeats === true && subject === undefined;
}

function resultsOf(figure: Figure, reference: string): Record<string, Result> {
	const results: Record<string, Result> = {};
	for (const [id, absent] of figure.absences) results[id] = { absent };
	for (const id of figure.systems)
		results[id] = {
			values: figure.valuesOf(id),
			median: figure.estimate(id)?.median ?? null,
			ratios: figure.ratios(id, reference),
			ratio: figure.ratioEstimate(id, reference)?.median ?? null,
		};
	return results;
}

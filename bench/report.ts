/** The results: as one value for machines, and from that as Markdown for people. */

import { median } from "../src/rig/percentile.js";
import { HAS_SCHEDSTAT } from "../src/rig/proc.js";
import type { Bench, Row } from "./bench.js";
import type { Figure, Target } from "./figure.js";
import { describeMachine, type Machine } from "./machine.js";
import { REFERENCE, SUBJECT } from "./systems/index.js";
import type { System } from "./systems/system.js";

export interface Report {
	readonly machine: Machine;
	readonly rounds: number;
	readonly quick: boolean;
	readonly reference: string;
	readonly systems: readonly ReportedSystem[];
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

export interface ReportedFigure {
	readonly id: string;
	readonly title: string;
	readonly unit: string;
	readonly digits: number;
	readonly target: Target | null;
	readonly reference?: string;
	/** `null`: no target, or nothing to judge by. */
	readonly met: boolean | null;
	readonly results: Readonly<Record<string, Result>>;
}

export type Result =
	| {
			/** One per round. */
			readonly values: readonly number[];
			readonly median: number | null;
			/** To HAProxy in the same round. */
			readonly ratios: readonly number[];
			readonly ratio: number | null;
	  }
	| { readonly absent: string };

export function buildReport(bench: Bench, rows: readonly Row[], figures: readonly Figure[]): Report {
	return {
		machine: describeMachine(),
		rounds: bench.rounds,
		quick: bench.quick,
		reference: REFERENCE,
		systems: bench.systems.map((system) => reportSystem(bench, system)),
		rows: rows.map((row) => ({ id: row.id, load: row.describe(bench.quick) })),
		figures: figures.map((figure) => reportFigure(figure, bench.systems)),
		cpuClock: HAS_SCHEDSTAT ? "schedstat" : "stat",
	};
}

function reportSystem(bench: Bench, system: System): ReportedSystem {
	const total = bench.cpuTotals.get(system.id);
	return {
		id: system.id,
		version: system.version() ?? "unknown version",
		note: system.note,
		statRatio: total === undefined || total.finestNs === 0 ? null : total.statNs / total.finestNs,
	};
}

function reportFigure(figure: Figure, systems: readonly System[]): ReportedFigure {
	const results: Record<string, Result> = {};
	const reference = figure.spec.reference ?? REFERENCE;
	for (const { id } of systems) {
		const absent = figure.absences.get(id);
		const ratios = figure.ratios(id, reference);
		if (absent !== undefined) results[id] = { absent };
		else if (figure.valuesOf(id).length > 0)
			results[id] = { values: figure.valuesOf(id), median: figure.median(id), ratios, ratio: median(ratios) };
	}
	return { ...figure.spec, met: figure.isMet(SUBJECT, reference), results };
}

export function toMarkdown(report: Report): string {
	const { machine } = report;
	const lines = [
		`## Benchmark, ${machine.date.slice(0, 10)}`,
		"",
		`${machine.cpu}, ${machine.cores} cores, ${(machine.memoryBytes / 2 ** 30).toFixed(0)} GiB, ${machine.kernel}, Node ${machine.node}.`,
		`Median of ${report.rounds} alternating rounds; in parentheses the median of the ratios to ${report.reference} in the same round.`,
		`CPU is ${CLOCKS[report.cpuClock]}.`,
		...(report.quick ? ["", "**A quick run: its numbers prove nothing.**"] : []),
		"",
		...table(report),
		"",
		"Loads, per system and round:",
		"",
		...report.rows.map((row) => `- \`${row.id}\`: ${row.load}`),
		"",
		"Systems:",
		"",
		...report.systems.map(
			(system) => `- ${system.id} ${system.version}: ${system.note}${clockRemark(system)}`,
		),
		...absences(report),
	];
	return `${lines.join("\n")}\n`;
}

const CLOCKS = {
	schedstat: "/proc/PID/task/*/schedstat (nanoseconds), all threads of all processes of a system",
	stat: "utime + stime of /proc/PID/stat (10 ms steps), all threads of all processes of a system",
} as const;

/** The two clocks may differ by their resolution; more would mean that threads ended, and took their count along. */
function clockRemark(system: ReportedSystem): string {
	if (system.statRatio === null || Math.abs(system.statRatio - 1) < 0.03) return "";
	return ` (/proc/PID/stat charges ${system.statRatio.toFixed(2)} times as much CPU)`;
}

function table(report: Report): string[] {
	const systems = report.systems.map((system) => system.id);
	const head = ["", ...systems, "target", "range of rounds", "reached"];
	const align = ["---", ...systems.map(() => "---:"), "---", "---", "---"];
	return [head, align, ...report.figures.map((figure) => figureCells(report, figure))].map(
		(cells) => `| ${cells.join(" | ")} |`,
	);
}

function figureCells(report: Report, figure: ReportedFigure): string[] {
	const title = figure.unit === "" ? figure.title : `${figure.title} (${figure.unit})`;
	const values = report.systems.map(({ id }) =>
		resultCell(figure, figure.results[id], id === (figure.reference ?? report.reference)),
	);
	return [title, ...values, targetCell(figure.target), rangeCell(figure), verdictCell(figure.met)];
}

function resultCell(figure: ReportedFigure, result: Result | undefined, isReference: boolean): string {
	if (result === undefined || "absent" in result || result.median === null) return "–";
	const value = result.median.toFixed(figure.digits);
	return isReference || result.ratio === null ? value : `${value} (${result.ratio.toFixed(2)}×)`;
}

function targetCell(target: Target | null): string {
	if (target === null) return "";
	if (target.kind === "ratio") return `≤ ${target.atMost.toFixed(2)}×`;
	return "atMost" in target ? `≤ ${target.atMost}` : `= ${target.exactly}`;
}

/** How far the rounds of the subject lie apart, in the unit its target is in. */
function rangeCell(figure: ReportedFigure): string {
	const result = figure.results[SUBJECT];
	if (result === undefined || "absent" in result) return "";
	const inValues = figure.target?.kind === "value" || result.ratios.length === 0;
	const numbers = inValues ? result.values : result.ratios;
	const text = (value: number): string => (inValues ? value.toFixed(figure.digits) : `${value.toFixed(2)}×`);
	return `${text(Math.min(...numbers))} … ${text(Math.max(...numbers))}`;
}

function verdictCell(met: boolean | null): string {
	if (met === null) return "";
	return met ? "met" : "**missed**";
}

function absences(report: Report): string[] {
	const found: string[] = [];
	for (const figure of report.figures)
		for (const [id, result] of Object.entries(figure.results))
			if ("absent" in result) found.push(`- ${figure.title}, ${id}: ${result.absent}`);
	return found.length === 0 ? [] : ["", "No number (–):", "", ...found];
}

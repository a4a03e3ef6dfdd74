/** A report as Markdown, for people: what is judged first, then everything that was measured. */
import type { Target } from "./figure.js";
import { SELF_RATIO_MAX } from "./judge.js";
import type { Report, ReportedFigure, ReportedSystem, Result } from "./report.js";
import type { Estimate } from "./statistics.js";

export function toMarkdown(report: Report): string {
	const { machine } = report;
	const lines = [
		`## ${report.title}, ${machine.date.slice(0, 10)}`,
		"",
		`${machine.cpu}, ${machine.cores} cores, ${(machine.memoryBytes / 2 ** 30).toFixed(0)} GiB, ${machine.kernel}, Node ${machine.node}; ${report.minutes.toFixed(0)} minutes.`,
		`${report.rounds} alternating rounds. CPU is ${CLOCKS[report.cpuClock]}.`,
		...(report.quick ? ["", "**A quick run: its numbers prove nothing.**"] : []),
		...section("Targets", TARGETS_NOTE, targets(report)),
		...section("Beside the older checkout", AGAINST_NOTE, against(report)),
		...section("All systems", ALL_NOTE, everything(report)),
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

const TARGETS_NOTE =
	"×: ratio to the reference in the same round. Interval: from order statistics, 95 % for the median. A row is not judged where " +
	`the reference's ratio to its own second instance has an interval beyond ${(1 / SELF_RATIO_MAX).toFixed(2)}× … ${SELF_RATIO_MAX.toFixed(2)}×.`;
const AGAINST_NOTE =
	"New to old, in the same rounds. Worse or better only where the whole interval says so; rows are judged or not as above.";
const ALL_NOTE =
	"Medians; in parentheses the median of the ratios to the reference in the same round. Systems by which nothing is judged are in the first rounds only.";

/** The two clocks may differ by their resolution; more would mean that threads ended, and took their count along. */
function clockRemark(system: ReportedSystem): string {
	if (system.statRatio === null || Math.abs(system.statRatio - 1) < 0.03) return "";
	return ` (/proc/PID/stat charges ${system.statRatio.toFixed(2)} times as much CPU)`;
}

function section(title: string, note: string, [head, ...rows]: readonly string[][]): string[] {
	if (head === undefined || rows.length === 0) return [];
	const align = head.map(() => "---");
	const lines = [head, align, ...rows].map((cells) => `| ${cells.join(" | ")} |`);
	return ["", `### ${title}`, "", note, "", ...lines];
}

function targets({ figures }: Report): string[][] {
	const head = [
		"row",
		"figure",
		"reference",
		"target",
		"median",
		"95 % interval",
		"rounds",
		"reference beside itself",
		"verdict",
	];
	const rows = figures
		.filter(({ target }) => target !== null)
		.map((figure) => [
			figure.id,
			titleOf(figure),
			figure.target?.kind === "ratio" ? figure.reference : "",
			targetText(figure),
			medianText(figure, figure.judgedBy),
			intervalText(figure, figure.judgedBy),
			String(figure.judgedBy?.count ?? 0),
			figure.self === null ? "" : `${ratio(figure.self.median)} (${ratioInterval(figure.self)})`,
			verdictText(figure),
		]);
	return [head, ...rows];
}

function against({ figures }: Report): string[][] {
	const head = ["row", "figure", "new / old", "95 % interval", "rounds", "verdict"];
	const rows = figures.flatMap((figure) => {
		if (figure.against === null) return [];
		const { ratios, change } = figure.against;
		const verdict = change.judged ? CHANGES[change.change] : `not judged: ${change.why}`;
		const { id } = figure;
		return [
			[id, titleOf(figure), ratio(ratios.median), ratioInterval(ratios), String(ratios.count), verdict],
		];
	});
	return [head, ...rows];
}

const CHANGES = { worse: "**worse**", same: "no worse", better: "better" } as const;

function everything(report: Report): string[][] {
	const head = ["", ...report.columns];
	const rows = report.figures
		.filter(({ repeats }) => repeats !== true)
		.map((figure) => [
			titleOf(figure),
			...report.columns.map((id) => resultText(figure, figure.results[id], id === figure.reference)),
		]);
	return [head, ...rows];
}

function titleOf({ title, unit }: ReportedFigure): string {
	return unit === "" ? title : `${title} (${unit})`;
}

function resultText(figure: ReportedFigure, result: Result | undefined, isReference: boolean): string {
	if (result === undefined || "absent" in result || result.median === null) return "–";
	const value = result.median.toFixed(figure.digits);
	return isReference || result.ratio === null ? value : `${value} (${ratio(result.ratio)})`;
}

/** In what a target is: times, or the figure's unit. */
function number({ target, digits }: ReportedFigure, value: number): string {
	return target?.kind === "value" ? value.toFixed(digits) : ratio(value);
}

function targetText(figure: ReportedFigure): string {
	const { target } = figure;
	if (target === null) return "";
	if ("exactly" in target) return `= ${target.exactly}`;
	return "atLeast" in target ? `≥ ${ratio(target.atLeast)}` : `≤ ${bound(target)}`;
}

function bound(target: Extract<Target, { atMost: number }>): string {
	return target.kind === "ratio" ? ratio(target.atMost) : String(target.atMost);
}

function medianText(figure: ReportedFigure, estimate: Estimate | null): string {
	return estimate === null ? "–" : number(figure, estimate.median);
}

function intervalText(figure: ReportedFigure, estimate: Estimate | null): string {
	const interval = estimate?.interval ?? null;
	return interval === null ? "–" : `${number(figure, interval.low)} … ${number(figure, interval.high)}`;
}

function verdictText(figure: ReportedFigure): string {
	const { verdict } = figure;
	if (verdict === null) return "";
	if (!verdict.judged) return `not judged: ${verdict.why}`;
	const word = verdict.met ? "met" : "**missed**";
	const by =
		figure.target !== null && "exactly" in figure.target && verdict.met
			? ""
			: ` by ${number(figure, verdict.by)}`;
	return `${word}${by}${verdict.clear ? "" : ", not clearly"}`;
}

function ratio(value: number): string {
	return `${value.toFixed(2)}×`;
}

function ratioInterval({ interval }: Estimate): string {
	return interval === null ? "–" : `${ratio(interval.low)} … ${ratio(interval.high)}`;
}

/** By row and reason: many systems have the same one for all figures of a row. */
function absences({ figures }: Report): string[] {
	const systems = new Map<string, Set<string>>();
	for (const { id: figure, results } of figures)
		for (const [id, result] of Object.entries(results)) {
			if (!("absent" in result)) continue;
			const [row = figure] = figure.split(".", 1);
			const why = `${result.absent} (\`${row}\`)`;
			systems.set(why, (systems.get(why) ?? new Set()).add(id));
		}
	const lines = [...systems].map(([why, ids]) => `- ${[...ids].join(", ")}: ${why}`);
	return lines.length === 0 ? [] : ["", "No number (–):", "", ...lines];
}

/** What the library's bench came to, as one value for machines and as Markdown for people. */
import { describeMachine, type Machine } from "../machine.js";
import { type Finding, findingOf, type Round } from "./claims.js";
import type { LibraryRow } from "./row.js";

export interface LibraryReport {
	readonly machine: Machine;
	readonly rounds: number;
	readonly quick: boolean;
	readonly minutes: number;
	readonly rows: readonly {
		readonly id: string;
		readonly load: string;
		/** What ended the row before all rounds were done. */
		readonly failure: string | null;
		/** Every number. */
		readonly rounds: readonly Round[];
		readonly findings: readonly Finding[];
	}[];
}

export interface RowRun {
	readonly row: LibraryRow;
	readonly rounds: readonly Round[];
	readonly failure: string | null;
}

export function libraryReport(
	runs: readonly RowRun[],
	{ rounds, quick, minutes }: { rounds: number; quick: boolean; minutes: number },
): LibraryReport {
	return {
		machine: describeMachine(),
		...{ rounds, quick, minutes },
		rows: runs.map(({ row, rounds, failure }) => ({
			id: row.id,
			failure,
			load: row.describe(quick),
			rounds,
			// Those of sizes that a quick run has not are left out, and the other way round.
			findings: row.claims.map((claim) => findingOf(claim, rounds)).filter(({ judged }) => judged !== null),
		})),
	};
}

const HEAD = ["row", "what", "without", "with", "comes to", "95 % interval", "rounds", "bound", ""];

export function libraryMarkdown({ machine, quick, minutes, rows }: LibraryReport): string {
	const lines = [
		`## What the library costs, ${machine.date.slice(0, 10)}`,
		"",
		`${machine.cpu}, ${machine.cores} cores, ${(machine.memoryBytes / 2 ** 30).toFixed(0)} GiB, ${machine.kernel}, Node ${machine.node}; ${minutes.toFixed(0)} minutes.`,
		...(quick ? ["", "**A quick run: its numbers prove nothing.**"] : []),
		"",
		"Medians. The interval is that of the median of ratios (×) or differences within the same round, with a confidence of 95 %; a bound within it is not judged.",
		"",
		tableLine(HEAD),
		tableLine(HEAD.map(() => "---")),
		...rows.flatMap(({ findings }) => findings.map((finding) => tableLine(cellsOf(finding)))),
		"",
		"Per round:",
		"",
		...rows.map(({ id, load }) => `- \`${id}\`: ${load}`),
		...rows.flatMap(({ id, failure, rounds }) =>
			failure === null ? [] : ["", `**\`${id}\` ended after ${rounds.length} rounds: ${failure}**`],
		),
	];
	return `${lines.join("\n")}\n`;
}

function tableLine(cells: readonly string[]): string {
	return `| ${cells.join(" | ")} |`;
}

function cellsOf(finding: Finding): string[] {
	const { id, title, unit, digits, medianOf, medianBeside, judged, atMost, standing } = finding;
	const own = (value: number | null): string => (value === null ? "" : value.toFixed(digits));
	const interval = judged?.interval ?? null;
	return [
		`\`${id}\``,
		unit === "" ? title : `${title} (${unit})`,
		own(medianBeside),
		own(medianOf),
		judged === null ? "" : judgedText(finding, judged.median),
		interval === null ? "–" : `${judgedText(finding, interval.low)} … ${judgedText(finding, interval.high)}`,
		String(judged?.count ?? 0),
		atMost === null ? "" : `≤ ${finding.how === "ratio" ? `${atMost.toFixed(2)}×` : atMost}`,
		standing === "held" || standing === null ? (standing ?? "") : `**${standing}**`,
	];
}

/** In what is judged: times, or the unit of the values. */
function judgedText({ how, digits }: Finding, value: number): string {
	if (how === "ratio") return `${value.toFixed(3)}×`;
	return value.toFixed(digits);
}

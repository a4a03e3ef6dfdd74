/** A bench of systems side by side, from what was chosen to the report: all rows, one after the other. */
import type { Chosen } from "./command-line.js";
import { warnOfDescriptors } from "./descriptors.js";
import type { Figure } from "./figure.js";
import { type Installable, installed } from "./installed.js";
import { buildReport, type Report, type Taken } from "./report.js";
import { toMarkdown } from "./report-text.js";

/** What a bench has to say. */
export interface Said<Of> {
	readonly report: Of;
	readonly markdown: string;
	/** As `--json` was passed. */
	readonly json: string | null;
	/** Something that was asked for could not be measured: the exit code says so. */
	readonly failed?: boolean;
}

interface Running extends Taken {
	stop(): Promise<void>;
}

interface Row<Bench> {
	readonly id: string;
	describe(quick: boolean): string;
	run(bench: Bench): Promise<readonly Figure[]>;
}

/** Progress goes to standard error. */
export async function sideBySide<System extends Installable, Bench extends Running>(
	{ systems, rows, rounds, quick, json }: Chosen<Row<Bench>, System>,
	start: (systems: readonly System[], rounds: number, quick: boolean) => Promise<Bench>,
): Promise<Said<Report>> {
	warnOfDescriptors();
	const startedMs = performance.now();
	const bench = await start(installed(systems), rounds, quick);
	const figures: Figure[] = [];
	for (const row of rows) figures.push(...(await row.run(bench)));
	await bench.stop();
	const minutes = (performance.now() - startedMs) / 60_000;
	const report = buildReport(bench, rows, figures, minutes);
	return { report, markdown: toMarkdown(report), json };
}

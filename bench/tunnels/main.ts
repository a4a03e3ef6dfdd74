/**
 * `npm run bench -- tunnels`: a gateway and an agent beside those of other programs.
 *
 *     generator ──► gateway ◄── lines ── agent ──► backend        systems/: whose gateways and agents
 *     (../load/)    └──── both are measured ────┘  (../load/)     rows/: what is done and measured
 *
 * Rounds, statistics and report are those of the other bench.
 */
import type { Figure } from "../figure.js";
import { installed } from "../installed.js";
import { buildReport, type Report } from "../report.js";
import { toMarkdown } from "../report-text.js";
import { TunnelBench } from "./bench.js";
import { readTunnelOptions, TUNNELS_USAGE } from "./options.js";

export interface Said {
	readonly report: Report;
	readonly markdown: string;
	/** As `--json` was passed. */
	readonly json: string | null;
}

/** What was asked for, or the usage. Progress goes to standard error. */
export async function benchTunnels(args: readonly string[]): Promise<Said | string> {
	const { systems, rows, rounds, quick, json, help } = readTunnelOptions(args);
	if (help) return TUNNELS_USAGE;
	const startedMs = performance.now();
	const bench = await TunnelBench.start(installed(systems), rounds, quick);
	const figures: Figure[] = [];
	for (const row of rows) figures.push(...(await row.run(bench)));
	await bench.stop();
	const minutes = (performance.now() - startedMs) / 60_000;
	const report = buildReport(bench, rows, figures, minutes);
	return { report, markdown: toMarkdown(report), json };
}

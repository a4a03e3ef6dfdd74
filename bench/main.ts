/**
 * `npm run bench`: Sluice beside its peers, all under the same load in alternating rounds of one run.
 *
 *     generator ──► system under test ──► backend        rows/: what is done and measured
 *     (load/)       (systems/)            (load/)        statistics.ts, judge.ts: what may be said of it
 *                                                        report.ts: what it came to
 *
 * Everything happens on 127.0.0.1. Progress goes to standard error, the report to standard output.
 */
import { writeFileSync } from "node:fs";
import { raiseDescriptorLimit } from "../src/kernel/sockets.js";
import { endAll, installCleanup } from "../src/rig/processes.js";
import { Bench } from "./bench.js";
import type { Figure } from "./figure.js";
import { readOptions, USAGE, UsageError } from "./options.js";
import { buildReport } from "./report.js";
import { toMarkdown } from "./report-text.js";
import type { System } from "./systems/system.js";

/** 5,000 sessions through a proxy, and what the proxy needs besides. */
const DESCRIPTORS_MIN = 11_000;

installCleanup();
let exitCode = 0;
try {
	await main(process.argv.slice(2));
} catch (error) {
	process.stderr.write(`bench: ${describe(error)}\n`);
	exitCode = error instanceof UsageError ? 2 : 1;
}
await endAll(exitCode);

async function main(args: readonly string[]): Promise<void> {
	const options = readOptions(args);
	if (options.help) {
		process.stdout.write(USAGE);
		return;
	}
	// The systems under test inherit it.
	const descriptors = raiseDescriptorLimit();
	if (descriptors < DESCRIPTORS_MIN)
		process.stderr.write(
			`bench: the descriptor limit is ${descriptors}; 5,000 idle sessions need ${DESCRIPTORS_MIN} (ulimit -n)\n`,
		);

	const startedMs = performance.now();
	const bench = await Bench.start(installed(options.systems), options.rounds, options.quick);
	const figures: Figure[] = [];
	for (const row of options.rows) figures.push(...(await row.run(bench)));
	await bench.stop();

	const minutes = (performance.now() - startedMs) / 60_000;
	const report = buildReport(bench, options.rows, figures, minutes);
	const json = `${JSON.stringify(report, null, "\t")}\n`;
	if (options.json === "-") process.stdout.write(json);
	else process.stdout.write(toMarkdown(report));
	if (options.json !== null && options.json !== "-") writeFileSync(options.json, json);
}

/** Those that are there; of the others it is said what to install. */
function installed(systems: readonly System[]): System[] {
	return systems.filter((system) => {
		const found = system.version() !== null;
		if (!found)
			process.stderr.write(`bench: ${system.id} is missing and left out; to include it: ${system.install}\n`);
		return found;
	});
}

function describe(error: unknown): string {
	if (error instanceof UsageError) return `${error.message}\n\n${USAGE}`;
	return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

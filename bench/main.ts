/**
 * `npm run bench`: Sluice beside its peers, all under the same load in alternating rounds of one run.
 *
 *     generator ──► system under test ──► backend        rows/: what is done and measured
 *     (load/)       (systems/)            (load/)        statistics.ts, judge.ts: what may be said of it
 *                                                        report.ts: what it came to
 *
 * `npm run bench -- library` and `npm run bench -- tunnels` are other benches with the same load and statistics, and
 * `npm run bench -- quic` one without any load: library/main.ts, tunnels/main.ts, quic/main.ts.
 *
 * Everything happens on 127.0.0.1. Progress goes to standard error, the report to standard output.
 */
import { writeFileSync } from "node:fs";
import { raiseDescriptorLimit } from "../src/kernel/sockets.js";
import { endAll, installCleanup } from "../src/rig/processes.js";
import { Bench } from "./bench.js";
import type { Figure } from "./figure.js";
import { installed } from "./installed.js";
import { benchLibrary } from "./library/main.js";
import { readOptions, USAGE, UsageError } from "./options.js";
import { benchQuic } from "./quic/main.js";
import { buildReport } from "./report.js";
import { toMarkdown } from "./report-text.js";
import { benchTunnels } from "./tunnels/main.js";

/** 5,000 sessions through a proxy, or 10,000 WebSockets, and what is needed besides. */
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

async function main([command, ...rest]: readonly string[]): Promise<void> {
	if (command === "library") await library(rest);
	else if (command === "tunnels") await tunnels(rest);
	else if (command === "quic") quic(rest);
	else await gateway(command === undefined ? [] : [command, ...rest]);
}

async function library(args: readonly string[]): Promise<void> {
	warnOfDescriptors();
	const said = await benchLibrary(args);
	if (typeof said === "string") process.stdout.write(said);
	else {
		write(said.report, said.markdown, said.json);
		if (said.report.rows.some(({ failure }) => failure !== null)) exitCode = 1;
	}
}

async function tunnels(args: readonly string[]): Promise<void> {
	warnOfDescriptors();
	const said = await benchTunnels(args);
	if (typeof said === "string") process.stdout.write(said);
	else write(said.report, said.markdown, said.json);
}

function quic(args: readonly string[]): void {
	const said = benchQuic(args);
	if (typeof said === "string") process.stdout.write(said);
	else write(said.report, said.markdown, said.json);
}

async function gateway(args: readonly string[]): Promise<void> {
	const options = readOptions(args);
	if (options.help) {
		process.stdout.write(USAGE);
		return;
	}
	warnOfDescriptors();

	const startedMs = performance.now();
	const bench = await Bench.start(installed(options.systems), options.rounds, options.quick);
	const figures: Figure[] = [];
	for (const row of options.rows) figures.push(...(await row.run(bench)));
	await bench.stop();

	const minutes = (performance.now() - startedMs) / 60_000;
	const report = buildReport(bench, options.rows, figures, minutes);
	write(report, toMarkdown(report), options.json);
}

/** The processes that are measured inherit the limit, raised as far as it goes. */
function warnOfDescriptors(): void {
	const descriptors = raiseDescriptorLimit();
	if (descriptors < DESCRIPTORS_MIN)
		process.stderr.write(
			`bench: the descriptor limit is ${descriptors}; 5,000 idle sessions or 10,000 WebSockets need ${DESCRIPTORS_MIN} (ulimit -n)\n`,
		);
}

/** `json`: a file, or `-` for the report instead of its table. */
function write(report: unknown, markdown: string, json: string | null): void {
	const text = `${JSON.stringify(report, null, "\t")}\n`;
	process.stdout.write(json === "-" ? text : markdown);
	if (json !== null && json !== "-") writeFileSync(json, text);
}

function describe(error: unknown): string {
	if (error instanceof UsageError) return `${error.message}\n\n${USAGE}`;
	return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

/**
 * `npm run bench`: Sluice beside its peers, all under the same load in alternating rounds of one run.
 *
 *     generator ──► system under test ──► backend        rows/: what is done and measured
 *     (load/)       (systems/)            (load/)        statistics.ts, judge.ts: what may be said of it
 *                                                        report.ts: what it came to
 *
 * `npm run bench -- library`, `… tunnels`, `… udp`, `… hub` and `… dashboard` are other benches with the same statistics, and `… quic` one
 * without any load: library/main.ts, tunnels/main.ts, udp/main.ts, hub/main.ts, dashboard/main.ts, quic/main.ts.
 *
 * Everything happens on 127.0.0.1. Progress goes to standard error, the report to standard output.
 */
import { writeFileSync } from "node:fs";
import { endAll, installCleanup } from "../src/rig/processes.js";
import { Bench } from "./bench.js";
import { UsageError } from "./command-line.js";
import { benchDashboard, DASHBOARD_USAGE } from "./dashboard/main.js";
import { benchHub } from "./hub/main.js";
import { HUB_USAGE } from "./hub/options.js";
import { benchLibrary } from "./library/main.js";
import { LIBRARY_USAGE } from "./library/options.js";
import { readOptions, USAGE } from "./options.js";
import { benchQuic, QUIC_USAGE } from "./quic/main.js";
import { type Said, sideBySide } from "./side-by-side.js";
import { benchTunnels } from "./tunnels/main.js";
import { TUNNELS_USAGE } from "./tunnels/options.js";
import { benchUdp } from "./udp/main.js";
import { UDP_USAGE } from "./udp/options.js";

interface Command {
	readonly usage: string;
	/** What was asked for, or the usage; or an exit code, where another process has said it. */
	run(args: readonly string[]): Promise<Said<unknown> | string | number> | Said<unknown> | string;
}

const COMMANDS: ReadonlyMap<string, Command> = new Map([
	["library", { usage: LIBRARY_USAGE, run: benchLibrary }],
	["tunnels", { usage: TUNNELS_USAGE, run: benchTunnels }],
	["udp", { usage: UDP_USAGE, run: benchUdp }],
	["hub", { usage: HUB_USAGE, run: benchHub }],
	["dashboard", { usage: DASHBOARD_USAGE, run: benchDashboard }],
	["quic", { usage: QUIC_USAGE, run: benchQuic }],
]);

const GATEWAY: Command = { usage: USAGE, run: benchGateway };

installCleanup();
const args = process.argv.slice(2);
const command = COMMANDS.get(args[0] ?? "");
await endAll(command === undefined ? await main(GATEWAY, args) : await main(command, args.slice(1)));

/** Returns the exit code. */
async function main({ usage, run }: Command, args: readonly string[]): Promise<number> {
	try {
		const said = await run(args);
		if (typeof said === "number") return said;
		if (typeof said === "string") process.stdout.write(said);
		else write(said);
		return typeof said === "object" && said.failed === true ? 1 : 0;
	} catch (error) {
		process.stderr.write(`bench: ${describe(error, usage)}\n`);
		return error instanceof UsageError ? 2 : 1;
	}
}

async function benchGateway(args: readonly string[]): Promise<Said<unknown> | string> {
	const chosen = readOptions(args);
	return chosen.help ? USAGE : sideBySide(chosen, Bench.start);
}

/** `json`: a file, or `-` for the report instead of its table. */
function write({ report, markdown, json }: Said<unknown>): void {
	const text = `${JSON.stringify(report, null, "\t")}\n`;
	process.stdout.write(json === "-" ? text : markdown);
	if (json !== null && json !== "-") writeFileSync(json, text);
}

function describe(error: unknown, usage: string): string {
	if (error instanceof UsageError) return `${error.message}\n\n${usage}`;
	return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

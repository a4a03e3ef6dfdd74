/**
 * WebSocket users who stay: `npm run bench:websockets -- --users 50 --seconds 600`. Prints a line per minute, and
 * ends with 0 when nobody was cut and the memory of the system under test has not grown.
 */
import { parseArgs } from "node:util";
import { Helper } from "../../src/rig/helper.js";
import { median } from "../../src/rig/percentile.js";
import { cpuNs, readCpu, residentBytes } from "../../src/rig/proc.js";
import { endAll, installCleanup } from "../../src/rig/processes.js";
import { upstreamsOf } from "../bench.js";
import { startBackend } from "../load/driver.js";
import { describeMachine } from "../machine.js";
import { SYSTEMS } from "../systems/index.js";
import { launch } from "../systems/launch.js";
import type { Running } from "../systems/system.js";
import type { UsersReport } from "./users.js";

/** As the churn drill: a garbage collector gives and takes a megabyte at any moment. */
const DRIFT_BYTES_MAX = 2 * 1024 * 1024;
/** Of the run: what is set up once has been set up by then. */
const WARM_UP_SHARE = 0.1;
const LINES_PER_RUN = 10;

/** For Node 20; later ones have the client without the flag, and take it. */
const FLAGS = ["--experimental-websocket", "--no-warnings"];

interface Sample extends UsersReport {
	readonly atSeconds: number;
	readonly residentBytes: number;
	/** Cores in use since the sample before. */
	readonly cores: number;
}

installCleanup();
let exitCode = 1;
try {
	exitCode = await main();
} catch (error) {
	process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
}
await endAll(exitCode);

async function main(): Promise<number> {
	const { values } = parseArgs({
		options: {
			users: { type: "string", default: "50" },
			seconds: { type: "string", default: "600" },
			system: { type: "string", default: "sluice" },
		},
	});
	const users = whole("--users", values.users, 5000);
	const seconds = whole("--seconds", values.seconds, 24 * 3600);
	const system = SYSTEMS.find(({ id }) => id === values.system);
	if (system === undefined || !system.readsRequests || system.version() === null)
		throw new Error(`--system ${values.system}: not one that is here and reads requests`);
	const httpTo = await new Helper<never, number>(new URL("server.js", import.meta.url)).next();
	const running = await launch(system, { ...upstreamsOf(await startBackend(), 0), httpTo });
	// A line per minute; of shorter runs, ten lines.
	const everyMs = Math.min(60_000, Math.ceil((seconds * 1000) / LINES_PER_RUN));
	const { kernel, node, cores } = describeMachine();
	process.stdout.write(
		`${users} WebSocket users through ${system.id} ${system.version() ?? ""}, ${seconds} s; ${cores} cores, ${kernel}, Node ${node}\n\n` +
			"| time | connected users | messages | missed | reconnects | resident memory | CPU |\n" +
			"| ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n",
	);
	const samples = await watch(
		running,
		[String(running.listen.http), String(users), String(everyMs)],
		seconds,
	);
	await running.stop();
	return conclude(samples, users);
}

async function watch(running: Running, args: readonly string[], seconds: number): Promise<Sample[]> {
	// users.ts writes exactly this type, once a minute at the latest.
	const helper = new Helper<never, UsersReport>(new URL("users.js", import.meta.url), {
		args,
		flags: FLAGS,
		answerMs: null,
	});
	const samples: Sample[] = [];
	const startedMs = performance.now();
	let cpu = readCpu(running.pids());
	let atSeconds = 0;
	while (atSeconds < seconds - 0.5) {
		const report = await helper.next();
		const now = (performance.now() - startedMs) / 1000;
		const after = readCpu(running.pids());
		const cores = cpuNs(cpu, after) / 1e9 / (now - atSeconds);
		cpu = after;
		atSeconds = now;
		const resident = running.pids().reduce((sum, pid) => sum + residentBytes(pid), 0);
		const sample = { ...report, atSeconds, residentBytes: resident, cores };
		samples.push(sample);
		process.stdout.write(line(sample));
	}
	return samples;
}

function line(sample: Sample): string {
	const { atSeconds, connected, echoed, missed, reconnects, residentBytes, cores } = sample;
	const cells = [
		`${atSeconds.toFixed(0)} s`,
		...[connected, echoed, missed, reconnects].map(String),
		mebibytes(residentBytes),
		`${(100 * cores).toFixed(2)} %`,
	];
	return `| ${cells.join(" | ")} |\n`;
}

function conclude(samples: readonly Sample[], users: number): number {
	const warm = samples.slice(Math.ceil(samples.length * WARM_UP_SHARE));
	const third = Math.max(1, Math.floor(warm.length / 3));
	const memory = (part: readonly Sample[]): number => median(part.map((sample) => sample.residentBytes)) ?? 0;
	const drift = memory(warm.slice(-third)) - memory(warm.slice(0, third));
	const last = samples.at(-1);
	const held =
		last?.reconnects === 0 &&
		last.missed === 0 &&
		samples.every(({ connected }) => connected === users) &&
		drift <= DRIFT_BYTES_MAX;
	process.stdout.write(
		`\n${last?.reconnects} reconnects, ${last?.missed} messages missed; memory ${drift >= 0 ? "+" : "-"}${mebibytes(Math.abs(drift))} ` +
			`from the first third of the time to the last (medians, after a tenth to warm up): ${held ? "held" : "NOT HELD"}\n`,
	);
	return held ? 0 : 1;
}

function mebibytes(bytes: number): string {
	return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}

function whole(option: string, text: string, max: number): number {
	const value = Number(text);
	if (!Number.isInteger(value) || value < 1 || value > max)
		throw new Error(`${option} ${text}: not a whole number from 1 to ${max}`);
	return value;
}

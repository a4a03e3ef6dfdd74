/**
 * `npm run bench -- dashboard`: what it costs that somebody looks. Rounds of small requests through the relay without viewers, with them, and
 * without again; and the gateway's processor time with many idle sessions, with one viewer and without.
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { MAIN } from "../../src/rig/gateway.js";
import { cpuNs, family, readCpu } from "../../src/rig/proc.js";
import { COMMON, parse, toRounds } from "../command-line.js";
import { freePorts } from "../free-port.js";
import { judgeTarget, type Verdict } from "../judge.js";
import { Generator, startBackend } from "../load/driver.js";
import { describeMachine, type Machine } from "../machine.js";
import { inOrder } from "../order.js";
import type { Said } from "../side-by-side.js";
import { Start } from "../start.js";
import { type Estimate, estimate } from "../statistics.js";
import { accepts } from "../systems/launch.js";

const VIEWERS = 100;
const CONNECTIONS = 16;
const ROUND_MS = 3_000;
const IDLE = 9_000;
const IDLE_QUICK = 1_000;
const CPU_MS = 10_000;
const CPU_ROUNDS = 5;

export const DASHBOARD_USAGE = `npm run bench -- dashboard [options]

What ${VIEWERS} viewers of the dashboard do to the relay's latency, and what one costs with ${IDLE} idle sessions.

  --rounds N   rounds (default ${COMMON.rounds.default}; fewer than 6 have no interval)
  --json FILE  also writes all numbers there; "-": to standard output, instead of the table
  --quick      small rounds, to see that everything works; its numbers prove nothing
  --help       this text
`;

const { rounds: ROUNDS, json: JSON_FILE, quick: QUICK, help: HELP } = COMMON;
const P99 = { kind: "ratio", atMost: 1.2 } as const;
const SHARE = { kind: "value", atMost: 1 } as const;

export interface DashboardReport {
	readonly machine: Machine;
	readonly rounds: number;
	readonly quick: boolean;
	/** In ms: without viewers, with them, and without again. */
	readonly p99: {
		readonly calm: Estimate | null;
		readonly watched: Estimate | null;
		readonly again: Estimate | null;
	};
	/** Of the same rounds. */
	readonly ratio: Estimate | null;
	readonly selfRatio: Estimate | null;
	readonly p99Verdict: Verdict;
	/** In percent of one core, of all of the gateway. */
	readonly share: {
		readonly alone: Estimate | null;
		readonly watched: Estimate | null;
		readonly more: Estimate | null;
	};
	readonly shareVerdict: Verdict;
	readonly idle: number;
}

interface Rig {
	readonly pid: number;
	readonly port: number;
	/** So many look from now on. */
	watch(viewers: number): Promise<void>;
	stop(): Promise<void>;
}

/** What was asked for, or the usage. */
export async function benchDashboard(args: readonly string[]): Promise<Said<DashboardReport> | string> {
	const options = parse(args, { rounds: ROUNDS, json: JSON_FILE, quick: QUICK, help: HELP });
	if (options.help) return DASHBOARD_USAGE;
	const rounds = toRounds(options.rounds);
	const { quick } = options;
	const rig = await startRig();
	const generator = new Generator();
	try {
		const [calm, watched, again] = await latencies(rig, generator, rounds, quick);
		const idle = quick ? IDLE_QUICK : IDLE;
		const { alone, one } = await shares(rig, generator, idle, quick);
		const ratio = estimate(watched.map((value, i) => value / (calm[i] ?? Number.NaN)));
		const selfRatio = estimate(again.map((value, i) => value / (calm[i] ?? Number.NaN)));
		const more = estimate(one.map((value, i) => value - (alone[i] ?? Number.NaN)));
		const report = {
			...{ machine: describeMachine(), rounds, quick, ratio, selfRatio, idle },
			p99: { calm: estimate(calm), watched: estimate(watched), again: estimate(again) },
			p99Verdict: judgeTarget(P99, ratio, selfRatio),
			share: { alone: estimate(alone), watched: estimate(one), more },
			shareVerdict: judgeTarget(SHARE, more, null),
		};
		return { report, markdown: toMarkdown(report), json: options.json ?? null };
	} finally {
		await generator.ask("close", {}).catch(() => {});
		await rig.stop();
	}
}

async function startRig(): Promise<Rig> {
	const { relay } = await startBackend();
	const ports = await freePorts("tcp", ["listen", "admin"]);
	const start = new Start("dashboard", 50);
	const file = join(start.directory, "sluice.yaml");
	writeFileSync(
		file,
		`
admin: 127.0.0.1:${ports.admin}
limits: { connections: ${IDLE + 500}, fd_reserve: ${2 * VIEWERS + 56} }
log: { sessions: false }
timeouts: { idle: 10m, drain: 1s }
listeners: [ { listen: "127.0.0.1:${ports.listen}", backlog: 4096, routes: [ { to: up } ] } ]
upstreams: { up: "127.0.0.1:${relay[0]}" }
`,
	);
	const { pid } = start.run({ command: process.execPath, args: [MAIN, "run", "-c", file] });
	await start.until("its admin port is open", () => accepts(ports.admin));
	const viewers = fork(fileURLToPath(new URL("viewers.js", import.meta.url)), [String(ports.admin)]);
	return {
		...{ pid, port: ports.listen },
		async watch(count) {
			viewers.send(count);
			await once(viewers, "message");
		},
		async stop() {
			viewers.disconnect();
			await start.stop();
		},
	};
}

/** p99 of each round, in ms: without viewers, with them, and without again, in an order that changes. */
async function latencies(
	rig: Rig,
	generator: Generator,
	rounds: number,
	quick: boolean,
): Promise<readonly [number[], number[], number[]]> {
	const found: readonly [number[], number[], number[]] = [[], [], []];
	// The round before the first is the warm-up.
	for (let round = -1; round < rounds; round++)
		for (const which of inOrder([0, 1, 2] as const, Math.max(0, round))) {
			await rig.watch(which === 1 ? VIEWERS : 0);
			const { latency } = await generator.ask("latencyFor", {
				...{ port: rig.port, connections: CONNECTIONS, ms: quick ? 500 : ROUND_MS },
			});
			if (round >= 0) found[which].push(latency.p99Us / 1_000);
		}
	await rig.watch(0);
	return found;
}

/** Of one core, in percent, while nothing else happens. */
async function shares(
	rig: Rig,
	generator: Generator,
	idle: number,
	quick: boolean,
): Promise<{ readonly alone: number[]; readonly one: number[] }> {
	await generator.ask("open", { port: rig.port, connections: idle });
	await generator.ask("requests", { count: idle });
	const [alone, one]: [number[], number[]] = [[], []];
	const ms = quick ? 2_000 : CPU_MS;
	for (let round = 0; round < CPU_ROUNDS + 1; round++)
		for (const which of inOrder([alone, one], round)) {
			await rig.watch(which === one ? 1 : 0);
			await sleep(1_000);
			const before = readCpu(family(rig.pid));
			await sleep(ms);
			which.push((100 * cpuNs(before, readCpu(family(rig.pid)))) / (ms * 1e6));
		}
	return { alone, one };
}

function toMarkdown(report: DashboardReport): string {
	const { machine, rounds, quick, p99, ratio, selfRatio, p99Verdict, share, shareVerdict, idle } = report;
	const lines = [
		`## The dashboard, ${machine.date.slice(0, 10)}`,
		"",
		`${machine.cpu}, ${machine.cores} cores, ${machine.kernel}, Node ${machine.node}; medians of ${rounds} rounds, in brackets their 95 % intervals.`,
		...(quick ? ["", "**A quick run: its numbers prove nothing.**"] : []),
		"",
		`| | nobody looks | ${VIEWERS} look | ratio | nobody beside itself | target |`,
		"| --- | ---: | ---: | ---: | ---: | --- |",
		`| p99 of small requests through the relay, ms | ${shown(p99.calm)} | ${shown(p99.watched)} | ${shown(ratio)} | ${shown(selfRatio)} | ≤ 1.2: ${said(p99Verdict)} |`,
		"",
		`| ${idle.toLocaleString("en")} idle sessions | nobody looks | one looks | more | target |`,
		"| --- | ---: | ---: | ---: | --- |",
		`| processor time of the gateway, % of a core | ${shown(share.alone)} | ${shown(share.watched)} | ${shown(share.more)} | ≤ 1: ${said(shareVerdict)} |`,
	];
	return `${lines.join("\n")}\n`;
}

function shown(value: Estimate | null): string {
	if (value === null) return "–";
	const { median, interval } = value;
	const bracketed = interval === null ? "" : ` (${interval.low.toFixed(2)} … ${interval.high.toFixed(2)})`;
	return `${median.toFixed(2)}${bracketed}`;
}

function said(verdict: Verdict): string {
	if (!verdict.judged) return `not judged: ${verdict.why}`;
	return `${verdict.met ? "met" : "missed"}${verdict.clear ? "" : ", by a hair"}`;
}

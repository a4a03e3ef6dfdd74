/**
 * On one machine, whoever sends over loopback also does the receiver's half of TCP, in the kernel and on its own account: with small messages that
 * is as much as sending them. Subscribers are elsewhere, so the bench runs in a network namespace of its own, in which all that comes in is
 * the work of other cores (RPS) than that of the system under test:
 *
 *     first core: the system under test ──► loopback ──► the others: the subscribers' half of TCP
 */
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { ip, makeNamespace } from "../../src/rig/network-namespace.js";
import { atEnd, ownProcess } from "../../src/rig/processes.js";
import type { Program } from "../start.js";

/** Set in the process that is inside. */
const INSIDE = "SLUICE_BENCH_APART";
const isInside = process.env[INSIDE] !== undefined;

/** The first core is the systems', the others are the subscribers'. */
const [SYSTEM_CORE = 0, ...OTHER_CORES] = allowedCores();
/**
 * Packets that may wait for another core: of the whole machine. A message to everybody, and what answers it, must fit: what does not is
 * dropped, and sent again 200 ms later.
 */
const BACKLOG = "/proc/sys/net/core/netdev_max_backlog";
const BACKLOG_PACKETS = 30_000;
/** Of the namespace that this process is in: `ip netns exec` shows its own. */
const RPS = "/sys/class/net/lo/queues/rx-0/rps_cpus";

/** For the report. */
export const HOW = isInside
	? "Each system has one core, and the subscribers' half of TCP is the work of the others (RPS, in a network namespace)"
	: "The subscribers' half of TCP is in the system's CPU, as always over loopback";

/** Runs `npm run bench -- hub` with these arguments inside, and returns its exit code. `null`: it is inside, or cannot be, which is said. */
export async function runApart(args: readonly string[]): Promise<number | null> {
	if (isInside) {
		steer();
		return null;
	}
	const namespace = OTHER_CORES.length === 0 ? "there is one core only" : makeNamespace("sluice-bench-");
	const problem = typeof namespace === "string" ? namespace : (taskset() ?? makeRoom());
	if (typeof namespace === "string" || problem !== null) {
		process.stderr.write(`bench: the subscribers' half of TCP is counted as the systems': ${problem}\n`);
		return null;
	}
	const [command = "", ...enter] = namespace.enter;
	const own = [process.execPath, ...process.execArgv, process.argv[1] ?? "", "hub", ...args];
	const inside = ownProcess(command, [...enter, ...own], {
		stdio: "inherit",
		env: { ...process.env, [INSIDE]: "yes" },
	});
	await inside.ended;
	return inside.child.exitCode ?? 1;
}

/** A system that keeps to its core. */
export function onItsCore({ command, args }: Program): Program {
	return isInside
		? { command: "taskset", args: ["-c", String(SYSTEM_CORE), command, ...args] }
		: { command, args };
}

function steer(): void {
	const problem = ip("link", "set", "lo", "up");
	if (problem !== null) throw new Error(`the namespace's loopback: ${problem}`);
	writeFileSync(RPS, maskOf(OTHER_CORES));
}

/** Those that this process may use. */
function allowedCores(): number[] {
	const status = readFileSync("/proc/self/status", "utf8");
	return coresIn(/^Cpus_allowed_list:\s+(\S+)$/m.exec(status)?.[1] ?? "0");
}

/** As the kernel lists them: `0-2,4`. */
export function coresIn(list: string): number[] {
	return list.split(",").flatMap((range) => {
		const [first = 0, last = first] = range.split("-").map(Number);
		return Array.from({ length: last - first + 1 }, (_, i) => first + i);
	});
}

/** As the kernel reads masks of cores: groups of 32 bits, the highest first, commas between. */
export function maskOf(cores: readonly number[]): string {
	const groups = new Array<number>(Math.floor(Math.max(...cores) / 32) + 1).fill(0);
	for (const core of cores) {
		const group = Math.floor(core / 32);
		groups[group] = ((groups[group] ?? 0) | (1 << (core % 32))) >>> 0;
	}
	return groups
		.reverse()
		.map((group) => group.toString(16).padStart(8, "0"))
		.join(",");
}

/** Until this process ends. */
function makeRoom(): string | null {
	const before = readFileSync(BACKLOG, "utf8");
	if (Number(before) >= BACKLOG_PACKETS) return null;
	try {
		writeFileSync(BACKLOG, String(BACKLOG_PACKETS));
	} catch (error) {
		return `${BACKLOG} cannot be written: ${error instanceof Error ? error.message : error}`;
	}
	atEnd(() => writeFileSync(BACKLOG, before));
	return null;
}

function taskset(): string | null {
	return spawnSync("taskset", ["-V"]).error === undefined
		? null
		: "taskset is missing: apt-get install util-linux";
}

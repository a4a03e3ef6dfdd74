/** Drills as operators run them, through the command line with JSON, and what their results must say on any machine. */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { ListenerKind } from "../../src/drill/drill.js";
import { countLate } from "../../src/drill/lateness.js";
import type { DrillResult, TargetResult } from "../../src/drill/result.js";
import { MAIN } from "../../src/rig/gateway.js";
import { Child, type Outcome } from "./processes.js";
import { type Scenario, scenario } from "./scenario.js";
import { eventually } from "./waiting.js";

/** Marks all processes of one drill: they inherit the environment. */
const MARK = "SLUICE_DRILL_TEST";

/** Small enough for a test, and still an attack. */
const SMALL: Readonly<Record<string, readonly string[]>> = {
	slowloris: ["--connections", "60"],
	hold: ["--connections", "60"],
	// Three times what its target has descriptors for, and few enough to be there within the second on a slow machine.
	exhaust: ["--connections", "200"],
	burst: ["--connections", "300"],
	"slow-body": ["--connections", "40"],
	"slow-reader": ["--connections", "20"],
	memory: ["--connections", "80"],
	"half-open": ["--connections", "40"],
	"reset-storm": ["--connections", "20"],
	pipelines: ["--connections", "400"],
	garbage: ["--connections", "40"],
	churn: ["--connections", "3000"],
	"accept-queue": ["--connections", "50"],
	"syn-flood": ["--connections", "1000"],
	"udp-flood": ["--connections", "1000"],
	"udp-expire": ["--connections", "200"],
	"slow-subscriber": ["--connections", "80"],
};

/** What `npm test` runs of them: one that waits, one that loses packets, two in the kernel, one of datagrams, one of the hub. */
export const QUICK = [
	["hold", "relay"],
	["half-open", "relay"],
	["accept-queue", "relay"],
	["syn-flood", "relay"],
	["udp-flood", "udp"],
	["slow-subscriber", "hub"],
] as const satisfies readonly (readonly [string, ListenerKind])[];

/** Exit statuses that docs/drills.md promises. */
const STATUS = { held: 0, "not held": 1, "too busy to judge": 3 } as const;

/** One drill, small. Whether a busy machine answers in time is not judged. */
export function drillSmall(name: string, listener: ListenerKind, isBare = false): void {
	const beside = isBare ? ", beside a plain server" : "";
	const title = `${name} of a ${listener} listener${beside}, small: it attacks, measures, judges, and leaves nothing behind`;
	scenario(
		title,
		async (scenario) => {
			const svg = join(scenario.directory, "chart.svg");
			const comparison = isBare || (name === "burst" && listener !== "tls") ? ["--bare"] : [];
			const small = [...(SMALL[name] ?? []), ...comparison, "--seconds", "1", "--listener", listener];
			const args = [...small, "--json", "--svg", svg];
			const outcome = await runDrill(scenario, name, ...args);
			const result = parse(outcome);
			check(name, result);
			assert.equal(outcome.status, STATUS[result.outcome]);
			assert.match(readFileSync(svg, "utf8"), /^<svg [\s\S]*<\/svg>\n$/);
			await leavesNothing(scenario, ["chart.svg"]);
			if (name === "burst" && comparison.length > 0) comparesWithBare(result);
			if (name === "half-open") accountsForTheLink(result);
			if (name === "memory") accountsForTheGroup(result);
			if (name === "accept-queue") knowsTheKernel(result);
			if (name === "syn-flood") keepsCookies(result);
			if (name === "udp-flood") forgesHalves(result);
			if (name === "udp-expire") comparesWithASweep(result);
			if (name === "slow-subscriber") accountsForEachMessage(result);
			if (name === "slow-subscriber" && isBare) comparesWithABroadcast(result);
		},
		{ needs: name === "syn-flood" ? ["unshare", "network namespaces"] : [] },
	);
}

/** Everything held but what only the clock says. */
export function assertHeld({ verdict, phases, noise }: TargetResult): void {
	for (const { measure, held, value, byClock } of verdict)
		if (!byClock) assert.notEqual(held, false, `${measure} is ${String(value)}`);
	// On a machine that was busy already all of its answers may be late.
	assert.ok(
		noise !== null || phases.some(({ client }) => client.succeeded > 0),
		"the good client was never answered",
	);
}

/** The good client met no failure but lateness. */
export function assertOnlyLate({ phases }: TargetResult): void {
	for (const { name, client } of phases) {
		const failed = Object.values(client.failures).reduce((sum, count) => sum + count, 0);
		assert.equal(failed, countLate(client.failures), `${name}: ${JSON.stringify(client.failures)}`);
	}
}

/** Runs a drill whose temporary files and processes can be told from all others. */
export async function runDrill(scenario: Scenario, ...args: readonly string[]): Promise<Outcome> {
	const child = new Child(process.execPath, [MAIN, "drill", ...args], { env: markOf(scenario) });
	scenario.defer(() => child.stop());
	const status = await child.exited;
	const { stdout, stderr, output } = child;
	return { status, stdout, stderr, output };
}

export function markOf({ directory }: Scenario): Record<string, string> {
	return { TMPDIR: directory, [MARK]: directory };
}

/** Nothing of it is there any more. */
export async function leavesNothing(scenario: Scenario, allowed: readonly string[] = []): Promise<void> {
	await eventually(
		() => (marked(scenario).length === 0 ? true : undefined),
		() => `processes are left: ${marked(scenario).join(" ")}`,
	);
	assert.deepEqual(
		readdirSync(scenario.directory).filter((name) => !allowed.includes(name)),
		[],
	);
	// Namespaces carry the pid of their drill, and every drill of this file has ended or still has its process.
	const orphans = namespaces().filter((name) => {
		const pid = /^sluice-drill-(\d+)$/.exec(name)?.[1];
		return pid !== undefined && !existsSync(`/proc/${pid}`);
	});
	assert.deepEqual(orphans, []);
}

export function marked({ directory }: Scenario): string[] {
	return readdirSync("/proc").filter((pid) => {
		if (!/^\d+$/.test(pid)) return false;
		try {
			return readFileSync(`/proc/${pid}/environ`, "utf8").includes(`${MARK}=${directory}\0`);
		} catch {
			return false; // it has ended, or it is not ours
		}
	});
}

/** Network namespaces that there are. */
export function namespaces(): string[] {
	try {
		return readdirSync("/run/netns");
	} catch {
		return []; // none was ever made here
	}
}

export function parse({ stdout, stderr }: Outcome): DrillResult {
	assert.equal(stderr, "");
	return JSON.parse(stdout) as DrillResult;
}

function gatewayOf(result: DrillResult): TargetResult {
	const found = result.targets.find(({ kind }) => kind === "gateway");
	assert.ok(found !== undefined);
	return found;
}

function check(name: string, result: DrillResult): void {
	assert.equal(result.drill, name);
	for (const target of result.targets) {
		assert.deepEqual(
			target.phases.map((phase) => phase.name),
			["calm", "attack", "after"],
		);
		for (const { client, toMs, fromMs } of target.phases) {
			assert.ok(toMs > fromMs);
			const failed = Object.values(client.failures).reduce((sum, count) => sum + count, 0);
			assert.equal(client.succeeded + failed, client.attempts);
		}
		assert.ok(target.attackers.opened > 0);
		assert.ok(target.series.length > 4);
		assert.ok(target.series.some(({ descriptors }) => descriptors !== null && descriptors > 0));
		assert.ok(target.noise !== null || target.series.some(({ p50Ms }) => p50Ms !== null && p50Ms > 0));
		const failed = target.verdict.some(({ held }) => held === false);
		assert.equal(target.outcome, failed ? "not held" : target.noise === null ? "held" : "too busy to judge");
	}
	const gateway = gatewayOf(result);
	assertHeld(gateway);
	// While it has no descriptor left, it may turn away anybody.
	if (name !== "exhaust") assertOnlyLate(gateway);
	assert.ok(Object.values(gateway.closedByReason).some((count) => count > 0));
}

/** The same attack on both, side by side. */
function comparesWithBare({ targets }: DrillResult): void {
	assert.deepEqual(
		targets.map(({ kind }) => kind),
		["gateway", "bare"],
	);
	for (const { attackers } of targets) assert.equal(attackers.ends["answered"], 300);
}

/** Where the rights are missing, the report says so. */
function accountsForTheLink(result: DrillResult): void {
	const { measures, noise, closedByReason } = gatewayOf(result);
	if (result.notRun.length > 0) assert.match(result.notRun.join(), /link that goes down/);
	else if (noise === null) assert.equal(measures["link.lost"], 1);
	else {
		const { keepalive_lost: lost = 0, idle_timeout: idle = 0 } = closedByReason;
		assert.ok(lost + idle >= (measures["link.sessions"] ?? Number.POSITIVE_INFINITY), `${lost}, ${idle}`);
	}
}

/** Where the rights are missing, or the kernel's control groups, the report says so. */
function accountsForTheGroup(result: DrillResult): void {
	const { measures } = gatewayOf(result);
	if (result.notRun.length > 0) assert.match(result.notRun.join(), /gateway in a memory control group: /);
	else {
		assert.equal(measures["group.oomKills"], 0);
		assert.equal(measures["group.limitBytes"], 256 * 1024 * 1024);
	}
}

/** The same flood twice: with cookies all come in, without them the kernel drops nearly all, in the gateway's own namespace. */
function keepsCookies({ targets }: DrillResult): void {
	const [gateway, without] = targets;
	assert.deepEqual([gateway?.kind, without?.kind], ["gateway", "bare"]);
	assert.equal(without?.target, "gateway without syncookies");
	const of = (target: TargetResult | undefined, name: string) => target?.measures[name] ?? Number.NaN;
	for (const target of targets) assert.ok(of(target, "flood.halfOpenPeak") >= 230);
	assert.ok(of(gateway, "flood.cookies") > 100);
	assert.equal(of(without, "flood.cookies"), 0);
	assert.ok(of(without, "flood.drops") > 100);
	assert.ok(of(without, "attack.success") < 1);
	// Who is not accepted is another matter, and shows in other counters.
	assert.ok(of(gateway, "nobody.overflows") > 0);
	assert.equal(of(gateway, "nobody.cookies"), 0);
}

/** It was a flood, and nobody who was forged heard of it. */
function forgesHalves(result: DrillResult): void {
	const { measures, attackers } = gatewayOf(result);
	assert.ok(attackers.opened >= 100, `${attackers.opened} were sent`);
	assert.equal(attackers.ends["could not start"], 0);
	assert.equal(measures["flood.answered"], 0);
}

/** Ours go, whatever their number; who is swept by chance stays when nobody comes any more. */
function comparesWithASweep({ targets }: DrillResult): void {
	const [gateway, swept] = targets;
	assert.deepEqual([gateway?.kind, swept?.kind], ["gateway", "bare"]);
	assert.equal(gateway?.attackers.ends["given up"], 0);
	const alone = (["1", "99", "100", "137", "all"] as const).map((size) => `alone.${size}.overdueMs`);
	for (const measure of alone) {
		assert.ok((gateway?.measures[measure] ?? Number.MAX_VALUE) < Number.MAX_VALUE, measure);
		assert.equal(swept?.measures[measure], Number.MAX_VALUE, measure);
	}
}

/** Those who take a little live, and have been told of all that they did not get, or are closed by their channel's policy; the others are ended. */
function accountsForEachMessage(result: DrillResult): void {
	const { measures, attackers, closedByReason } = gatewayOf(result);
	const {
		published = 0,
		received = 0,
		missed = 0,
	} = Object.fromEntries(
		["published", "received", "missed"].map((name) => [name, measures[`hub.${name}`] ?? 0]),
	);
	// Of four channels each has four who are slow, and as many messages as the others, but for one.
	assert.ok(published >= 4 && attackers.opened === 16);
	assert.ok(Math.abs(received + missed - published) <= 4, `${received} and ${missed} of ${published}`);
	assert.equal(attackers.ends["given up"], undefined);
	const ends = Object.values(attackers.ends).reduce((sum, count) => sum + count, 0);
	assert.equal(ends, 16);
	// On a machine that stood still those who take a little may have come too late for it.
	if (measures["hub.cutOff"] !== 0) return;
	assert.deepEqual([measures["hub.deliveredLess"], measures["hub.missedLess"]], [0, 0]);
	assert.equal(closedByReason["stall_timeout"], 8);
	assert.equal(attackers.ends["told that its outbox is full"] ?? 0, closedByReason["outbox_full"] ?? 0);
}

/** It keeps for each whatever he does not read, and ends nobody. */
function comparesWithABroadcast({ targets }: DrillResult): void {
	const [, plain] = targets;
	assert.equal(plain?.kind, "bare");
	assert.deepEqual(plain.attackers.ends, { "read on": 8, "given up": 8 });
	assert.equal(plain.measures["hub.missed"], 0);
	assert.equal(plain.measures["hub.behind"], 0);
}

/** FACTS of this kernel: one more than the backlog is established, the others retry. */
function knowsTheKernel(result: DrillResult): void {
	const { measures } = gatewayOf(result);
	assert.equal(measures["kernel.backlog"], 32);
	assert.equal(measures["kernel.established"], 33);
	assert.equal(measures["kernel.retrying"], 17);
}

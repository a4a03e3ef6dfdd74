/**
 * Every drill, small, as operators run it: through the command line, with JSON. Whether a busy machine answers in
 * time is not judged here; that each drill attacks, measures, concludes and leaves nothing behind is.
 */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe } from "node:test";
import { fileURLToPath } from "node:url";
import { LISTENER_KINDS } from "../../src/drill/drill.js";
import { DRILLS } from "../../src/drill/drills/index.js";
import type { DrillResult, TargetResult } from "../../src/drill/result.js";
import { MAIN } from "../../src/rig/gateway.js";
import { assertHeld, assertOnlyLate } from "../support/drills.js";
import { startUpstream } from "../support/peers.js";
import { Child, type Outcome } from "../support/processes.js";
import { type Scenario, scenario } from "../support/scenario.js";
import { eventually } from "../support/waiting.js";

const BARE_SERVER = fileURLToPath(new URL("../../src/drill/bare-server.js", import.meta.url));

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
};

/** Exit statuses that docs/drills.md promises. */
const STATUS = { held: 0, "not held": 1, "too busy to judge": 3 } as const;

const PLANS = DRILLS.flatMap(({ name, on }) =>
	LISTENER_KINDS.filter((kind) => typeof on[kind] !== "string").map((kind) => [name, kind] as const),
);

/** Runs a drill whose temporary files and processes can be told from all others. */
async function runDrill(scenario: Scenario, ...args: readonly string[]): Promise<Outcome> {
	const child = new Child(process.execPath, [MAIN, "drill", ...args], { env: markOf(scenario) });
	scenario.defer(() => child.stop());
	const status = await child.exited;
	const { stdout, stderr, output } = child;
	return { status, stdout, stderr, output };
}

function markOf({ directory }: Scenario): Record<string, string> {
	return { TMPDIR: directory, [MARK]: directory };
}

/** Nothing of it is there any more. */
async function leavesNothing(scenario: Scenario, allowed: readonly string[] = []): Promise<void> {
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

function marked({ directory }: Scenario): string[] {
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
function namespaces(): string[] {
	try {
		return readdirSync("/run/netns");
	} catch {
		return []; // none was ever made here
	}
}

function parse({ stdout, stderr }: Outcome): DrillResult {
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
		assert.ok(target.series.some(({ p50Ms }) => p50Ms !== null && p50Ms > 0));
		const failed = target.verdict.some(({ held }) => held === false);
		assert.equal(target.outcome, failed ? "not held" : target.noise === null ? "held" : "too busy to judge");
	}
	const gateway = gatewayOf(result);
	assertHeld(gateway);
	// While it has no descriptor left, it may turn away anybody.
	if (name !== "exhaust") assertOnlyLate(gateway);
	assert.ok(Object.values(gateway.closedByReason).some((count) => count > 0));
}

// Mostly waiting for deadlines, so several at a time.
describe("drills", { concurrency: 6 }, () => {
	for (const [name, listener] of PLANS) {
		// It has a test of its own, with what it needs.
		if (name === "slowhttptest") continue;
		const title = `${name} of a ${listener} listener, small: it attacks, measures, judges, and leaves nothing behind`;
		scenario(title, async (scenario) => {
			const svg = join(scenario.directory, "chart.svg");
			const comparison = name === "burst" && listener !== "tls" ? ["--bare"] : [];
			const small = [...(SMALL[name] ?? []), ...comparison, "--seconds", "1", "--listener", listener];
			const args = [...small, "--json", "--svg", svg];
			const outcome = await runDrill(scenario, name, ...args);
			const result = parse(outcome);
			check(name, result);
			assert.equal(outcome.status, STATUS[result.outcome]);
			assert.match(readFileSync(svg, "utf8"), /^<svg [\s\S]*<\/svg>\n$/);
			await leavesNothing(scenario, ["chart.svg"]);
			if (comparison.length > 0) comparesWithBare(result);
			if (name === "half-open") accountsForTheLink(result);
			if (name === "memory") accountsForTheGroup(result);
			if (name === "accept-queue") knowsTheKernel(result);
		});
	}

	scenario("a server that never closes anybody does not pass, and the verdict says why", async (scenario) => {
		const upstream = await startUpstream(scenario, ({ socket }) => {
			let said = "";
			socket.on("data", (bytes: Buffer) => {
				said += bytes.toString("latin1");
				if (said.endsWith("\r\n\r\n")) socket.end("HTTP/1.1 204 No Content\r\n\r\n");
			});
		});
		const bare = new Child(process.execPath, [BARE_SERVER, "0", String(upstream.port)]);
		scenario.defer(() => bare.stop());
		const [, port] = await bare.printed(/^(\d+)\n/);
		const small = ["--connections", "30", "--seconds", "1"];
		const outcome = await runDrill(
			scenario,
			"slowloris",
			"--target",
			`127.0.0.1:${port}`,
			...small,
			"--json",
		);
		assert.equal(outcome.status, 1);
		const [target] = parse(outcome).targets;
		assert.equal(target?.kind, "given");
		const judged = (measure: string) => target.verdict.find((each) => each.measure === measure);
		assert.equal(judged("neverGone")?.value, 30);
		assert.equal(judged("neverGone")?.held, false);
		assert.ok(target.phases.some(({ client }) => client.succeeded > 0));
		// Its process was found by the port it listens on.
		assert.ok((target.phases[1]?.descriptorsMax ?? 0) >= 60);
		await leavesNothing(scenario);
	});

	scenario("Ctrl-C ends everything that a drill has started", async (scenario) => {
		const args = [MAIN, "drill", "half-open", "--connections", "20"];
		const drill = new Child(process.execPath, args, { env: markOf(scenario) });
		scenario.defer(() => drill.stop("SIGKILL"));
		// Itself, two upstreams, gateway, client, relay and attackers.
		await eventually(
			() => (marked(scenario).length >= 7 ? true : undefined),
			() => `only ${marked(scenario).length} processes`,
		);
		drill.signal("SIGINT");
		assert.equal(await drill.exited, 130);
		assert.equal(drill.output, "");
		await leavesNothing(scenario);
		assert.ok(!namespaces().includes(`sluice-drill-${drill.pid}`));
	});
});

scenario("a drill that is killed leaves no process behind either", async (scenario) => {
	const args = [MAIN, "drill", "hold", "--connections", "20"];
	const drill = new Child(process.execPath, args, { env: markOf(scenario) });
	// Itself, two upstreams, gateway, client and attackers.
	await eventually(
		() => (marked(scenario).length >= 6 ? true : undefined),
		() => `only ${marked(scenario).length} processes`,
	);
	await drill.stop("SIGKILL");
	await eventually(
		() => (marked(scenario).length === 0 ? true : undefined),
		() => `processes are left: ${marked(scenario).join(" ")}`,
	);
});

scenario("without a name the drills are listed, a line each", async (scenario) => {
	const { status, stdout } = await runDrill(scenario);
	assert.equal(status, 0);
	for (const { name, summary } of DRILLS)
		assert.ok(stdout.includes(`${name} `) && stdout.includes(summary), name);
});

scenario("what cannot be done is refused with a reason and exit status 2", async (scenario) => {
	for (const [args, reason] of [
		[["slowlori"], /did you mean "slowloris"\?/],
		[["hold", "--target", "192.0.2.1:80"], /not a loopback address/],
		[["hold", "--target", "127.0.0.1:1"], /nothing listens on 127\.0\.0\.1:1/],
		[["hold", "--connections", "0"], /--connections 0: not a whole number/],
		[["hold", "--connections", "1000000"], /--connections 1000000: each needs a port/],
	] as const) {
		const { status, stdout, stderr } = await runDrill(scenario, ...args);
		assert.equal(status, 2);
		assert.equal(stdout, "");
		assert.match(stderr, reason);
	}
});

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
	const lost = gatewayOf(result).measures["link.lost"];
	if (result.notRun.length > 0) assert.match(result.notRun.join(), /link that goes down/);
	else assert.equal(lost, 1);
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

/** FACTS of this kernel: one more than the backlog is established, the others retry. */
function knowsTheKernel(result: DrillResult): void {
	const { measures } = gatewayOf(result);
	assert.equal(measures["kernel.backlog"], 32);
	assert.equal(measures["kernel.established"], 33);
	assert.equal(measures["kernel.retrying"], 17);
}

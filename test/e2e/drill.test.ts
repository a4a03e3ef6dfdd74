/** A drill as operators run it, and how drills end; every drill on every kind of listener is in drill.long.test.ts. */
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe } from "node:test";
import { DRILLS } from "../../src/drill/drills/index.js";
import { MAIN } from "../../src/rig/gateway.js";
import { drillSmall, leavesNothing, marked, markOf, namespaces, QUICK, runDrill } from "../support/drills.js";
import { Child } from "../support/processes.js";
import { scenario } from "../support/scenario.js";
import { eventually } from "../support/waiting.js";

// Mostly waiting for deadlines, so several at a time.
describe("drills", { concurrency: 6 }, () => {
	for (const [name, listener] of QUICK) drillSmall(name, listener);

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

scenario(
	"a drill that may make no network namespace says what it lacks, and sends nothing",
	async (scenario) => {
		const programs = join(scenario.directory, "bin");
		const has = (name: string, status: number): void =>
			writeFileSync(join(programs, name), `#!/bin/sh\nexit ${status}\n`, { mode: 0o755 });
		const refusal = async (): Promise<string> => {
			const drill = new Child(process.execPath, [MAIN, "drill", "syn-flood"], { env: { PATH: programs } });
			scenario.defer(() => drill.stop("SIGKILL"));
			assert.equal(await drill.exited, 2);
			assert.equal(drill.stdout, "");
			return drill.stderr;
		};
		mkdirSync(programs);
		assert.match(await refusal(), /syn-flood needs ip: apt-get install iproute2/);
		has("ip", 0);
		assert.match(await refusal(), /syn-flood needs unshare: apt-get install util-linux/);
		has("unshare", 1);
		assert.match(await refusal(), /this user may make none; (CAP_SYS_ADMIN is missing|run it as root)/);
	},
);

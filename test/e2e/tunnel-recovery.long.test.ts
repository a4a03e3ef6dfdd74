/** What takes longer to go wrong, or to be found: a minute of silence, a network that forgets silent flows, and many drops in a row. */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { readMemory } from "../../src/rig/proc.js";
import { openPackets } from "../support/path/path.js";
import { isServed, startRecoveryRig } from "../support/recovery-rig.js";
import { scenario } from "../support/scenario.js";

scenario(
	"the network falls silent, and is back when both sides have given each other up",
	async (scenario) => {
		const rig = await startRecoveryRig(scenario);
		const bystander = await rig.bystander();
		const held = await rig.held();
		await rig.path.silence();
		await rig.agent?.printed(/nothing was heard from the gateway/);
		await rig.gateway.metricIs("sluice_tunnel_agents", (agents) => agents === 1);
		await sleep(1_000);
		await rig.path.restore();
		await rig.isBackInTime();
		await isServed(bystander);
		await rig.holds(held, 1);
	},
);

scenario("a silence that is shorter than dead_after costs nothing", async (scenario) => {
	const rig = await startRecoveryRig(scenario, { heartbeatMs: 1_000, deadAfterMs: 4_000 });
	const visitor = await rig.visitor();
	const { agents } = await rig.tunnels();
	await rig.path.silence();
	await sleep(2_000);
	await rig.path.restore();
	await isServed(visitor);
	await rig.isBackInTime();
	assert.deepEqual(
		(await rig.tunnels()).agents.map(({ epoch }) => epoch),
		agents.map(({ epoch }) => epoch),
	);
});

scenario("the network is late when the agent starts", async (scenario) => {
	const rig = await startRecoveryRig(scenario, { isLate: true });
	await rig.agent?.printed(/"event":"disconnected".*has not answered/);
	await sleep(500);
	await rig.path.restore();
	await rig.isBackInTime();
	await rig.holds(await rig.held());
});

scenario("an agent that is stopped goes on, for a moment or for long", async (scenario) => {
	const rig = await startRecoveryRig(scenario, { heartbeatMs: 1_000, deadAfterMs: 3_000 });
	const held = await rig.held();
	const visitor = await rig.visitor();
	rig.agent?.signal("SIGSTOP");
	await sleep(700);
	rig.agent?.signal("SIGCONT");
	await isServed(visitor);
	assert.doesNotMatch(rig.agent?.output ?? "", /disconnected/);
	rig.agent?.signal("SIGSTOP");
	await rig.gateway.metricIs("sluice_tunnel_agents", (agents) => agents === 0);
	await sleep(1_000);
	rig.agent?.signal("SIGCONT");
	await rig.isBackInTime();
	visitor.reset();
	await rig.holds(held);
});

scenario("the network is silent for a minute, and comes back", async (scenario) => {
	const rig = await startRecoveryRig(scenario);
	const bystander = await rig.bystander();
	const held = await rig.held();
	const lost = await rig.visitor();
	await rig.path.silence();
	await sleep(60_000);
	await rig.path.restore();
	await rig.isBackInTime();
	await isServed(bystander);
	// His line was found dead on both sides, also where nothing could be told.
	assert.notEqual(await lost.over(), "ended");
	await rig.holds(held, 1);
});

/** Longer than what is forgotten: a heartbeat, and until who is silent is dead. */
const FORGETS_MS = 3_000;

scenario(
	"flows that are silent for three seconds are forgotten, and shorter heartbeats lose nothing",
	async (scenario) => {
		const path = await openPackets(scenario);
		const rig = await startRecoveryRig(scenario, { path, heartbeatMs: 1_000, deadAfterMs: 4_000 });
		await path.forget(FORGETS_MS, "reset");
		const visitor = await rig.visitor();
		const before = (await rig.tunnels()).agents.map(({ epoch }) => epoch);
		await sleep(3 * FORGETS_MS);
		assert.deepEqual(
			(await rig.tunnels()).agents.map(({ epoch }) => epoch),
			before,
		);
		assert.doesNotMatch(rig.agent?.output ?? "", /disconnected/);
		// He has said nothing all the time.
		await isServed(visitor);
		await rig.isBackInTime();
		const metrics = await rig.gateway.metrics();
		assert.equal(metrics.sum("sluice_tunnel_lines_recycled_total", { reason: "closed" }), 0);
	},
	{ needs: ["packets"] },
);

for (const answer of ["silence", "reset"] as const)
	scenario(
		`what comes on a forgotten flow meets ${answer}, and longer heartbeats find it in time`,
		async (scenario) => {
			const path = await openPackets(scenario);
			const rig = await startRecoveryRig(scenario, { path, heartbeatMs: 5_000, deadAfterMs: 10_000 });
			const held = await rig.held();
			await path.forget(FORGETS_MS, answer);
			const forgottenMs = performance.now();
			await rig.agent?.printed(/"event":"disconnected"/);
			await rig.served();
			const tookMs = performance.now() - forgottenMs;
			assert.ok(tookMs <= 12_000 + FORGETS_MS, `service was back after ${tookMs} ms`);
			await path.forget(null, answer);
			await rig.holds(held);
		},
		{ needs: ["packets"] },
	);

/** Compilers, pools and tables have what they need by then. */
const WARM_UP = 6;
const DROPS = 14;
const GROWTH_MAX_BYTES = 8 * 1_048_576;

scenario("after many drops both ends hold what they held, memory included", async (scenario) => {
	const rig = await startRecoveryRig(scenario, { heartbeatMs: 300, deadAfterMs: 900 });
	const held = await rig.held();
	const processes = [rig.gateway.pid, rig.agent?.pid ?? 0];
	const memory = (): number[] => processes.map((pid) => readMemory([pid]).anonymousBytes);
	let before: number[] = [];
	for (let count = 0; count < DROPS; count++) {
		if (count === WARM_UP) before = memory();
		const disconnected = rig.agent?.output.split('"event":"disconnected"').length ?? 0;
		await rig.path.silence();
		await rig.agent?.printed(new RegExp(`(?:"event":"disconnected"[^]*){${disconnected}}`));
		await rig.path.restore();
		await rig.served();
	}
	await rig.holds(held);
	const grown = memory().map((bytes, index) => bytes - (before[index] ?? 0));
	scenario.context.diagnostic(
		`grown by ${grown.map((bytes) => `${Math.round(bytes / 1024)} KiB`).join(" (gateway), ")} (agent)`,
	);
	for (const bytes of grown) assert.ok(bytes < GROWTH_MAX_BYTES, `grown by ${bytes} bytes`);
});

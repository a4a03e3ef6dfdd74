/** What goes wrong between an agent and its gateway, and that service is back in time, with nothing left over. */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { openPackets } from "../support/path/path.js";
import { isServed, startRecoveryRig } from "../support/recovery-rig.js";
import { scenario } from "../support/scenario.js";
import { startAgent, tunnelTo } from "../support/tunnel-agent.js";

scenario("an agent that is killed comes back as another process", async (scenario) => {
	const rig = await startRecoveryRig(scenario);
	const bystander = await rig.bystander();
	const held = await rig.held();
	const visitor = await rig.visitor();
	rig.agent?.signal("SIGKILL");
	// The kernel of the agent's machine says so for it.
	await visitor.over();
	// What its start takes on a busy machine is no recovery's.
	await rig.startAgent().printed(/"event":"connected"/);
	await rig.isBackInTime();
	await isServed(bystander);
	await rig.holds(held, 1);
});

scenario("a gateway that is killed or ended comes back with all of its tunnels", async (scenario) => {
	const rig = await startRecoveryRig(scenario);
	const held = await rig.held();
	for (const signal of ["SIGKILL", "SIGTERM"] as const) {
		await rig.restartGateway(signal);
		await rig.isBackInTime();
		await rig.holds(held);
	}
});

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

scenario(
	"half of the connections die while lines are parked",
	async (scenario) => {
		const rig = await startRecoveryRig(scenario, { path: await openPackets(scenario), lines: 8 });
		const held = await rig.held();
		const path = rig.path as Awaited<ReturnType<typeof openPackets>>;
		assert.ok((await path.killHalf()) >= 6);
		await rig.isBackInTime();
		await rig.holds(held);
	},
	{ needs: ["packets"] },
);

scenario("the agent's clock jumps by an hour", async (scenario) => {
	const rig = await startRecoveryRig(scenario, { withoutAgent: true });
	let jumpedMs = 0;
	const { shell, web } = rig.services;
	const tunnels = [tunnelTo("tcp", shell, { name: "ssh" }), tunnelTo("http", web)];
	const agent = startAgent(scenario, rig.settings(tunnels), {
		clock: () => performance.now() + jumpedMs,
	});
	await agent.next("tunnel_opened");
	const held = await rig.held();
	const visitor = await rig.visitor();
	jumpedMs += 3_600_000;
	await agent.next("disconnected");
	await rig.isBackInTime();
	// His line does not need the control connection.
	await isServed(visitor);
	visitor.reset();
	await rig.holds(held);
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

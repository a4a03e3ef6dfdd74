/** What goes wrong between an agent and its gateway, and that service is back in time, with nothing left over. */
import assert from "node:assert/strict";
import { openPackets } from "../support/path/path.js";
import { isServed, startRecoveryRig } from "../support/recovery-rig.js";
import { scenario } from "../support/scenario.js";
import { startAgent, tunnelTo } from "../support/tunnel-agent.js";

const HOUR_MS = 3_600_000;

/** More than an agent lets pass between two looks at its clock. */
const JUMP_EVERY_MS = 1_500;

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
	// A word of the gateway's between a jump and the agent's next look at its clock shows that the connection lives: then it stays.
	const jumps = setInterval(() => {
		jumpedMs += HOUR_MS;
	}, JUMP_EVERY_MS);
	scenario.defer(() => clearInterval(jumps));
	await agent.next("disconnected");
	clearInterval(jumps);
	await rig.isBackInTime();
	// His line does not need the control connection.
	await isServed(visitor);
	visitor.reset();
	await rig.holds(held);
});

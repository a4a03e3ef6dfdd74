/** The agent that people run, and the control plane: what one says, the other understands. */
import assert from "node:assert/strict";
import type { Socket } from "node:net";
import {
	LINE_GREETING_BYTES,
	LINE_PARKED,
	NONCE_BYTES,
	PROOF_BYTES,
} from "../../../src/protocol/tunnel/index.js";
import { Agent } from "../../../src/tunnel/agent/agent.js";
import type { AgentEvent } from "../../../src/tunnel/agent/events.js";
import { parseLocal } from "../../../src/tunnel/agent/schema.js";
import type { TunnelControl } from "../../../src/tunnel/gateway/interfaces.js";
import { descriptorsOf, difference } from "../../support/descriptors.js";
import { scenario } from "../../support/scenario.js";
import { Changes, eventually } from "../../support/waiting.js";
import { entry, laptop, settings, startRig } from "./control-rig.js";
import { connectAgent } from "./test-agent.js";

/** The gateway's end of a line until it is parked, and what `verify` said of it. */
async function park(socket: Socket, control: TunnelControl): Promise<void> {
	const take = async (bytes: number): Promise<Buffer> => {
		for (;;) {
			const found = socket.read(bytes) as Buffer | null;
			if (found !== null) return found;
			await new Promise((resolve) => socket.once("readable", resolve));
		}
	};
	const ticket = (await take(LINE_GREETING_BYTES)).subarray(4);
	const nonce = Buffer.alloc(NONCE_BYTES, 7);
	socket.write(nonce);
	const owner = control.lines.verify(ticket, nonce, await take(PROOF_BYTES));
	if (owner === undefined) return void socket.destroy();
	socket.write(Buffer.from([LINE_PARKED]));
	control.lines.parked(owner.tunnel);
}

scenario("the agent logs in, opens its tunnel and parks as many lines as it is asked for", async (test) => {
	const lines = new Set<Socket>();
	const changes = new Changes();
	const rig = await startRig(
		test,
		settings([entry(laptop)], "domain: example.com, lines: 3, plain_lines: on"),
		{
			inTheOpen: true,
			line: (socket) => {
				lines.add(socket);
				socket.on("error", () => {});
				void park(socket, rig.control).then(() => changes.announce());
			},
		},
	);
	test.defer(() => {
		for (const socket of lines) socket.destroy();
	});
	const events: AgentEvent[] = [];
	const agent = new Agent(
		{
			...{ gateway: { host: "127.0.0.1", port: rig.port }, identity: laptop, trust: {}, insecure: true },
			...{ proxy: undefined, drainMs: 1, retryMaxMs: 500 },
			tunnels: [{ kind: "http", name: "app", local: parseLocal("1") }],
		},
		{
			version: "test/1",
			report: (event) => {
				events.push(event);
				changes.announce();
			},
		},
	);
	agent.start();
	test.defer(async () => {
		agent.end("the test is over");
		await agent.ended;
	});
	const parked = (): number => rig.control.view().tunnels[0]?.lines.parked ?? 0;
	await changes.until(
		() => (parked() === 3 ? true : undefined),
		() => `3 lines parked, of ${JSON.stringify(rig.control.view().tunnels)} after ${JSON.stringify(events)}`,
	);
	const opened = events.find((each) => each.event === "tunnel_opened");
	assert.deepEqual(opened?.addresses, ["https://app.example.com"]);
	// A visitor takes one, and another comes.
	rig.control.lines.taken(1);
	await changes.until(
		() => (parked() === 3 ? true : undefined),
		() => "a third line again",
	);
	assert.equal(lines.size, 4);
	rig.control.reload(settings([], "domain: example.com"));
	const ended = await changes.until(
		() => events.find((each) => each.event === "ended"),
		() => `the end among ${JSON.stringify(events)}`,
	);
	assert.equal(ended.status, 1, "an agent that is taken out of the file is not to come again");
});

scenario("after agents in every state and a stop, no descriptor is left", async (test) => {
	const before = descriptorsOf(process.pid);
	const rig = await startRig(test, settings([entry(laptop, "names: [app], shared: on")]));
	const agents = await Promise.all(Array.from({ length: 12 }, () => connectAgent(test, rig.port)));
	for (const [index, agent] of agents.entries()) {
		if (index % 4 === 0) continue;
		await agent.login(laptop, { instance: Buffer.alloc(16, index) });
		if (index % 4 === 1) agent.socket.destroy();
		if (index % 4 === 2) agent.send({ type: "open", tunnel: 1, kind: "http", name: "app" });
	}
	await rig.reactors.until("opened app");
	await rig.control.stop();
	assert.equal(rig.sockets.size, 0);
	assert.deepEqual(rig.control.view().agents, []);
	for (const agent of agents) await agent.closed();
	await test.close();
	const left = (): string => difference(before, descriptorsOf(process.pid), 0);
	await eventually(() => (left() === "" ? true : undefined), left);
});

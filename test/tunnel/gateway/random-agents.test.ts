/** Agents that say anything in any order, log in over each other and vanish: what they held is given back, each of it once. */
import assert from "node:assert/strict";
import { type Message, writeMessage } from "../../../src/protocol/tunnel/index.js";
import { Random } from "../../../src/rig/random.js";
import { scenario } from "../../support/scenario.js";
import { entry, laptop, server, settings, startRig } from "./control-rig.js";
import { connectInTheOpen, type TestAgent } from "./test-agent.js";

const AGENTS = 80;
const SEED = 20_261_129;

/** Something that an agent may say, or should not. */
function anything(random: Random): Buffer {
	const tunnel = random.below(16);
	const name = ["app", "web", "none of these"][random.below(8)] ?? `dev-${random.below(20)}`;
	const messages: readonly Message[] = [
		{ type: "open", tunnel, kind: (["http", "tcp", "tls"] as const)[random.below(3)] ?? "http", name },
		{ type: "open", tunnel, kind: "tls", name },
		{ type: "open", tunnel, kind: "tcp", name, port: 20_000 + random.below(5), allow: ["10.0.0.0/8"] },
		{ type: "close", tunnel },
		{ type: "close", tunnel },
		{ type: "local", tunnel, up: random.below(2) === 0, message: "" },
		{ type: "failed", ticket: Buffer.alloc(16, random.below(256)), message: "" },
		{ type: "ping", sent_ms: random.below(1_000) },
		{ type: "pong", sent_ms: random.below(1_000) },
		{ type: "bye", code: "ended", message: "" },
		{ type: "welcome", epoch: 1 },
	];
	// What ends it is rarer than what goes on.
	const message = messages[random.below(random.below(16) === 0 ? messages.length : messages.length - 2)];
	const frame = writeMessage(message ?? { type: "ping", sent_ms: 0 });
	if (random.below(100) === 0) frame[random.below(frame.length)] = random.below(256);
	return frame;
}

scenario(
	"whatever agents say, each tunnel that was opened is closed once, and nothing is left",
	async (test) => {
		const random = new Random(SEED);
		const rig = await startRig(
			test,
			settings([entry(laptop), entry(server, 'names: [web, app, "dev-*"], shared: on')]),
			{ inTheOpen: true },
		);
		const fewer = settings([entry(laptop), entry(server, "names: [web, app], shared: on")]);
		const agents: TestAgent[] = [];
		for (let count = 0; count < AGENTS; count++) {
			const agent = await connectInTheOpen(test, rig.port, "SLC1");
			agents.push(agent);
			const identity = random.below(2) === 0 ? laptop : server;
			await agent.login(identity, { instance: Buffer.alloc(16, random.below(3)) });
			const said = Array.from({ length: random.below(16) }, () => anything(random));
			if (random.below(8) === 0) rig.reactors.fates.push("not now");
			agent.socket.write(Buffer.concat(said));
			const old = agents[random.below(agents.length)];
			if (random.below(3) === 0) old?.socket.destroy();
			rig.clock.nowMs += random.below(2_000);
			if (random.below(15) === 0) rig.control.reload({ ...fewer, certificate: null });
		}
		await rig.control.stop();
		assert.deepEqual(rig.control.view().agents, []);
		assert.deepEqual(rig.control.view().tunnels, []);
		assert.ok(rig.reactors.closings.size > AGENTS / 4, `${rig.reactors.closings.size} were opened`);
		for (const [number, times] of rig.reactors.closings) assert.equal(times, 1, `tunnel ${number}`);
	},
);

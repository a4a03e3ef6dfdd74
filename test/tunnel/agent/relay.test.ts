/** The deadlines of a visitor, by a clock in the test's hand. */
import assert from "node:assert/strict";
import type { Socket } from "node:net";
import type { VisitorEnd } from "../../../src/tunnel/agent/line-book.js";
import { Relay } from "../../../src/tunnel/agent/relay.js";
import { open, type Wire } from "../../../src/tunnel/agent/wire.js";
import { dial, type Peer, startUpstream } from "../../support/peers.js";
import { type Scenario, scenario } from "../../support/scenario.js";
import { eventually } from "../../support/waiting.js";

/** Both ends of a connection, of which one is the relay's. */
async function pair(scenario: Scenario): Promise<{ wire: Wire; peer: Peer }> {
	let accepted: Socket | undefined;
	const upstream = await startUpstream(scenario, ({ socket }) => {
		accepted = socket;
		socket.removeAllListeners("data").pause();
	});
	const peer = await dial(scenario, upstream.port);
	await upstream.accepted();
	if (accepted === undefined) throw new Error("nobody came");
	return { wire: open(accepted), peer };
}

interface Rig {
	readonly relay: Relay;
	readonly visitor: Peer;
	readonly service: Peer;
	readonly ended: Promise<VisitorEnd>;
	readonly local: Wire;
}

async function rig(scenario: Scenario): Promise<Rig> {
	const line = await pair(scenario);
	const local = await pair(scenario);
	let relay: Relay | undefined;
	const ended = new Promise<VisitorEnd>((resolve) => {
		relay = new Relay(line.wire, local.wire, Buffer.from("first "), resolve);
	});
	if (relay === undefined) throw new Error("not made");
	return { relay, ended, visitor: line.peer, service: local.peer, local: local.wire };
}

scenario(
	"one direction left in which nothing moves is ended after 30 s, and not while it moves",
	async (scenario) => {
		const { relay, visitor, service, ended } = await rig(scenario);
		visitor.end("and last");
		assert.equal(await service.rest(), "first and last");
		relay.look(0);
		relay.look(29_999);
		await service.send("x");
		await visitor.expect("x");
		relay.look(30_001);
		relay.look(60_000);
		await service.send("y");
		await visitor.expect("y");
		relay.look(60_100);
		relay.look(90_100);
		assert.equal((await ended).reason, "half_closed_timeout");
		assert.equal(await service.over(), "ended");
		assert.equal(await visitor.over(), "ECONNRESET");
	},
);

scenario("who takes nothing while bytes wait for him is ended after 30 s", async (scenario) => {
	const { relay, visitor, service, ended, local } = await rig(scenario);
	service.socket.pause();
	visitor.socket.write(Buffer.alloc(64 * 1_048_576));
	// Until the kernel takes no more of it.
	let taken = -1;
	await eventually(
		() => {
			const now = local.stream.bytesWritten - local.stream.writableLength;
			const isFull = now === taken && local.stream.writableLength > 0;
			taken = now;
			return isFull || undefined;
		},
		() => "it takes all",
	);
	relay.look(0);
	relay.look(29_999);
	relay.look(30_000);
	assert.equal((await ended).reason, "stall_timeout");
	assert.notEqual(await visitor.over(), "ended");
});

scenario("an idle visitor of whom nothing is left over is nobody's business", async (scenario) => {
	const { relay, visitor, service } = await rig(scenario);
	await service.expect("first ");
	relay.look(0);
	relay.look(3_600_000);
	await visitor.send("still here");
	await service.expect("still here");
	relay.cut("drained");
	await visitor.over();
});

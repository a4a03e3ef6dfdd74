/** Who gets in over real TLS sockets, and who does not. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { CONTROL_ALPN, FRAME_MAX_BYTES } from "../../../src/protocol/tunnel/index.js";
import { newToken, readToken } from "../../../src/tunnel/keys.js";
import { scenario } from "../../support/scenario.js";
import { entry, laptop, type Rig, server, settings, startRig } from "./control-rig.js";
import { connectAgent, connectInTheOpen, type LoginChanges } from "./test-agent.js";

const both = settings([entry(laptop), entry(server, "names: [app, web]")]);

/** All descriptors of control connections are closed. */
const quiet = ({ sockets, changes }: Rig): Promise<true> =>
	changes.until(
		() => (sockets.size === 0 ? true : undefined),
		() => `${sockets.size} sockets are open`,
	);

scenario("an agent that signs the challenge of this connection is welcome", async (test) => {
	const rig = await startRig(test, both);
	const agent = await connectAgent(test, rig.port);
	const hello = await agent.next("hello");
	assert.deepEqual(
		[hello.version, hello.gateway, hello.heartbeat_ms, hello.dead_after_ms],
		[1, "sluice/test", 15_000, 45_000],
	);
	assert.equal(hello.challenge.length, 32);
	agent.send(agent.sign(laptop, hello.challenge));
	const { epoch } = await agent.next("welcome");
	const { agents, loggingIn, totals } = rig.control.view();
	assert.deepEqual(
		agents.map(({ id, epoch, address, agent }) => ({ id, epoch, address, agent })),
		[{ id: "laptop", epoch, address: "127.0.0.1", agent: "test/1" }],
	);
	assert.deepEqual([loggingIn, totals.logins, totals.reconnects], [0, 1, 0]);
	agent.send({ type: "bye", code: "ended", message: "" });
	await agent.closed();
	await quiet(rig);
	assert.deepEqual(rig.control.view().agents, []);
});

scenario("a later login has a higher epoch, also after a restart of the gateway", async (test) => {
	const epochs: number[] = [];
	for (const rig of [await startRig(test, both), await startRig(test, both)])
		for (const _ of [1, 2]) epochs.push(await (await connectAgent(test, rig.port)).login(laptop));
	assert.deepEqual(
		epochs,
		[...new Set(epochs)].sort((a, b) => a - b),
	);
});

const stranger = { ...readToken(newToken("laptop")), id: "laptop" };

for (const [sentence, identity, changes] of [
	["another key of the same id", stranger, {}],
	["an id that is not in the file", readToken(newToken("nobody")), {}],
	["the key of another agent", server, { id: "laptop" }],
	[
		"a signature over another session, as somebody in the middle has it",
		laptop,
		{ exporter: Buffer.alloc(32, 9) },
	],
	["a signature over an earlier challenge, which is a replay", laptop, { challenge: Buffer.alloc(32, 9) }],
	["a signature without a session", laptop, { exporter: Buffer.alloc(32) }],
] as const satisfies readonly (readonly [string, typeof laptop, LoginChanges])[])
	scenario(`${sentence} is refused for good, and the address waits`, async (test) => {
		const rig = await startRig(test, both);
		const wrong = await (await connectAgent(test, rig.port)).refusal(identity, changes);
		assert.deepEqual([wrong.code, wrong.final], ["unauthorized", true]);
		assert.doesNotMatch(wrong.message, /laptop|server|nobody/);
		// The right one from the same address has to wait, and is told how long.
		const early = await (await connectAgent(test, rig.port)).refusal(laptop);
		assert.deepEqual([early.code, early.final, early.retry_after_ms], ["busy", false, 1_000]);
		rig.clock.nowMs += 1_000;
		await (await connectAgent(test, rig.port)).login(laptop);
		assert.deepEqual(rig.control.view().totals.refused, { unauthorized: 1, busy: 1 });
	});

scenario("a login that was relayed to another connection is refused, as it was recorded", async (test) => {
	const rig = await startRig(test, both);
	const [victim, thief] = [await connectAgent(test, rig.port), await connectAgent(test, rig.port)];
	const { challenge } = await victim.next("hello");
	await thief.next("hello");
	thief.send(victim.sign(laptop, challenge));
	assert.equal((await thief.next("refused")).code, "unauthorized");
});

scenario("another version is refused for good", async (test) => {
	const rig = await startRig(test, both);
	const { code, final } = await (await connectAgent(test, rig.port)).refusal(laptop, { version: 2 });
	assert.deepEqual([code, final], ["version", true]);
	await (await connectAgent(test, rig.port)).login(laptop);
});

scenario("who does not speak the wire is told so, and closed", async (test) => {
	const rig = await startRig(test, both);
	const frame = (text: string): Buffer => {
		const bytes = Buffer.alloc(4 + Buffer.byteLength(text));
		bytes.writeUInt32BE(bytes.length - 4);
		bytes.write(text, 4);
		return bytes;
	};
	const tooLong = Buffer.alloc(4);
	tooLong.writeUInt32BE(FRAME_MAX_BYTES + 1);
	for (const [bytes, part] of [
		[frame("{}"), "has no type"],
		[frame("[]"), "one JSON object"],
		[frame("nonsense"), "no JSON"],
		[frame('{"type":"login","version":1}'), 'the field "id"'],
		[frame('{"type":"ping","sent_ms":1}'), "a login is expected"],
		[tooLong, "65536 is the most"],
		[Buffer.from("GET / HTTP/1.1\r\n\r\n"), "is the most"],
	] as const) {
		const agent = await connectAgent(test, rig.port);
		await agent.next("hello");
		agent.socket.write(bytes);
		const bye = await agent.next("bye");
		assert.deepEqual([bye.code, bye.message.includes(part)], ["protocol", true], bye.message);
		await agent.closed();
	}
	await quiet(rig);
});

scenario("messages of types that are not known are passed over", async (test) => {
	const rig = await startRig(test, both);
	const agent = await connectAgent(test, rig.port);
	const unknown = Buffer.from('\0\0\0\x11{"type":"colour"}');
	agent.socket.write(unknown);
	await agent.login(laptop);
	agent.socket.write(unknown);
	agent.send({ type: "ping", sent_ms: 7 });
	assert.equal((await agent.next("pong")).sent_ms, 7);
});

scenario("who says nothing is closed when the handshake's time is over", async (test) => {
	const rig = await startRig(test, both);
	const silent = connect(rig.port, "127.0.0.1");
	test.defer(() => silent.destroy());
	silent.on("error", () => {});
	const [connected] = await Promise.all([connectAgent(test, rig.port), once(silent, "connect")]);
	await connected.next("hello");
	await rig.changes.until(
		() => (rig.sockets.size === 2 ? true : undefined),
		() => "two sockets",
	);
	rig.clock.nowMs += 5_000;
	await connected.closed();
	await quiet(rig);
	assert.equal(rig.control.view().loggingIn, 0);
});

scenario("garbage instead of TLS, another ALPN and an older TLS get nowhere", async (test) => {
	const rig = await startRig(test, both);
	const garbage = connect(rig.port, "127.0.0.1", () => garbage.write("GET / HTTP/1.1\r\n\r\n"));
	garbage.on("error", () => {});
	await once(garbage.resume(), "close");
	await assert.rejects(connectAgent(test, rig.port, ["h2"]));
	await assert.rejects(connectAgent(test, rig.port, [CONTROL_ALPN], "TLSv1.2"));
	const without = await connectAgent(test, rig.port, []).catch(() => undefined);
	await without?.closed();
	assert.deepEqual(without?.received ?? [], []);
	await quiet(rig);
});

scenario(
	"in the open a control connection begins with SLC1, and signs zeros for the session",
	async (test) => {
		const rig = await startRig(test, both, { inTheOpen: true });
		const agent = await connectInTheOpen(test, rig.port, "SLC1");
		await agent.login(laptop);
		assert.equal((await agent.open(1, "app")).plain, true);
		const other = await connectInTheOpen(test, rig.port, "SLCX");
		await other.closed();
		assert.deepEqual(other.received, []);
	},
);

scenario("after drain an agent is told to go, and a new one to come again", async (test) => {
	const rig = await startRig(test, both);
	const agent = await connectAgent(test, rig.port);
	await agent.login(laptop);
	await agent.open(1, "app");
	const waiting = await connectAgent(test, rig.port);
	const drained = rig.control.drain();
	assert.equal((await agent.next("bye")).code, "draining");
	await agent.closed();
	assert.deepEqual([(await waiting.refusal(laptop)).code], ["draining"]);
	await drained;
	assert.deepEqual(rig.reactors.told, ["opened app", "closed app parked drained"]);
	await quiet(rig);
});

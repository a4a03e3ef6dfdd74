/** What an agent that is logged in may open, keeps and loses, over real TLS sockets. */
import assert from "node:assert/strict";
import { type Open, TICKETS_MAX } from "../../../src/protocol/tunnel/index.js";
import { type Scenario, scenario } from "../../support/scenario.js";
import { entry, laptop, type Rig, server, settings, startRig } from "./control-rig.js";
import { connectAgent, proofFor, type TestAgent } from "./test-agent.js";

const LAPTOP = entry(laptop);
const SERVER = entry(server, 'names: [app, web], domains: [shop.example.org, "*.example.net"]');
const both = settings([LAPTOP, SERVER]);

async function loggedIn(test: Scenario, { port }: Rig, identity = laptop, instance = 1): Promise<TestAgent> {
	const agent = await connectAgent(test, port);
	await agent.login(identity, { instance: Buffer.alloc(16, instance) });
	return agent;
}

scenario(
	"an http tunnel is told to reactors first, then to its agent, and lines are asked for",
	async (test) => {
		const rig = await startRig(test, both);
		const agent = await loggedIn(test, rig);
		const opened = await agent.open(7, "App.Example.com.", { connections: 5, allow: ["10.0.0.0/8"] });
		assert.deepEqual(opened, {
			...{ type: "opened", tunnel: 7, addresses: ["https://app.example.com"], plain: false },
		});
		const { tunnel, tickets } = await agent.next("lines");
		assert.deepEqual([tunnel, tickets.length], [7, 8]);
		const [told] = [...rig.reactors.tunnels.values()];
		const { allow, epoch, ...rest } = told ?? assert.fail();
		assert.deepEqual(rest, {
			...{ number: 1, slot: 0, identity: "laptop", kind: "http", name: "app", host: "app.example.com" },
			...{ port: null, plain: false, connections: 5, bytesPerSecond: null, basicAuth: [] },
		});
		assert.equal(allow?.[0]?.prefixLength, 8);
		const [view] = rig.control.view().tunnels;
		assert.deepEqual([view?.state, view?.epoch, view?.lines.asked], ["up", epoch, 8]);
		agent.send({ type: "local", tunnel: 7, up: false, message: "ECONNREFUSED" });
		await rig.reactors.until("local app down");
		const [down] = rig.control.view().tunnels;
		assert.deepEqual([down?.state, down?.localDown], ["down", "ECONNREFUSED"]);
	},
);

scenario("a local service that is down from the start is told before its tunnel is open", async (test) => {
	const rig = await startRig(test, both);
	const agent = await loggedIn(test, rig);
	let planned = (): void => {};
	rig.reactors.fates.push(
		new Promise((resolve) => {
			planned = resolve;
		}),
	);
	agent.send({ type: "open", tunnel: 7, kind: "http", name: "app" });
	agent.send({ type: "local", tunnel: 7, up: false, message: "ECONNREFUSED" });
	await rig.reactors.until("local app down");
	assert.deepEqual(rig.control.view().tunnels[0]?.state, "opening");
	planned();
	assert.equal((await agent.next("opened")).tunnel, 7);
	assert.deepEqual(rig.control.view().tunnels[0]?.state, "down");
	agent.send({ type: "local", tunnel: 7, up: true, message: "" });
	await rig.reactors.until("local app up");
	const [view] = rig.control.view().tunnels;
	assert.deepEqual([view?.state, view?.localDown], ["up", null]);
	// Nothing has changed.
	agent.send({ type: "local", tunnel: 7, up: true, message: "" });
	agent.send({ type: "close", tunnel: 7 });
	await rig.reactors.until("closed app parked ended");
	assert.deepEqual(rig.reactors.told, [
		...["opened app", "local app down", "local app up", "closed app parked ended"],
	]);
});

scenario("tls and tcp tunnels may have plain lines, where both sides say so", async (test) => {
	const rig = await startRig(test, both);
	const agent = await loggedIn(test, rig);
	const plain: boolean[] = [];
	for (const [tunnel, more] of [
		{ kind: "tls" },
		{ kind: "tcp" },
		{ kind: "tcp", plain: true },
		{ plain: true },
	].entries())
		plain.push((await agent.open(tunnel, `dev-${tunnel}`, more as Partial<Open>)).plain);
	assert.deepEqual(plain, [true, false, true, false]);
	const strict = await startRig(
		test,
		settings([LAPTOP], "domain: example.com, ports: 1-9, plain_lines: off"),
	);
	const other = await loggedIn(test, strict);
	assert.equal((await other.open(1, "app", { kind: "tls" })).plain, false);
	assert.equal((await other.open(2, "dev-a", { kind: "tcp", plain: true })).plain, false);
});

scenario("names that are not the agent's are refused, each with its reason", async (test) => {
	const rig = await startRig(
		test,
		settings([LAPTOP, SERVER, entry(server, "names: [x]").replace("server", "third")]),
	);
	const [agent, other] = [await loggedIn(test, rig), await loggedIn(test, rig, server)];
	await other.open(1, "app");
	await other.open(2, "shop.example.org", { kind: "tls" });
	await other.open(3, "a.example.net");
	for (const [name, more, code, final, part] of [
		["app", {}, "taken", false, "another agent's"],
		["APP.example.com", { kind: "tls" }, "taken", false, "another agent's"],
		["web", {}, "name", true, 'not among the names of "laptop"'],
		["dev", {}, "name", true, "not among"],
		["dev-x.other", {}, "name", true, "not among"],
		["a.dev-x.example.com", {}, "name", true, "not among"],
		["shop.example.org", {}, "name", true, "not among"],
		["dev-a/b", {}, "name", true, "is no name"],
		["-", {}, "name", true, "is no name"],
		["dev-a", { allow: ["10.0.0.1/8"] }, "invalid", true, "allow:"],
		["dev-a", { kind: "tcp", port: 20_004 }, "port", true, "not allowed"],
	] as const) {
		const refused = await agent.refusedTunnel(1, name, more);
		assert.deepEqual([refused.code, refused.final], [code, final], name);
		assert.ok(refused.message.includes(part), refused.message);
	}
	assert.deepEqual(rig.control.view().totals.refused, { taken: 2, name: 7, invalid: 1, port: 1 });
});

scenario("tcp tunnels get a port each, and the same one when their agent comes again", async (test) => {
	const rig = await startRig(test, both);
	const agent = await loggedIn(test, rig);
	const first = await agent.open(1, "dev-a", { kind: "tcp" });
	assert.deepEqual(first.addresses, ["gw.test:20000"]);
	assert.deepEqual((await agent.open(2, "dev-b", { kind: "tcp", port: 20_003 })).addresses, [
		"gw.test:20003",
	]);
	rig.reactors.fates.push("EADDRINUSE");
	assert.deepEqual((await agent.open(3, "dev-c", { kind: "tcp" })).addresses, ["gw.test:20002"]);
	rig.reactors.fates.push("EADDRINUSE");
	assert.equal((await agent.refusedTunnel(4, "dev-d", { kind: "tcp" })).code, "port");
	agent.socket.destroy();
	await rig.reactors.until("closed dev-c parked lost");
	const again = await loggedIn(test, rig);
	assert.deepEqual((await again.open(1, "dev-c", { kind: "tcp" })).addresses, ["gw.test:20002"]);
	assert.deepEqual((await again.open(2, "dev-b", { kind: "tcp" })).addresses, ["gw.test:20003"]);
});

for (const [superseded, cut] of [
	["finish", "parked"],
	["cut", "all"],
] as const)
	scenario(
		`the same identity takes over at once, and visitors of before ${superseded === "cut" ? "are cut" : "finish"}`,
		async (test) => {
			const rig = await startRig(test, settings([LAPTOP], `domain: example.com, superseded: ${superseded}`));
			const first = await loggedIn(test, rig);
			await first.open(1, "app");
			const [ticket] = (await first.next("lines")).tickets;
			const second = await loggedIn(test, rig, laptop, 2);
			assert.equal((await first.next("bye")).code, "superseded");
			await first.closed();
			await second.open(1, "app", { kind: "tls" });
			assert.deepEqual(rig.reactors.told, ["opened app", `closed app ${cut} superseded`, "opened app"]);
			// A ticket of the epoch that is over is good no more.
			const nonce = Buffer.alloc(16, 5);
			assert.ok(ticket !== undefined);
			assert.equal(rig.control.lines.verify(ticket.id, nonce, proofFor(ticket, nonce)), undefined);
			assert.equal(rig.control.view().totals.reconnects, 1);
		},
	);

scenario("a shared identity has several agents on one name, and the same process only once", async (test) => {
	const rig = await startRig(
		test,
		settings([entry(laptop, "names: [app], shared: on")], "domain: example.com"),
	);
	const [one, two] = [await loggedIn(test, rig, laptop, 1), await loggedIn(test, rig, laptop, 2)];
	await one.open(1, "app");
	await two.open(1, "app");
	assert.deepEqual(
		[...rig.reactors.tunnels.values()].map(({ slot, host }) => [slot, host]),
		[
			[0, "app.example.com"],
			[1, "app.example.com"],
		],
	);
	assert.equal((await two.refusedTunnel(2, "app")).code, "taken");
	const otherKind = await loggedIn(test, rig, laptop, 3);
	assert.equal((await otherKind.refusedTunnel(1, "app", { kind: "tls" })).code, "name");
	await loggedIn(test, rig, laptop, 1);
	assert.equal((await one.next("bye")).code, "superseded");
	assert.equal(rig.control.view().agents.length, 3);
});

scenario(
	"a name is kept for an agent that was lost, and free at once where it said that it is done",
	async (test) => {
		const rig = await startRig(test, both);
		const [first, other] = [await loggedIn(test, rig), await loggedIn(test, rig, server)];
		await first.open(1, "app");
		first.socket.destroy();
		await rig.reactors.until("closed app parked lost");
		assert.equal((await other.refusedTunnel(1, "app")).code, "taken");
		rig.clock.nowMs += 44_999;
		other.send({ type: "ping", sent_ms: 1 });
		await other.next("pong");
		assert.equal((await other.refusedTunnel(1, "app")).code, "taken");
		rig.clock.nowMs += 1;
		await other.open(1, "app");
		other.send({ type: "close", tunnel: 1 });
		await rig.reactors.until("closed app parked ended");
		const back = await loggedIn(test, rig);
		await back.open(1, "app");
		back.send({ type: "bye", code: "ended", message: "" });
		await back.closed();
		await other.open(2, "app");
	},
);

scenario("a line is proved once, by its ticket's key, while it lives", async (test) => {
	const rig = await startRig(test, both);
	const agent = await loggedIn(test, rig);
	await agent.open(1, "app");
	const { tickets } = await agent.next("lines");
	const nonce = Buffer.alloc(16, 5);
	const [good, wrong, late] = tickets;
	assert.ok(good !== undefined && wrong !== undefined && late !== undefined);
	const { lines } = rig.control;
	const owner = lines.verify(good.id, nonce, proofFor(good, nonce));
	assert.equal(owner?.tunnel, 1);
	assert.equal(lines.verify(good.id, nonce, proofFor(good, nonce)), undefined);
	assert.equal(lines.verify(wrong.id, nonce, proofFor(good, nonce)), undefined);
	assert.equal(lines.verify(wrong.id, nonce, proofFor(wrong, nonce)), undefined);
	lines.parked(1);
	agent.send({ type: "failed", ticket: late.id, message: "ETIMEDOUT" });
	// One for the wrong proof, and one for the line that could not be opened.
	assert.equal((await agent.next("lines")).tickets.length, 1);
	assert.equal((await agent.next("lines")).tickets.length, 1);
	lines.taken(1);
	assert.equal((await agent.next("lines")).tickets.length, 9, "none was left, so the depth has doubled");
	const [view] = rig.control.view().tunnels;
	assert.deepEqual([view?.lines.used, view?.lines.failed], [1, 2]);
});

scenario("a flood of visitors is answered with lines up to lines_max, and not one more", async (test) => {
	const rig = await startRig(test, settings([LAPTOP], "domain: example.com, lines: 2, lines_max: 300"));
	const agent = await loggedIn(test, rig);
	await agent.open(1, "app");
	assert.equal((await agent.next("lines")).tickets.length, 2);
	rig.control.lines.waiting(1, 1_000);
	const [first, second] = [await agent.next("lines"), await agent.next("lines")];
	assert.deepEqual([first.tickets.length, second.tickets.length], [TICKETS_MAX, 298 - TICKETS_MAX]);
	assert.equal(rig.control.view().tunnels[0]?.lines.asked, 300);
});

scenario(
	"an agent that says nothing for dead_after is dead, and one that answers pings lives",
	async (test) => {
		const rig = await startRig(
			test,
			settings([LAPTOP, SERVER], "domain: example.com, heartbeat: 100ms, dead_after: 45s"),
		);
		const [silent, alive] = [await loggedIn(test, rig), await loggedIn(test, rig, server)];
		await silent.open(1, "app");
		await alive.open(1, "web");
		rig.clock.nowMs += 44_000;
		const { sent_ms } = await alive.next("ping");
		alive.send({ type: "pong", sent_ms });
		alive.send({ type: "ping", sent_ms: 3 });
		await alive.next("pong");
		assert.notEqual(rig.control.view().agents.find(({ id }) => id === "server")?.rttMs, null);
		rig.clock.nowMs += 1_000;
		assert.equal((await silent.next("bye")).code, "dead");
		await silent.closed();
		assert.equal(rig.reactors.told.at(-1), "closed app parked dead");
		assert.deepEqual(
			rig.control.view().agents.map(({ id }) => id),
			["server"],
		);
	},
);

scenario(
	"a reload cuts agents that are gone, closes names that are, tells new limits, and leaves others alone",
	async (test) => {
		const rig = await startRig(test, both);
		const [agent, gone] = [await loggedIn(test, rig), await loggedIn(test, rig, server)];
		await agent.open(1, "app");
		await agent.open(2, "dev-a", { kind: "tcp", connections: 9 });
		await gone.open(1, "web");
		rig.control.reload(settings([entry(laptop, 'names: ["dev-*"], connections: 7')]));
		assert.equal((await gone.next("bye")).code, "removed");
		const closed = await agent.next("closed");
		assert.deepEqual([closed.tunnel, closed.code, closed.final], [1, "removed", true]);
		assert.deepEqual(rig.reactors.told.slice(3), [
			"closed app all removed",
			"changed dev-a 7 null",
			"closed web all removed",
		]);
		assert.deepEqual(
			rig.control.view().tunnels.map(({ name }) => name),
			["dev-a"],
		);
		await gone.closed();
		// Its key is another now.
		rig.control.reload(settings([entry(server, "names: [app]").replace("server", "laptop")]));
		assert.equal((await agent.next("bye")).code, "removed");
	},
);

scenario("a key is rotated without cutting the agent that has the one that stays", async (test) => {
	const key = (text: string): string => /public_key: ([^,]+)/.exec(text)?.[1] ?? "";
	const keys = (...each: string[]): string =>
		`{ id: laptop, public_keys: [${each.map(key).join(", ")}], names: [app] }`;
	const rig = await startRig(test, settings([keys(LAPTOP)]));
	const agent = await loggedIn(test, rig);
	rig.control.reload(settings([keys(LAPTOP, SERVER)]));
	const moved = await connectAgent(test, rig.port);
	await moved.login({ ...server, id: "laptop" });
	assert.equal((await agent.next("bye")).code, "superseded");
	rig.control.reload(settings([keys(SERVER)]));
	await moved.open(1, "app");
});

scenario(
	"a tunnel whose agent goes while it is opened is closed, and nothing of it is left",
	async (test) => {
		const rig = await startRig(test, both);
		const agent = await loggedIn(test, rig);
		let open = (): void => {};
		rig.reactors.fates.push(new Promise((resolve) => (open = resolve)));
		agent.send({ type: "open", tunnel: 1, kind: "http", name: "app" });
		await rig.reactors.until("opened app");
		agent.socket.destroy();
		await rig.reactors.until("closed app parked lost");
		open();
		rig.clock.nowMs += 45_000;
		const other = await loggedIn(test, rig, server);
		await other.open(1, "app");
		assert.deepEqual(
			rig.control.view().tunnels.map(({ identity, slot }) => [identity, slot]),
			[["server", 0]],
		);
	},
);

scenario(
	"a number that is in use, and a message that only gateways send, end the connection",
	async (test) => {
		const rig = await startRig(test, both);
		for (const said of [
			{ type: "open", tunnel: 1, kind: "http", name: "dev-b" },
			{ type: "welcome", epoch: 1 },
		] as const) {
			const agent = await loggedIn(test, rig);
			await agent.open(1, "dev-a");
			agent.send(said);
			assert.equal((await agent.next("bye")).code, "protocol");
			await agent.closed();
		}
	},
);

/** Commands are carried out in pieces: how much of them a turn does, and what holds between two pieces. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { EAGAIN } from "../../src/kernel/constants.js";
import { PIECES_PER_TURN } from "../../src/reactor/commands.js";
import type { ListenerPlan, Plan, RoutePlan } from "../../src/reactor/plan/plan.js";
import { planCommands } from "../../src/reactor/plan/plan-parts.js";
import { Harness, type HarnessOptions, PEEKING, reasonOf } from "./harness.js";

/** Calls of the kernel that one piece makes at most: two for each of eight sessions. */
const ASKED_PER_PIECE = 16;

function harnessWith(t: TestContext, options: Partial<HarnessOptions> = {}): Harness {
	return new Harness(t, { sessions: 200, routes: [PEEKING], upstreamPorts: [1], ...options });
}

/** Clients that say nothing. */
function silent(harness: Harness, count: number): number[] {
	const clients = Array.from({ length: count }, (_, index) => harness.client(2 + (index % 50)));
	harness.turnUntil(() => harness.live === count, "all clients");
	return clients;
}

/** The harness's plan with so many names on its listener. */
function namesOn(plan: Plan, count: number, revision = 2): Plan {
	const [listener] = plan.listeners as [ListenerPlan];
	const [route] = listener.routes as [RoutePlan];
	const routes = Array.from({ length: count }, (_, index) => ({
		...route,
		conditions: { ...route.conditions, sni: `host${index}.example` },
		slot: index,
	}));
	return { ...plan, revision, listeners: [{ ...listener, routes }] };
}

/** Calls of one of the kernel's functions, by turn. */
function callsByTurn(
	harness: Harness,
	name: "accept" | "socketMemory" | "close" | "reset",
): Map<number, number> {
	const { kernel, reactor } = harness;
	const calls = new Map<number, number>();
	const original = kernel[name].bind(kernel) as (...args: number[]) => number;
	Object.assign(kernel, {
		[name]: (...args: number[]) => {
			calls.set(reactor.core.wait, (calls.get(reactor.core.wait) ?? 0) + 1);
			return original(...args);
		},
	});
	return calls;
}

test("a plan of many routes comes in many messages, and comes into force at once, some turns later", (t) => {
	const harness = harnessWith(t);
	const plan = namesOn(harness.plan, 5_000);
	const commands = planCommands(plan);
	assert.ok(commands.length > 5_000 / 100, `${commands.length} messages`);
	for (const command of commands) assert.ok(JSON.stringify(command).length < 64 << 10);
	const before = harness.reactor.core.listeners.get(0)?.router;
	const seen = new Set([before]);
	const turns = harness.carryOut(...commands.slice(0, 3));
	assert.ok(turns <= 2 * 3 + 1, `${turns} turns for three messages`);
	for (const command of commands.slice(3)) {
		harness.command(command);
		seen.add(harness.reactor.core.listeners.get(0)?.router);
	}
	const rest = harness.carryOut();
	assert.ok(rest > 5, `${rest} turns for what is built of them`);
	seen.add(harness.reactor.core.listeners.get(0)?.router);
	assert.equal(seen.size, 2, "the old one or the new one, and nothing between");
	assert.equal(harness.reactor.core.listeners.get(0)?.plan.routes.length, 5_000);
	assert.deepEqual(harness.notices.at(-1), { kind: "applied", revision: 2, policies: [0] });
});

test("a small plan is one message, and in force in the same turn", (t) => {
	const harness = harnessWith(t);
	const commands = planCommands(namesOn(harness.plan, 20));
	assert.equal(commands.length, 1);
	assert.equal(harness.carryOut(...commands), 1);
});

test("upstreams with many addresses are spread over messages, none twice", (t) => {
	const harness = harnessWith(t);
	const [upstream] = harness.plan.upstreams;
	assert.ok(upstream !== undefined);
	const upstreams = Array.from({ length: 1_000 }, (_, slot) => ({ ...upstream, slot }));
	harness.carryOut(...planCommands({ ...harness.plan, revision: 2, upstreams }));
	assert.deepEqual(
		[...harness.reactor.core.upstreams.keys()],
		upstreams.map(({ slot }) => slot),
	);
});

test("commands are carried out in their order, whatever each of them takes", (t) => {
	const harness = harnessWith(t);
	harness.carryOut(
		{ kind: "plan", plan: namesOn(harness.plan, 3_000, 2) },
		{ kind: "measure" },
		{ kind: "plan", plan: namesOn(harness.plan, 3, 3) },
		{ kind: "held" },
	);
	assert.deepEqual(
		harness.notices.map((notice) => (notice.kind === "applied" ? notice.revision : notice.kind)),
		[1, 2, "measured", 3, "held"],
	);
});

test("measuring asks the kernel for a bounded number of sockets in a turn", (t) => {
	const harness = harnessWith(t, { sessions: 800 });
	silent(harness, 800);
	const calls = callsByTurn(harness, "socketMemory");
	const turns = harness.carryOut({ kind: "measure" });
	assert.ok(turns >= 3, `${turns} turns`);
	assert.equal(
		[...calls.values()].reduce((sum, count) => sum + count, 0),
		800,
	);
	assert.ok(Math.max(...calls.values()) <= (PIECES_PER_TURN + 1) * ASKED_PER_PIECE);
	assert.deepEqual(harness.notices.at(-1), { kind: "measured" });
});

test("shedding asks and closes a bounded number in a turn, and ends where nobody holds anything", (t) => {
	const harness = harnessWith(t, { sessions: 800 });
	silent(harness, 800);
	const calls = callsByTurn(harness, "socketMemory");
	assert.ok(harness.carryOut({ kind: "shedMemory", bytes: Number.MAX_SAFE_INTEGER }) >= 5);
	assert.ok(Math.max(...calls.values()) <= (PIECES_PER_TURN + 1) * ASKED_PER_PIECE);
	assert.equal(harness.live, 800, "an idle client's socket holds next to nothing");
});

test("a drain takes what waits in the queues a few in a turn, and all of it", (t) => {
	const harness = harnessWith(t, { plan: { resetsWhenFull: true } });
	for (let count = 0; count < 100; count++) harness.client(2 + (count % 50));
	const calls = callsByTurn(harness, "accept");
	const turns = harness.carryOut({ kind: "drain" });
	assert.ok(turns >= 100 / (PIECES_PER_TURN + 2), `${turns} turns`);
	assert.ok(Math.max(...calls.values()) <= PIECES_PER_TURN + 2);
	assert.equal(harness.live, 100);
	assert.deepEqual(harness.notices.at(-1), { kind: "listenersClosed" });
});

test("a flood that fills the queue again does not keep the other connections waiting while a listener is given up", (t) => {
	const harness = harnessWith(t, { plan: { resetsWhenFull: true } });
	let flood = 300;
	const accept = harness.kernel.accept.bind(harness.kernel);
	Object.assign(harness.kernel, {
		accept: (listener: number, at: number) => {
			if (flood-- > 0) harness.reset(harness.client(2 + (flood % 50)));
			return accept(listener, at);
		},
	});
	const calls = callsByTurn(harness, "accept");
	harness.carryOut({ kind: "drain" });
	assert.ok(calls.size >= 10, "the turns between are others'");
	assert.ok(Math.max(...calls.values()) <= PIECES_PER_TURN + 2);
});

test("the end closes a bounded number in a turn, and everybody as drained", (t) => {
	const harness = harnessWith(t);
	const clients = silent(harness, 100);
	const turns = harness.carryOut({ kind: "stop" });
	assert.ok(turns >= 100 / (PIECES_PER_TURN + 1), `${turns} turns`);
	assert.equal(harness.reactor.stopped, true);
	assert.deepEqual(new Set(harness.records().map(reasonOf)), new Set(["drained"]));
	for (const client of clients) assert.notEqual(harness.receive(client), -EAGAIN);
});

test("a command comes to its end although a flood has room made without end", (t) => {
	const harness = harnessWith(t, { sessions: 800 });
	silent(harness, 800);
	const { room } = harness.reactor.core;
	let pieces = 0;
	room.work = (function* () {
		for (;;) {
			pieces++;
			yield;
		}
	})();
	harness.command({ kind: "measure" });
	let turns = 1;
	for (; harness.notices.at(-1)?.kind !== "measured" && turns < 100; turns++) harness.turn();
	assert.ok(turns < 100, "it was carried out");
	assert.ok(pieces >= (turns * PIECES_PER_TURN) / 2, `${pieces} pieces of room in ${turns} turns`);
	room.work = undefined;
});

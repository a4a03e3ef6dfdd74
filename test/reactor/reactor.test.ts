import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { closeDescriptor, openListener, raiseDescriptorLimit } from "../../src/kernel/sockets.js";
import { REASONS } from "../../src/parts/reasons.js";
import { TICK_MS } from "../../src/parts/wheel.js";
import { EXPIRES_PER_TURN } from "../../src/reactor/reactor.js";
import { CONNECTION } from "../support/connection-options.js";
import { Harness, openDescriptors, PEEKING, reasonOf } from "./harness.js";

test("every one of ten thousand silent clients is closed as handshake_timeout when its time is up", (t) => {
	const HANDSHAKE_MS = 500;
	// Both ends are in this process.
	const room = Math.floor((raiseDescriptorLimit() - openDescriptors() - 200) / 2);
	const clients = Math.min(10_000, room);
	const harness = new Harness(t, {
		sessions: clients,
		routes: [PEEKING],
		policy: { handshakeMs: HANDSHAKE_MS },
	});
	const { core } = harness.reactor;
	const closed: { lateMs: number; turnLateMs: number; wasFull: boolean }[] = [];
	let wasFull = false;
	let longestTurnMs = 0;
	let before = core.nowMs;
	const turn = () => {
		harness.turn();
		longestTurnMs = Math.max(longestTurnMs, core.nowMs - before);
		const records = harness.records();
		for (const record of records) {
			assert.equal(reasonOf(record), "handshake_timeout");
			const deadlineMs = record.acceptedMs + HANDSHAKE_MS;
			closed.push({ lateMs: record.closedMs - deadlineMs, turnLateMs: before - deadlineMs, wasFull });
		}
		wasFull = records.length === EXPIRES_PER_TURN;
		before = core.nowMs;
	};
	const sockets: number[] = [];
	while (sockets.length < clients) {
		for (let i = 0; i < 64 && sockets.length < clients; i++) sockets.push(harness.client());
		turn();
	}
	const giveUpAtMs = core.nowMs + 20_000;
	while (closed.length < clients) {
		assert.ok(core.nowMs < giveUpAtMs, `${closed.length} of ${clients} closed`);
		turn();
	}
	assert.equal(core.table.clients, 0);
	assert.equal(harness.live, 0);
	assert.equal(core.wheel.armed, 0);
	assert.equal(harness.journal.dropped, 0);
	assert.equal(harness.counters.closed(0, REASONS.indexOf("handshake_timeout")), clients);
	assert.equal(harness.counters.get("downstreamClosed"), clients);
	for (const { lateMs, turnLateMs, wasFull } of closed) {
		assert.ok(lateMs >= 0, `closed ${-lateMs} ms before its time`);
		// However busy the machine: no turn passed a deadline by a tick and left it, but for one that closed its share.
		assert.ok(
			turnLateMs < TICK_MS || wasFull,
			`a turn ${turnLateMs} ms behind the deadline did not close it`,
		);
	}
	const latest = closed.reduce((most, { lateMs }) => Math.max(most, lateMs), 0);
	t.diagnostic(
		`${clients} clients; latest ${latest.toFixed(1)} ms, longest turn ${longestTurnMs.toFixed(1)} ms`,
	);
	for (const fd of sockets) harness.reset(fd);
});

test("a reactor with nothing to do sleeps until the deadline, and wakes for it", (t) => {
	const harness = new Harness(t, { sessions: 4, routes: [PEEKING], policy: { handshakeMs: 150 } });
	harness.client();
	harness.turnUntil(() => harness.live === 1, "the client");
	const turns = harness.counters.get("turns");
	harness.sleepUntil(() => harness.live === 0, "the deadline");
	assert.equal(reasonOf(harness.records()[0]), "handshake_timeout");
	// One to wake at the deadline's tick; a timeout that is cut short may cost another.
	assert.ok(harness.counters.get("turns") - turns <= 3);
});

interface Relayed {
	readonly client: number;
	readonly upstream: number;
}

/** A relayed session: both of its outer ends. */
function relayed(harness: Harness, listener: number): Relayed {
	const client = harness.client();
	const active = harness.counters.get("upstreamOpened");
	harness.turnUntil(() => harness.counters.get("upstreamOpened") > active, "the dial");
	const upstream = harness.accepted(listener, "the upstream's accept");
	harness.send(upstream, "ready");
	harness.turnUntil(() => harness.receive(client) === "ready", "the upstream's first bytes");
	return { client, upstream };
}

/** A reactor that relays to an upstream of the test's. */
function setUp(t: TestContext, options: { sessions: number }): { harness: Harness; listener: number } {
	const { fds, port } = openListener(
		{
			address: Uint8Array.of(127, 0, 0, 1),
			port: 0,
			backlog: 128,
			connection: CONNECTION,
		},
		1,
	);
	const [listener = -1] = fds;
	t.after(() => closeDescriptor(listener));
	return { harness: new Harness(t, { ...options, routes: [{}], upstreamPorts: [port] }), listener };
}

test("bytes pass both ways, and the normal end has its reason", (t) => {
	const { harness, listener } = setUp(t, { sessions: 4 });
	const { client, upstream } = relayed(harness, listener);
	harness.send(client, "question");
	harness.turnUntil(() => harness.receive(upstream) === "question", "the question");
	harness.outside.shutdownWrite(client);
	harness.turnUntil(() => harness.receive(upstream) === "", "the end, carried on");
	harness.send(upstream, "answer");
	harness.turnUntil(() => harness.receive(client) === "answer", "the answer after the half-close");
	harness.outside.shutdownWrite(upstream);
	harness.turnUntil(() => harness.live === 0, "the end");
	const [record] = harness.records();
	assert.equal(reasonOf(record), "client_closed");
	assert.deepEqual([record?.bytesFromClient, record?.bytesToClient], [8, "ready".length + "answer".length]);
});

test("news of a session that ended earlier in the same batch is counted as stale, and acted on by nobody", (t) => {
	const { harness, listener } = setUp(t, { sessions: 4 });
	const { client, upstream } = relayed(harness, listener);
	const other = relayed(harness, listener);
	const { table } = harness.reactor.core;
	assert.equal(harness.counters.get("staleEvents"), 0);
	// All of this is in the kernel before the next turn, in this order: the session's end, news of its other side.
	harness.reset(client);
	harness.send(upstream, "for nobody");
	harness.turnUntil(() => harness.live === 1, "the reset");
	assert.equal(harness.counters.get("staleEvents"), 1);
	assert.deepEqual(harness.records().map(reasonOf), ["client_reset"]);
	assert.deepEqual([table.clients, table.links], [1, 1]);
	harness.send(other.client, "still here");
	harness.turnUntil(() => harness.receive(other.upstream) === "still here", "the other session's bytes");
	assert.equal(harness.counters.get("staleEvents"), 1);
});

test("a slot's new owner is not hurt by news for the one before, in the same batch", (t) => {
	const { harness, listener } = setUp(t, { sessions: 1 });
	const { client, upstream } = relayed(harness, listener);
	const slot = 0;
	const { table } = harness.reactor.core;
	const generation = table.generation[slot];
	harness.turn();
	// One row for clients: the next one can only get this slot. Its arrival lies between the end of the first
	// session and news for that session's other side.
	harness.reset(client);
	const next = harness.client();
	harness.outside.reset(upstream);
	harness.turnUntil(() => harness.counters.get("downstreamOpened") === 2, "the next client");
	assert.notEqual(table.generation[slot], generation);
	const accepted = harness.accepted(listener, "the next client's dial");
	harness.send(next, "hello");
	harness.turnUntil(() => harness.receive(accepted) === "hello", "the next client's bytes");
	assert.equal(harness.live, 1);
	assert.deepEqual(harness.records().map(reasonOf), ["client_reset"]);
	assert.equal(harness.counters.get("staleEvents"), 1);
});

test("an event with another generation is stale whatever it says", (t) => {
	const { harness, listener } = setUp(t, { sessions: 4 });
	const { client, upstream } = relayed(harness, listener);
	const { table } = harness.reactor.core;
	// As if the events in the kernel were for an earlier owner of both rows.
	for (const slot of [0, table.sessions]) table.generation[slot] = (table.generation[slot] ?? 0) + 1;
	harness.send(client, "a");
	harness.reset(upstream);
	harness.turnUntil(() => harness.counters.get("staleEvents") >= 2, "both events");
	assert.equal(harness.live, 1, "nothing happened to the session");
});

/** A port where connections are never answered: its accept queue is full. */
function silentPort(harness: Harness): number {
	const { port } = harness.upstream(1);
	// A queue of 1 holds two. Connecting over loopback is done within the call.
	for (let i = 0; i < 2; i++) harness.connect(port);
	return port;
}

test("a dial that gets no answer goes on to the next address, and ends as connect_timeout", (t) => {
	const outer = new Harness(t, { sessions: 1, routes: [PEEKING] });
	const port = silentPort(outer);
	const harness = new Harness(t, {
		sessions: 4,
		routes: [{}],
		upstreamPorts: [port, port, port],
		policy: { connectMs: 1 },
		ejectFailures: 1_000,
	});
	harness.client();
	harness.sleepUntil(() => harness.counters.get("downstreamClosed") === 1, "the end of the session");
	assert.deepEqual(harness.records().map(reasonOf), ["connect_timeout"]);
	assert.equal(harness.counters.get("upstreamOpened"), 3);
	assert.equal(harness.counters.get("upstreamClosed"), 3);
	assert.equal(harness.counters.get("dialRetries"), 2);
	for (const board of [0, 1, 2]) assert.equal(harness.board.active(board), 0);
});

test("a session dials no more than 32 addresses, however many its upstream has", (t) => {
	const outer = new Harness(t, { sessions: 1, routes: [PEEKING] });
	const port = silentPort(outer);
	const harness = new Harness(t, {
		sessions: 4,
		routes: [{}],
		upstreamPorts: new Array<number>(40).fill(port),
		policy: { connectMs: 1 },
		ejectFailures: 1_000,
	});
	harness.client();
	harness.sleepUntil(
		() => harness.counters.get("downstreamClosed") === 1 || harness.counters.get("upstreamOpened") > 60,
		"the end of the session",
	);
	assert.ok(
		harness.counters.get("upstreamOpened") <= 32,
		`${harness.counters.get("upstreamOpened")} dials, and it goes on`,
	);
});

test("stop closes what is left as drained and gives every descriptor back", (t) => {
	const { harness, listener } = setUp(t, { sessions: 8 });
	const before = openDescriptors();
	for (let i = 0; i < 3; i++) relayed(harness, listener);
	// Each session has two ends here and two in the reactor.
	assert.equal(openDescriptors(), before + 12);
	harness.command({ kind: "stop" });
	assert.ok(harness.reactor.stopped);
	assert.equal(openDescriptors(), before + 6);
	assert.deepEqual(harness.records().map(reasonOf), ["drained", "drained", "drained"]);
	assert.equal(harness.live, 0);
	const { table, wheel, chunks, pipes } = harness.reactor.core;
	assert.deepEqual([table.clients, table.links, wheel.armed, chunks.lent, pipes.open], [0, 0, 0, 0, 0]);
	assert.deepEqual(
		harness.notices.map(({ kind }) => kind).filter((kind) => kind !== "journal"),
		["applied", "stopped"],
	);
});

test("drain takes who waits in the accept queue, lets sessions end, and says when none is left", (t) => {
	const { harness, listener } = setUp(t, { sessions: 8 });
	const { client } = relayed(harness, listener);
	const waiting = harness.client();
	harness.command({ kind: "drain" });
	harness.turnUntil(() => harness.counters.get("downstreamOpened") === 2, "the waiting client");
	const kinds = () => harness.notices.map(({ kind }) => kind);
	assert.ok(kinds().includes("listenersClosed"));
	assert.ok(!kinds().includes("drained"));
	for (const fd of [client, waiting]) harness.reset(fd);
	harness.turnUntil(() => kinds().includes("drained"), "the notice");
	assert.equal(harness.live, 0);
});

test("a full table pauses the listener, and a session that ends lets the next in", (t) => {
	const { harness, listener } = setUp(t, { sessions: 2 });
	const first = relayed(harness, listener);
	relayed(harness, listener);
	harness.client();
	harness.turnUntil(() => harness.counters.get("acceptPausesFull") > 0, "the pause");
	assert.equal(harness.live, 2);
	harness.reset(first.client);
	harness.turnUntil(() => harness.counters.get("downstreamOpened") === 3, "the third client");
	assert.equal(harness.live, 2);
});

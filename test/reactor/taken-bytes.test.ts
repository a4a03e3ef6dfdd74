/** First bytes that are taken, and not peeked: sent as soon as connect() returns, or kept; and how many may be kept. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { ENOBUFS, EPOLLIN, EPOLLRDHUP } from "../../src/kernel/constants.js";
import { AHEAD, NAGLED, WATCHES_OUT } from "../../src/reactor/table/marks.js";
import type { Slot } from "../../src/reactor/table/numbers.js";
import { DIAL, RELAY } from "../../src/reactor/table/states.js";
import { noteNews } from "../../src/reactor/wire/news.js";
import { Harness, PEEKING, reasonOf } from "./harness.js";

const HALF = "GET / HTTP/1.1\r\nHost: a.exam";
const REST = "ple\r\n\r\n";
/** Clients that may keep a chunk for a hello that is not whole. */
const KEPT_MAX = 4;
/** First bytes that are peeked after some that had to wait. */
const PEEKS = 16;

function listening(t: TestContext, sessions = 64): { harness: Harness; accept: () => number } {
	const { fd, port } = new Harness(t, { sessions: 1, routes: [PEEKING] }).upstream();
	const harness = new Harness(t, {
		sessions,
		routes: [PEEKING, { host: "a.example" }, {}],
		upstreamPorts: [port],
	});
	const accept = (): number => {
		return harness.accepted(fd, "the dial");
	};
	return { harness, accept };
}

test("bytes that are whole reach an upstream on the same machine in the turn in which they are looked at", (t) => {
	const { harness, accept } = listening(t);
	const { table, chunks } = harness.reactor.core;
	const client = harness.client();
	harness.turnUntil(() => harness.live === 1, "the client");
	harness.send(client, "hello");
	harness.turn();
	assert.equal(table.state[0], RELAY);
	assert.equal(chunks.lent, 0);
	const link = table.sessions;
	assert.equal((table.flags[link] ?? 0) & WATCHES_OUT, 0, "nothing had to be waited for");
	const upstream = accept();
	assert.equal(harness.receive(upstream), "hello");
	harness.send(upstream, "and back");
	harness.turnUntil(() => harness.receive(client) === "and back", "the answer");
	harness.send(client, "more");
	harness.turnUntil(() => harness.receive(upstream) === "more", "more");
	harness.outside.close(upstream);
	harness.turnUntil(() => harness.receive(client) === "", "the end");
	harness.outside.shutdownWrite(client);
	harness.turnUntil(() => harness.live === 0, "the end of the session");
	const [record] = harness.records();
	assert.equal(record?.bytesFromClient, 9);
	assert.equal(reasonOf(record), "upstream_closed");
});

test("bytes whose connect takes longer are kept until it is over, and the next clients' are only peeked", (t) => {
	const { harness, accept } = listening(t);
	const { table, chunks } = harness.reactor.core;
	const say = (text: string): number => {
		const client = harness.client();
		const before = harness.live;
		harness.turnUntil(() => harness.live > before, "the client");
		harness.send(client, text);
		harness.turn();
		return harness.live - 1;
	};
	harness.kernel.unconnectedSends = 1;
	const first = say("hello");
	assert.notEqual(table.state[first], RELAY);
	assert.equal(chunks.lent, 1);
	const upstream = accept();
	harness.turnUntil(() => harness.receive(upstream) === "hello", "what was kept");
	assert.equal(chunks.lent, 0);
	for (let peeked = 0; peeked < PEEKS; peeked++) {
		const session = say(`peeked ${peeked}`);
		assert.equal((table.flags[session] ?? 0) & AHEAD, 0);
		assert.notEqual(table.state[session], RELAY, "a turn passes until the connect is seen to be over");
		const other = accept();
		harness.turnUntil(() => harness.receive(other) === `peeked ${peeked}`, "what was peeked");
	}
	assert.equal(table.state[say("at once again")], RELAY);
});

test("a kernel without memory for the first bytes is no fault of the upstream's address", (t) => {
	const { harness, accept } = listening(t);
	const client = harness.client();
	harness.turnUntil(() => harness.live === 1, "the client");
	harness.kernel.unconnectedSends = 1;
	harness.kernel.sendErrno = ENOBUFS;
	harness.send(client, "hello");
	harness.turn();
	const upstream = accept();
	harness.turnUntil(() => harness.receive(upstream) === "hello", "what was kept");
	assert.equal(harness.counters.get("dialRetries"), 0);
	assert.equal(harness.reactor.core.chunks.lent, 0);
});

test("a crowd that says half of a hello keeps four chunks; each that says the rest is routed", (t) => {
	const { harness, accept } = listening(t);
	const { chunks } = harness.reactor.core;
	const clients = Array.from({ length: 40 }, () => {
		const client = harness.client();
		harness.send(client, HALF);
		return client;
	});
	harness.turnUntil(() => harness.live === clients.length, "the crowd");
	for (let turn = 0; turn < 10; turn++) harness.turn();
	assert.equal(chunks.lent, KEPT_MAX);
	for (const client of clients) {
		harness.send(client, REST);
		const upstream = accept();
		harness.turnUntil(() => harness.receive(upstream) === HALF + REST, "the whole head");
	}
	assert.equal(chunks.lent, 0);
});

test("what a crowd keeps comes free with its clients", (t) => {
	const { harness } = listening(t);
	const { chunks } = harness.reactor.core;
	for (let round = 0; round < 3; round++) {
		const clients = Array.from({ length: 8 }, () => {
			const client = harness.client();
			harness.send(client, HALF);
			return client;
		});
		harness.turnUntil(() => harness.live === clients.length && chunks.lent === KEPT_MAX, "the crowd");
		for (const client of clients) harness.reset(client);
		harness.turnUntil(() => harness.live === 0, "its end");
		assert.equal(chunks.lent, 0);
	}
});

test("an upstream that refuses within the call is blamed, and the bytes reach another", (t) => {
	const refusing = new Harness(t, { sessions: 1, routes: [PEEKING] });
	const closed = refusing.upstream();
	refusing.reset(closed.fd);
	const open = refusing.upstream();
	const harness = new Harness(t, {
		sessions: 4,
		routes: [PEEKING, {}],
		upstreamPorts: [closed.port, open.port],
		ejectFailures: 1,
	});
	for (const word of ["hello", "hello again"]) {
		harness.send(harness.client(), word);
		const upstream = harness.accepted(open.fd, "the other address");
		harness.turnUntil(() => harness.receive(upstream) === word, "the bytes");
	}
	assert.equal(harness.counters.get("ejections"), 1);
	assert.equal(harness.counters.get("dialRetries"), 1);
});

test("a PROXY header that a reload asks for while the upstream is dialled does not hold the client's bytes back", (t) => {
	const { harness, accept } = listening(t);
	const { table } = harness.reactor.core;
	const client = harness.client();
	harness.turnUntil(() => harness.live === 1, "the client");
	harness.send(client, "hello");
	harness.kernel.unconnectedSends = 1;
	// Events are heard before commands: this one finds the upstream dialled.
	harness.command({
		kind: "plan",
		plan: {
			...harness.plan,
			revision: 2,
			upstreams: harness.plan.upstreams.map((upstream) => ({ ...upstream, proxyProtocol: "v1" })),
		},
	});
	const link = table.sessions;
	assert.notEqual((table.flags[link] ?? 0) & NAGLED, 0, "bytes were to be sent at once");
	const upstream = accept();
	let heard = "";
	harness.turnUntil(() => {
		const more = harness.receive(upstream);
		if (typeof more === "string") heard += more;
		return heard.endsWith("hello");
	}, "the header and the bytes");
	assert.match(heard, /^PROXY TCP4 .*\r\nhello$/);
	assert.equal((table.flags[link] ?? 0) & NAGLED, 0);
});

test("what comes behind kept bytes is not cut off by its end when the read behind them finds nothing", (t) => {
	const { harness, accept } = listening(t);
	const client = harness.client();
	harness.turnUntil(() => harness.live === 1, "the client");
	harness.send(client, "hello");
	harness.kernel.unconnectedSends = 1;
	harness.turn();
	assert.equal(harness.reactor.core.chunks.lent, 1);
	harness.send(client, " and more");
	harness.outside.shutdownWrite(client);
	// Heard before the connect is, whichever the kernel tells first.
	const { core } = harness.reactor;
	noteNews(core, core.table.state.indexOf(DIAL) as Slot, EPOLLIN | EPOLLRDHUP);
	harness.kernel.emptyReceives = 1;
	const upstream = accept();
	let heard = "";
	let ended = false;
	harness.turnUntil(() => {
		const more = harness.receive(upstream);
		if (more === "") ended = true;
		else if (typeof more === "string") heard += more;
		return ended;
	}, "the end");
	assert.equal(heard, "hello and more");
});

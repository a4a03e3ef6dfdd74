/** Deadlines and rates, by a clock that the test moves: what a busy machine could come late for is decided here. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { EAGAIN } from "../../src/kernel/constants.js";
import type { Policy } from "../../src/reactor/plan/plan.js";
import { BLOCKED } from "../../src/reactor/table/marks.js";
import { Harness, reasonOf } from "./harness.js";

const MINUTE_MS = 60_000;

function setUp(t: TestContext, policy: Partial<Policy>): { harness: Harness; listening: number } {
	// The upstream has to listen before the reactor knows of it, and so belongs to another harness.
	const upstreams = new Harness(t, { sessions: 1, routes: [{}] });
	const { fd, port } = upstreams.upstream();
	const harness = new Harness(t, { sessions: 128, policy, routes: [{}], upstreamPorts: [port] });
	harness.kernel.stopClock();
	return { harness, listening: fd };
}

/** The next connection that the reactor opened to the upstream. */
function accept(harness: Harness, listening: number): number {
	return harness.accepted(listening, "the dial");
}

/** Everything that comes, until it ends with this. */
function hear(harness: Harness, end: number, ending: string): string {
	let heard = "";
	harness.turnUntil(() => {
		const text = harness.receive(end);
		if (typeof text === "string") heard += text;
		return heard.endsWith(ending);
	}, JSON.stringify(ending));
	return heard;
}

/** A relayed session, whose ends have each heard a byte of the other. */
class Pair {
	readonly harness: Harness;
	readonly client: number;
	readonly upstream: number;

	constructor(t: TestContext, policy: Partial<Policy>) {
		const { harness, listening } = setUp(t, policy);
		this.harness = harness;
		this.client = harness.client();
		this.upstream = accept(harness, listening);
		this.say(this.client, this.upstream, "?");
		this.say(this.upstream, this.client, "!");
	}

	say(from: number, to: number, text: string): void {
		this.harness.send(from, text);
		this.hears(to, text);
	}

	/** An end is heard as "". */
	hears(end: number, text: string): void {
		let heard: string | number = -EAGAIN;
		this.harness.turnUntil(() => {
			heard = this.harness.receive(end);
			return heard !== -EAGAIN;
		}, JSON.stringify(text));
		assert.equal(heard, text);
	}

	ends(end: number): void {
		assert.equal(this.harness.outside.shutdownWrite(end), 0);
	}

	/** It lives on until `ms` from now, and then ends for this reason. */
	endsAfter(ms: number, reason: string): void {
		// The wheel rounds up to its next tick.
		this.harness.pass(ms - 1);
		assert.deepEqual(this.harness.records(), []);
		this.harness.pass(100);
		assert.deepEqual(this.harness.records().map(reasonOf), [reason]);
	}
}

test("a byte in either direction keeps a session from being idle", (t) => {
	const pair = new Pair(t, { idleMs: 10 * MINUTE_MS });
	const { harness, client, upstream } = pair;
	// Each direction alone is silent for longer than the deadline; both together are not.
	for (let turn = 0; turn < 4; turn++) {
		harness.pass(9 * MINUTE_MS);
		if (turn % 2 === 0) pair.say(client, upstream, ".");
		else pair.say(upstream, client, ".");
	}
	pair.endsAfter(10 * MINUTE_MS, "idle_timeout");
});

for (const first of ["client", "upstream"] as const) {
	test(`an end of the ${first} after a silence leaves the other side the whole half_closed, and no more`, (t) => {
		const pair = new Pair(t, { idleMs: 30 * MINUTE_MS, halfClosedMs: 40 * MINUTE_MS });
		const { harness, client, upstream } = pair;
		harness.pass(29 * MINUTE_MS);
		pair.ends(pair[first]);
		pair.hears(first === "client" ? upstream : client, "");
		pair.endsAfter(40 * MINUTE_MS, "half_closed_timeout");
	});
}

test("an answer that takes nearly the whole half_closed arrives", (t) => {
	const pair = new Pair(t, { idleMs: 30 * MINUTE_MS, halfClosedMs: 40 * MINUTE_MS });
	const { harness, client, upstream } = pair;
	harness.pass(29 * MINUTE_MS);
	pair.ends(client);
	pair.hears(upstream, "");
	harness.pass(39 * MINUTE_MS);
	pair.say(upstream, client, "answer");
	pair.ends(upstream);
	pair.hears(client, "");
	assert.deepEqual(harness.records().map(reasonOf), ["client_closed"]);
});

test("an answer that takes its time after the client has ended is not cut while it moves", (t) => {
	const pair = new Pair(t, { idleMs: 60 * MINUTE_MS, halfClosedMs: 2 * MINUTE_MS });
	const { harness, client, upstream } = pair;
	pair.ends(client);
	pair.hears(upstream, "");
	for (let part = 0; part < 4; part++) {
		harness.pass(1.9 * MINUTE_MS);
		pair.say(upstream, client, ".");
	}
	pair.ends(upstream);
	pair.hears(client, "");
	assert.deepEqual(harness.records().map(reasonOf), ["client_closed"]);
});

test("sessions opened together end one after the other, up to a tenth before their lifetime", (t) => {
	const { harness } = setUp(t, { lifetimeMs: 100 * MINUTE_MS, idleMs: 200 * MINUTE_MS });
	const count = 100;
	for (let opened = 0; opened < count; opened++) harness.client();
	harness.turnUntil(() => harness.live === count, "all clients");
	harness.pass(90 * MINUTE_MS - 1);
	assert.equal(harness.live, count, "none ends earlier than a tenth before");
	const perMinute: number[] = [];
	for (let minute = 0; minute < 10; minute++) {
		harness.pass(MINUTE_MS);
		perMinute.push(harness.records().filter((record) => reasonOf(record) === "lifetime").length);
	}
	harness.pass(100);
	assert.equal(harness.live, 0);
	// Ten in each if they were even; 30 would be over six standard deviations from it.
	assert.ok(Math.max(...perMinute) <= 30 && Math.min(...perMinute) > 0, perMinute.join(" "));
});

test("the response to a POST is waited for by its own deadline, not by that of its body", (t) => {
	// The body's rate is judged every ten seconds; a gateway that looked only then would answer late.
	const { harness, listening } = setUp(t, { responseHeadMs: 2_000 });
	harness.readRequests();
	const client = harness.client();
	harness.send(client, "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 4\r\n\r\n");
	const upstream = accept(harness, listening);
	harness.send(client, "body");
	hear(harness, upstream, "\r\n\r\nbody");
	harness.pass(1_999);
	assert.equal(harness.receive(client), -EAGAIN);
	harness.pass(100);
	assert.match(hear(harness, client, "\n"), /^HTTP\/1\.1 504 /);
});

test("who waits to be asked for a body has time for it; who says so in a field that is stripped has not", (t) => {
	for (const [fields, status, limitMs] of [
		["", 408, 10_000],
		["Connection: Expect\r\nExpect: 100-continue\r\n", 408, 10_000],
		["Expect: 100-continue\r\nConnection: close, expect; a\r\n", 408, 10_000],
		["Expect: 100-continue\r\n", 504, 60_000],
	] as const) {
		const { harness, listening } = setUp(t, { responseHeadMs: 60_000 });
		harness.readRequests();
		const client = harness.client();
		harness.send(client, `POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 4\r\n${fields}\r\n`);
		hear(harness, accept(harness, listening), "\r\n\r\n");
		harness.pass(limitMs - 1);
		assert.equal(harness.receive(client), -EAGAIN, fields);
		harness.pass(100);
		assert.match(hear(harness, client, "\n"), new RegExp(`^HTTP/1\\.1 ${status} `), fields);
	}
});

test("after an upgrade no deadline of requests holds, but that of silence", (t) => {
	const { harness, listening } = setUp(t, {
		idleMs: 60 * MINUTE_MS,
		requestHeadMs: MINUTE_MS,
		responseHeadMs: MINUTE_MS,
		keepAliveMs: MINUTE_MS,
	});
	harness.readRequests();
	const client = harness.client();
	const upgrade = "Host: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n";
	const key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";
	harness.send(client, `GET /chat HTTP/1.1\r\n${upgrade}${key}\r\n`);
	const upstream = accept(harness, listening);
	hear(harness, upstream, "\r\n\r\n");
	const switching = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n";
	harness.send(upstream, `${switching}Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n`);
	hear(harness, client, "\r\n\r\n");
	for (const [from, to] of [
		[upstream, client],
		[client, upstream],
	] as const) {
		harness.pass(59 * MINUTE_MS);
		harness.send(from, "\x81\x00");
		hear(harness, to, "\x81\x00");
	}
	assert.deepEqual(harness.records(), []);
	harness.pass(61 * MINUTE_MS);
	assert.deepEqual(harness.records().map(reasonOf), ["idle_timeout"]);
});

test("a reader that is slow but moves is not cut by the stall deadline, and one that stops is", (t) => {
	const pair = new Pair(t, { idleMs: 600 * MINUTE_MS, stallMs: 30_000 });
	const { harness, client, upstream } = pair;
	const { table } = harness.reactor.core;
	const session = table.fd.findIndex((fd) => fd >= 0);
	const undelivered = (): number => harness.kernel.undelivered(table.fd[session] ?? -1);
	/** The upstream says as much as it can, until all buffers on the way are full. */
	const fill = (): void => {
		const { memory } = harness.outside;
		for (let refused = 0; refused < 100; harness.turn())
			refused = harness.outside.send(upstream, 0, memory.length) > 0 ? 0 : refused + 1;
	};
	for (let part = 0; part < 20; part++) {
		fill();
		const before = undelivered();
		assert.ok(before > 0, "it takes less than comes");
		// It may have to take several before its kernel lets more come; that is its one move in this while.
		harness.turnUntil(() => typeof harness.receive(client) === "string" && undelivered() < before, "a move");
		harness.pass(25_000);
		assert.deepEqual(harness.records(), []);
	}
	fill();
	harness.pass(31_000);
	harness.pass(31_000);
	assert.deepEqual(harness.records().map(reasonOf), ["stall_timeout"]);
});

test("a reader that stops has stalled since it acknowledged something last, however long its buffers went on filling", (t) => {
	const stallMs = 30_000;
	const { harness, client, upstream } = new Pair(t, { idleMs: 600 * MINUTE_MS, stallMs });
	const { table } = harness.reactor.core;
	const session = table.fd.findIndex((fd) => fd >= 0);
	const isEnded = (): boolean => harness.records().length > 0;
	let waitedMs = 0;
	let blockedMs = 0;
	while (!isEnded() && waitedMs < 3 * stallMs) {
		// A part of what its buffers take.
		harness.outside.send(upstream, 0, Math.min(harness.outside.memory.length, 64 * 1024));
		for (let turns = 0; turns < 20; turns++) harness.turn();
		harness.pass(1_000);
		if (harness.kernel.undelivered(table.fd[session] ?? -1) > 0) waitedMs += 1_000;
		if (blockedMs === 0 && ((table.flags[session] ?? 0) & BLOCKED) !== 0) blockedMs = waitedMs;
	}
	assert.ok(blockedMs >= 5_000, `its buffers took all for ${blockedMs} ms`);
	// It is looked at four times within `stall`.
	assert.ok(waitedMs <= 1.25 * stallMs + 2_000, `ended ${waitedMs} ms after it had stopped`);
	assert.ok(typeof harness.receive(client) === "string");
});

test("a request refused for its rate is the last one of its connection when it has a body", (t) => {
	const { harness, listening } = setUp(t, {});
	const [listener] = harness.plan.listeners;
	assert.ok(listener !== undefined);
	harness.readRequests({ http: { ...listener.http, requestsPerSecond: 1 } });
	const client = harness.client();
	const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: a.test\r\n\r\n`;
	const posted = "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 9\r\n\r\n";
	// What stands behind the head may be its body, and must not be taken for a request.
	harness.send(client, get("/") + posted + get("/smuggled"));
	const upstream = accept(harness, listening);
	hear(harness, upstream, "\r\n\r\n");
	harness.send(upstream, "HTTP/1.1 204 No Content\r\n\r\n");
	const heard = hear(harness, client, "\n");
	assert.match(heard, /^HTTP\/1\.1 204 .*[\s\S]*HTTP\/1\.1 429 [\s\S]*\r\nConnection: close\r\n\r\n.*\n$/);
	harness.turnUntil(() => harness.receive(client) === "", "the end");
	assert.equal(harness.outside.shutdownWrite(client), 0);
	harness.turnUntil(() => harness.live === 0, "the session's end");
	assert.deepEqual(harness.records().map(reasonOf), ["limit_rate"]);
});

test("an idle upstream connection ends by its age, also where that comes before its idleness", (t) => {
	const { harness, listening } = setUp(t, {});
	const readWith = (pool: { idleMs: number; ageMs: number }): void => {
		const { listeners, upstreams } = harness.plan;
		harness.command({
			kind: "plan",
			plan: {
				...harness.plan,
				listeners: listeners.map((each) => ({ ...each, readsRequests: true })),
				upstreams: upstreams.map((each) => ({
					...each,
					pool: { keeps: true, requests: 100, idleMax: 8, ...pool },
				})),
			},
		});
	};
	const ask = (): number => {
		const client = harness.client();
		harness.send(client, "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n");
		const upstream = accept(harness, listening);
		hear(harness, upstream, "\r\n\r\n");
		harness.send(upstream, "HTTP/1.1 204 No Content\r\n\r\n");
		hear(harness, client, "\r\n\r\n");
		return upstream;
	};
	const HOUR_MS = 60 * MINUTE_MS;
	readWith({ idleMs: HOUR_MS, ageMs: MINUTE_MS });
	const aged = ask();
	// Up to a quarter less than its age.
	harness.pass(0.7 * MINUTE_MS);
	assert.equal(harness.receive(aged), -EAGAIN);
	harness.pass(0.35 * MINUTE_MS);
	harness.turnUntil(() => harness.receive(aged) === "", "the end of the aged one");

	readWith({ idleMs: HOUR_MS, ageMs: 10 * HOUR_MS });
	const idle = ask();
	harness.pass(MINUTE_MS);
	// A reload shortens what it has waited for already.
	readWith({ idleMs: 2 * MINUTE_MS, ageMs: 10 * HOUR_MS });
	assert.equal(harness.receive(idle), -EAGAIN);
	harness.pass(1.1 * MINUTE_MS);
	harness.turnUntil(() => harness.receive(idle) === "", "the end of the idle one");
});

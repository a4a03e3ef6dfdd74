/** Deadlines of sessions, by a clock that the test moves: what a busy machine could come late for is decided here. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { EAGAIN } from "../../src/kernel/constants.js";
import type { Policy } from "../../src/reactor/plan.js";
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

/** A relayed session, whose ends have each heard a byte of the other. */
class Pair {
	readonly harness: Harness;
	readonly client: number;
	readonly upstream: number;

	constructor(t: TestContext, policy: Partial<Policy>) {
		const { harness, listening } = setUp(t, policy);
		this.harness = harness;
		this.client = harness.client();
		let accepted = -EAGAIN;
		harness.turnUntil(() => {
			accepted = harness.outside.accept(listening, 0);
			return accepted >= 0;
		}, "the dial");
		this.upstream = harness.adopt(accepted);
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
	let upstream = -EAGAIN;
	harness.turnUntil(() => {
		upstream = harness.outside.accept(listening, 0);
		return upstream >= 0;
	}, "the dial");
	harness.adopt(upstream);
	harness.send(client, "body");
	let asked = "";
	harness.turnUntil(() => {
		const text = harness.receive(upstream);
		if (typeof text === "string") asked += text;
		return asked.endsWith("\r\n\r\nbody");
	}, "the body");
	harness.pass(1_999);
	assert.equal(harness.receive(client), -EAGAIN);
	harness.pass(100);
	let answer: string | number = -EAGAIN;
	harness.turnUntil(() => {
		answer = harness.receive(client);
		return answer !== -EAGAIN;
	}, "the answer");
	assert.match(String(answer), /^HTTP\/1\.1 504 /);
});

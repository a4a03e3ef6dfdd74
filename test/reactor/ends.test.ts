/** An end that is known before the last bytes are sent on travels with them; what the kernel does not take keeps its end behind it. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { EAGAIN } from "../../src/kernel/constants.js";
import { i32 } from "../../src/parts/at.js";
import { RELAY } from "../../src/reactor/table/states.js";
import { Harness, reasonOf } from "./harness.js";
import { segmentsIn } from "./segments.js";
import { listenUnix } from "./unix-upstream.js";

/** A session that has said "hello" to its upstream, which has it. */
function connected(t: TestContext): { harness: Harness; client: number; upstream: number } {
	const { fd: listening, port } = new Harness(t, { sessions: 1, routes: [{}] }).upstream();
	const harness = new Harness(t, { sessions: 4, routes: [{}], upstreamPorts: [port] });
	const client = harness.client();
	harness.send(client, "hello");
	const upstream = harness.accepted(listening, "the dial");
	harness.turnUntil(() => harness.receive(upstream) === "hello", "what the client says");
	harness.turnUntil(() => harness.outside.undelivered(client) === 0, "its acknowledgement");
	return { harness, client, upstream };
}

for (const [from, to] of [
	["upstream", "client"],
	["client", "upstream"],
] as const)
	test(`last bytes of the ${from} and its end reach the ${to} in one segment`, (t) => {
		const session = connected(t);
		const { harness } = session;
		const before = segmentsIn(session[to]);
		harness.send(session[from], "the last word");
		harness.outside.shutdownWrite(session[from]);
		let received: string | number = -EAGAIN;
		harness.turnUntil(() => {
			received = harness.receive(session[to]);
			return received !== -EAGAIN;
		}, "the last bytes");
		assert.equal(received, "the last word");
		assert.equal(harness.receive(session[to]), "", "the end came with them");
		assert.equal(segmentsIn(session[to]), before + 1);
		// The other direction is open.
		harness.send(session[to], "so long");
		harness.turnUntil(() => harness.receive(session[from]) === "so long", "the other direction");
		harness.outside.shutdownWrite(session[to]);
		harness.turnUntil(() => harness.live === 0, "the end of the session");
		assert.deepEqual(harness.records().map(reasonOf), [`${from}_closed`]);
	});

test("bytes in front of a reset are not ended as if they were whole", (t) => {
	const { harness, client, upstream } = connected(t);
	harness.send(upstream, "half of it");
	harness.reset(upstream);
	let received = "";
	let last: string | number = -EAGAIN;
	harness.turnUntil(() => {
		last = harness.receive(client);
		if (typeof last === "string") received += last;
		return last !== -EAGAIN && last !== "half of it";
	}, "the reset");
	assert.ok(typeof last === "number" && last < 0, "no end");
	assert.ok("half of it".startsWith(received));
	assert.deepEqual(harness.records().map(reasonOf), ["upstream_reset"]);
});

test("a client that takes only a part of the last bytes gets the rest, and then the end", (t) => {
	const { harness, client, upstream } = connected(t);
	// Until neither kernel takes more, and what the gateway may hold is held.
	const block = "x".repeat(1 << 14);
	let sent = 0;
	harness.outside.memory.set(Buffer.from(block), 0);
	for (let refusals = 0; refusals < 50; ) {
		const count = harness.outside.send(upstream, 0, block.length);
		if (count > 0) sent += count;
		refusals = count > 0 ? 0 : refusals + 1;
		harness.turn();
	}
	harness.outside.shutdownWrite(upstream);
	let taken = 0;
	let last: string | number = -EAGAIN;
	harness.turnUntil(() => {
		last = harness.receive(client, 1 << 12);
		if (typeof last === "string") taken += last.length;
		return last === "";
	}, "the end");
	assert.equal(taken, sent);
	harness.outside.shutdownWrite(client);
	harness.turnUntil(() => harness.live === 0, "the end of the session");
	assert.deepEqual(harness.records().map(reasonOf), ["upstream_closed"]);
});

test("what stands behind descriptors that a Unix upstream passes is not taken for its end", (t) => {
	const harness = new Harness(t, { sessions: 4, routes: [{}] });
	const listening = listenUnix(t, harness);
	const client = harness.client();
	const upstream = harness.accepted(listening, "the dial");
	const { table } = harness.reactor.core;
	harness.turnUntil(() => table.state[table.sessions] === RELAY, "the connection");
	harness.kernel.passedBehind = { fd: i32(table.fd, table.sessions), bytes: "in front".length };
	harness.send(upstream, "in front, and behind");
	harness.outside.shutdownWrite(upstream);
	let received = "";
	let last: string | number = -EAGAIN;
	harness.turnUntil(() => {
		last = harness.receive(client);
		if (typeof last === "string") received += last;
		return last === "";
	}, "the end");
	assert.equal(received, "in front, and behind");
	harness.outside.shutdownWrite(client);
	harness.turnUntil(() => harness.live === 0, "the end of the session");
});

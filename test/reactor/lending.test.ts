/** What an idle pooled connection has said unasked is no answer to the request it is lent for. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { EAGAIN } from "../../src/kernel/constants.js";
import { Harness } from "./harness.js";

/** More than one wait reports: whoever is behind them in the kernel's list is reported by the next one. */
const MORE_THAN_A_BATCH = 560;

/** A client's second request, for which a pooled connection is there whose upstream has just spoken unasked. */
function answerTo(t: TestContext, request: string, others: number): string | number {
	const upstreams = new Harness(t, { sessions: 1, routes: [{}] });
	const listening = upstreams.upstream();
	const harness = new Harness(t, {
		sessions: others + 8,
		routes: [{}],
		upstreamPorts: [listening.port],
	});
	harness.readRequests();
	const client = harness.client();
	harness.send(client, "GET /one HTTP/1.1\r\nHost: a.test\r\n\r\n");
	const upstream = harness.accepted(listening.fd, "the dial");
	harness.turnUntil(() => harness.receive(upstream) !== -EAGAIN, "the request");
	harness.send(upstream, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\none");
	harness.turnUntil(() => harness.receive(client) !== -EAGAIN, "the answer");
	// Others whose heads begin to come: all of them have news in front of the upstream's.
	const crowd = Array.from({ length: others }, (_, i) => harness.client(2 + (i % 200)));
	harness.turnUntil(() => harness.live === others + 1, "the crowd");
	harness.turn();
	assert.equal(harness.reactor.core.idleLists.idle, 1);
	harness.send(client, request);
	for (const fd of crowd) harness.send(fd, "G");
	harness.send(upstream, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nPOISON");
	let got: string | number = -EAGAIN;
	let dialled = -EAGAIN;
	harness.turnUntil(() => {
		got = harness.receive(client);
		dialled = harness.outside.accept(listening.fd, 0);
		return got !== -EAGAIN || dialled >= 0;
	}, "an answer, or another dial");
	if (dialled >= 0) harness.adopt(dialled);
	return got;
}

for (const [what, request] of [
	["a request that may be sent again", "GET /two HTTP/1.1\r\nHost: b.test\r\n\r\n"],
	["one that may not", "POST /two HTTP/1.1\r\nHost: b.test\r\nContent-Length: 0\r\n\r\n"],
] as const)
	for (const others of [10, MORE_THAN_A_BATCH])
		test(`an answer that nobody asked for is not given to ${what}, with news of ${others} others before it`, (t) => {
			assert.equal(answerTo(t, request, others), -EAGAIN);
		});

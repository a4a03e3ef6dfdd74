/** A pooled connection that was seen with bytes under way, and is seen so again for another request, has not stalled. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { EAGAIN } from "../../src/kernel/constants.js";
import { EXCHANGE } from "../../src/reactor/table/states.js";
import { Harness, POLICY } from "./harness.js";

const REQUEST = "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n";
const ANSWER = "HTTP/1.1 204 No Content\r\n\r\n";

test("what was under way to a pooled connection for one request is no stall of a later one", (t) => {
	const upstreams = new Harness(t, { sessions: 1, routes: [{}] });
	const listening = upstreams.upstream();
	const harness = new Harness(t, {
		sessions: 8,
		routes: [{}],
		upstreamPorts: [listening.port],
	});
	harness.readRequests();
	const { table } = harness.reactor.core;
	const client = harness.client();
	let upstream = -EAGAIN;

	/** A request reaches the upstream, and is looked at while none of it is acknowledged; then it is answered. */
	const askAndLook = (): void => {
		harness.send(client, REQUEST);
		harness.turnUntil(() => {
			if (upstream < 0) upstream = harness.outside.accept(listening.fd, 0);
			return upstream >= 0 && harness.receive(upstream) !== -EAGAIN;
		}, "the request");
		const link = table.state.lastIndexOf(EXCHANGE);
		assert.ok(link >= table.sessions, "the upstream's row");
		harness.kernel.undeliveredBytes = table.sent[link];
		harness.pass(POLICY.stallMs / 3);
		harness.kernel.undeliveredBytes = undefined;
		assert.ok((table.since[link] ?? 0) > 0, "it was not looked at");
		harness.send(upstream, ANSWER);
		harness.turnUntil(() => String(harness.receive(client)).startsWith("HTTP/1.1 204"), "the answer");
	};

	askAndLook();
	// It waits in the pool, and nobody looks at it there.
	harness.pass(POLICY.stallMs + 1_000);
	askAndLook();
	assert.deepEqual(harness.records(), []);
});

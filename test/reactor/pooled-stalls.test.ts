/** A pooled connection that was seen with bytes under way, and is seen so again for another request, has not stalled. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { EAGAIN } from "../../src/kernel/constants.js";
import { EXCHANGE } from "../../src/reactor/table.js";
import { BentKernel } from "./bent-kernel.js";
import { Harness, POLICY } from "./harness.js";

const REQUEST = "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n";
const ANSWER = "HTTP/1.1 204 No Content\r\n\r\n";

test("what was under way to a pooled connection for one request is no stall of a later one", (t) => {
	const upstreams = new Harness(t, { sessions: 1, routes: [{}] });
	const listening = upstreams.upstream();
	let kernel: BentKernel | undefined;
	const harness = new Harness(t, {
		sessions: 8,
		routes: [{}],
		upstreamPorts: [listening.port],
		kernel: (bytes) => {
			kernel = new BentKernel(bytes);
			return kernel;
		},
	});
	assert.ok(kernel !== undefined);
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
		assert.ok(kernel !== undefined);
		kernel.undeliveredBytes = table.sent[link];
		kernel.aheadMs += POLICY.stallMs / 3;
		harness.turn();
		kernel.undeliveredBytes = undefined;
		assert.ok((table.unheardSinceMs[link] ?? 0) > 0, "it was not looked at");
		harness.send(upstream, ANSWER);
		harness.turnUntil(() => String(harness.receive(client)).startsWith("HTTP/1.1 204"), "the answer");
	};

	askAndLook();
	// It waits in the pool, and nobody looks at it there.
	kernel.aheadMs += POLICY.stallMs + 1_000;
	harness.turn();
	askAndLook();
	assert.deepEqual(harness.records(), []);
});

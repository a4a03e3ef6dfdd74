/** Rows and sums as another thread sees them while the reactor is within a system call, in which it may be kept for long. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { REASONS } from "../../src/parts/reasons.js";
import { FREE } from "../../src/reactor/table/states.js";
import { Harness } from "./harness.js";

test("while a session's sockets are being closed, rows and sums say the same", (t) => {
	const upstreams = new Harness(t, { sessions: 1, routes: [{}] });
	const { fd: listening, port } = upstreams.upstream();
	const harness = new Harness(t, { sessions: 4, routes: [{}], upstreamPorts: [port] });
	const { kernel, counters, reactor } = harness;
	const { table } = reactor.core;
	let looks = 0;
	const look = (): void => {
		looks++;
		const rows = { downstream: 0, upstream: 0 };
		for (let slot = 0; slot < 2 * table.sessions; slot++)
			if (table.state[slot] !== FREE) rows[slot < table.sessions ? "downstream" : "upstream"]++;
		for (const side of ["downstream", "upstream"] as const)
			assert.equal(counters.get(`${side}Opened`) - counters.get(`${side}Closed`), rows[side], side);
		const reasons = REASONS.reduce((sum, _, reason) => sum + counters.closed(0, reason), 0);
		assert.equal(reasons, counters.get("downstreamClosed"));
	};
	for (const reset of [false, true]) {
		const client = harness.client();
		const accepted = harness.accepted(listening, "the dial");
		const close = kernel.close.bind(kernel);
		const end = kernel.reset.bind(kernel);
		kernel.close = (fd) => {
			look();
			return close(fd);
		};
		kernel.reset = (fd) => {
			look();
			return end(fd);
		};
		if (reset) harness.reset(client);
		else {
			harness.outside.shutdownWrite(client);
			harness.outside.shutdownWrite(accepted);
		}
		harness.turnUntil(() => harness.live === 0, "the end");
		kernel.close = close;
		kernel.reset = end;
	}
	assert.ok(looks >= 4, `only ${looks} sockets were closed`);
});

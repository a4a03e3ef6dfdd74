/** How long connects took, as they are counted. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Harness } from "./harness.js";

for (const tookMs of [0, 0.125, 3])
	test(`a connect that took ${tookMs} ms is counted with that, and not with less than nothing`, (t) => {
		const upstreams = new Harness(t, { sessions: 1, routes: [{}] });
		const listening = upstreams.upstream();
		const harness = new Harness(t, { sessions: 8, routes: [{}], upstreamPorts: [listening.port] });
		const { kernel, counters } = harness;
		kernel.stopClock();
		// A quarter of a millisecond after one began.
		kernel.aheadMs = Math.ceil(kernel.now()) - kernel.now() + 0.25;
		harness.client();
		// What is dialled in one turn is heard of in a later one.
		harness.turnUntil(() => harness.reactor.core.table.links > 0, "the dial");
		kernel.aheadMs += tookMs;
		const connects = (): number =>
			counters
				.connects(0)
				.slice(0, -1)
				.reduce((all, bucket) => all + bucket, 0);
		harness.turnUntil(() => connects() > 0, "the connect");
		assert.equal(connects(), 1);
		const sumMs = (counters.connects(0).at(-1) ?? Number.NaN) * 1_000;
		// An offset is exact to a 64th of a millisecond.
		assert.ok(sumMs >= tookMs - 1e-6 && sumMs < tookMs + 1 / 32, `${sumMs} ms`);
	});

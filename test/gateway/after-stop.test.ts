/** A program that has the gateway in it may ask for its metrics whenever it likes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { loadConfigText } from "../../src/config/load.js";
import { Gateway } from "../../src/gateway/gateway.js";
import { Metrics } from "../support/metrics.js";
import { TEST_MS } from "../support/waiting.js";

test("a gateway that was stopped still tells its metrics", { timeout: TEST_MS }, async () => {
	const gateway = await Gateway.start(
		loadConfigText(`
reactors: 1
log: { level: silent }
listeners: [{ listen: 127.0.0.1:0, routes: [{ to: reject }] }]
`),
	);
	await gateway.stop();
	const metrics = Metrics.parse(gateway.metrics());
	assert.equal(metrics.sum("sluice_connections_active"), 0);
	assert.equal(metrics.sum("sluice_memory_pressure"), 0);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { parseMetrics } from "../../src/drill/targets/metrics.js";

const TEXT = `# HELP sluice_connections_active Sessions alive.
# TYPE sluice_connections_active gauge
sluice_connections_active{listener="127.0.0.1:0"} 7
sluice_connections_active{listener="198.18.0.1:0"} 3
sluice_sessions_closed_total{listener="127.0.0.1:0",reason="idle_timeout"} 2
sluice_sessions_closed_total{listener="198.18.0.1:0",reason="idle_timeout"} 5
sluice_pipes_open 4
sluice_accept_queue_limit{listener="127.0.0.1:0"} 8192
`;

test("figures are summed over listeners, and those of the drill's link stand alone as well", () => {
	const metrics = parseMetrics(TEXT, "198.18.0.1:0");
	assert.equal(metrics.sessions, 10);
	assert.equal(metrics.linkSessions, 3);
	assert.equal(metrics.keptDescriptors, 8);
	assert.equal(metrics.acceptQueueLimit, 8192);
	assert.deepEqual(metrics.closedByReason, { idle_timeout: 7 });
});

test("a ledger that this version does not keep is not a ledger without discrepancy", () => {
	assert.equal(parseMetrics(TEXT, null).ledgerDiscrepancy, null);
	assert.equal(parseMetrics(`${TEXT}sluice_ledger_discrepancy 0\n`, null).ledgerDiscrepancy, 0);
});

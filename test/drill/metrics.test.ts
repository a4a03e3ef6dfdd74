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

test("halves of hellos are given up for others or for their time, and a target without datagrams has none", () => {
	const { halfHellos, halfHellosGivenUp } = parseMetrics(TEXT, null);
	assert.deepEqual([halfHellos, halfHellosGivenUp], [null, null]);
	const halves = parseMetrics(
		`${TEXT}sluice_half_hellos 12\nsluice_half_hellos_displaced_total 700\nsluice_half_hellos_expired_total 30\n`,
		null,
	);
	assert.deepEqual([halves.halfHellos, halves.halfHellosGivenUp], [12, 730]);
});

test("figures of the hub stand by its entries, and a target without one has none", () => {
	assert.equal(parseMetrics(TEXT, null).hub, null);
	const text = `${TEXT}sluice_hub_delivered_total{match="a/b"} 7\nsluice_hub_missed_total{match="a/b"} 2\nsluice_hub_missed_total{match="*"} 3\nsluice_hub_outbox_bytes 400\nsluice_hub_blocked 5\n`;
	assert.deepEqual(parseMetrics(text, null).hub, {
		...{ outboxBytes: 400, blocked: 5 },
		channels: { "a/b": { delivered_total: 7, missed_total: 2 }, "*": { missed_total: 3 } },
	});
});

test("a ledger that this version does not keep is not a ledger without discrepancy", () => {
	assert.equal(parseMetrics(TEXT, null).ledgerDiscrepancy, null);
	assert.equal(parseMetrics(`${TEXT}sluice_ledger_discrepancy 0\n`, null).ledgerDiscrepancy, 0);
});

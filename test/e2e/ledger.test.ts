/** The ledger of a gateway that runs: it agrees with the kernel, under load and over reloads. */
import assert from "node:assert/strict";
import type { LedgerReport } from "../../src/index.js";
import { type FreeAddress, freeAddress } from "../support/addresses.js";
import { type Gateway, startGateway } from "../support/gateway.js";
import { dial, echo, sayName, startUpstream } from "../support/peers.js";
import { type Scenario, scenario } from "../support/scenario.js";

async function report(gateway: Gateway): Promise<LedgerReport> {
	const { status, body } = await gateway.admin("/api/ledger");
	assert.equal(status, 200, body);
	return JSON.parse(body) as LedgerReport;
}

/** Short sessions, some at a time. */
async function visit(scenario: Scenario, { host, port }: FreeAddress, count: number): Promise<void> {
	let left = count;
	await Promise.all(
		Array.from({ length: 16 }, async () => {
			while (left-- > 0) {
				const client = await dial(scenario, port, { host });
				client.end("?");
				await client.rest();
			}
		}),
	);
}

scenario(
	"what was opened and not closed is what there is, of each kind, and the report says so",
	async (scenario) => {
		const upstream = await startUpstream(scenario, echo);
		const gateway = await startGateway(
			scenario,
			`
reactors: 2
listeners: [{ listen: 127.0.0.1:0, routes: [{ to: a }] }]
upstreams: { a: { addresses: ["${upstream.address}"], health: { interval: 500ms, timeout: 500ms } } }
`,
		);
		const clients = await Promise.all(Array.from({ length: 30 }, () => dial(scenario, gateway.port())));
		for (const client of clients) {
			await client.send("?");
			await client.expect("?");
		}
		for (const client of clients.splice(0, 10)) {
			client.end();
			await client.rest();
		}
		await gateway.sessions(10);
		const { kinds, discrepancies, descriptors, checkedAt, tookMs } = await report(gateway);
		assert.deepEqual(discrepancies, []);
		const alive = Object.fromEntries(
			Object.entries(kinds).map(([kind, { opened, closed }]) => [kind, opened - closed]),
		);
		// A health check may be under way; the one admin connection is the one that asks.
		assert.deepEqual(
			{ ...alive, check: 0 },
			{ downstream: 20, upstream: 20, pipe: 0, listener: 2, admin: 2, log: 1, check: 0, tunnel: 0 },
		);
		assert.ok((alive["check"] ?? -1) >= 0 && kinds.check.opened > 0);
		assert.deepEqual(kinds.downstream, { opened: 30, closed: 10 });
		assert.ok(descriptors >= 20 + 20 + 2 + 2 + 1, `${descriptors} descriptors`);
		assert.ok(Number.isFinite(Date.parse(checkedAt)) && tookMs >= 0);
		const metrics = await gateway.metrics();
		assert.equal(metrics.sum("sluice_descriptors_opened_total", { kind: "downstream" }), 30);
		assert.equal(metrics.sum("sluice_descriptors_closed_total", { kind: "downstream" }), 10);
		assert.equal(metrics.types.get("sluice_ledger_discrepancy"), "gauge");
	},
);

scenario(
	"ledger.interval says how often it looks; it finds nothing through sessions, reloads and a listener's coming and going",
	async (scenario) => {
		const upstream = await startUpstream(scenario, sayName("here"));
		const [first, second] = [await freeAddress(), await freeAddress()];
		const yaml = (interval: string, both: boolean) => `
reactors: 2
ledger: { interval: ${interval} }
log: { sessions: false }
listeners:
  - { listen: "${first.text}", routes: [{ to: a }] }
${both ? `  - { listen: "${second.text}", routes: [{ to: a }] }` : ""}
upstreams: { a: "${upstream.address}" }
`;
		const gateway = await startGateway(scenario, yaml("1h", false));
		assert.equal((await gateway.metrics()).sum("sluice_ledger_checks_total"), 0);
		await visit(scenario, first, 100);
		for (let round = 0; round < 4; round++) {
			for (const both of [true, false]) {
				gateway.write(yaml("200ms", both));
				const [line] = await Promise.all([gateway.hangUp(), visit(scenario, first, 150)]);
				assert.equal(line.message, "reloaded");
				if (both) await visit(scenario, second, 100);
				assert.deepEqual((await report(gateway)).discrepancies, []);
			}
		}
		const checks = (await gateway.metrics()).sum("sluice_ledger_checks_total");
		await gateway.metricIs("sluice_ledger_checks_total", (now) => now >= checks + 3);
		const metrics = await gateway.metrics();
		assert.equal(metrics.sum("sluice_ledger_discrepancy"), 0);
		const { kinds } = await report(gateway);
		assert.ok(kinds.downstream.opened >= 1_700, `${kinds.downstream.opened} sessions`);
		assert.deepEqual(kinds.listener, { opened: 2 + 4 * 2, closed: 4 * 2 });
		assert.deepEqual(
			gateway.log.filter(({ message }) => message.startsWith("the ledger and the kernel")),
			[],
		);
	},
);

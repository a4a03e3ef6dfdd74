/** limits.when_full: reset: whoever comes too many is told at once. */
import assert from "node:assert/strict";
import { type Gateway, startGateway } from "../support/gateway.js";
import { dial, echo, type Peer, startUpstream } from "../support/peers.js";
import { fate } from "../support/refusals.js";
import { type Scenario, scenario } from "../support/scenario.js";

const LIMIT = 10;

async function echoing(client: Peer): Promise<void> {
	await client.send("?");
	await client.expect("?");
}

/** A gateway in which all places are taken. */
async function startFull(scenario: Scenario): Promise<{ gateway: Gateway; clients: Peer[] }> {
	const upstream = await startUpstream(scenario, echo);
	const gateway = await startGateway(
		scenario,
		`
reactors: 2
limits: { connections: ${LIMIT}, when_full: reset }
listeners: [{ listen: 127.0.0.1:0, routes: [{ to: a }] }]
upstreams: { a: "${upstream.address}" }
`,
	);
	const clients: Peer[] = [];
	while (clients.length < LIMIT) {
		const client = await dial(scenario, gateway.port());
		await echoing(client);
		clients.push(client);
	}
	return { gateway, clients };
}

scenario(
	"the eleventh of ten connections is reset at once, and the others notice nothing",
	async (scenario) => {
		const { gateway, clients } = await startFull(scenario);
		assert.equal(await fate(scenario, gateway.port()), "ECONNRESET");
		const { reason, upstream, bytes_to_client } = await gateway.onlySession();
		assert.deepEqual([reason, upstream, bytes_to_client], ["limit_connections", null, 0]);
		for (const client of clients) await echoing(client);
		clients[0]?.end();
		await clients[0]?.rest();
		await gateway.metricIs("sluice_connections_active", (active) => active === LIMIT - 1);
		const next = await dial(scenario, gateway.port());
		await echoing(next);
		assert.equal((await gateway.metrics()).sum("sluice_accept_pauses_total"), 0);
	},
);

scenario("a thousand connections that are refused leave no descriptor behind", async (scenario) => {
	const { gateway, clients } = await startFull(scenario);
	const descriptors = gateway.descriptors();
	const fates: string[] = [];
	for (let round = 0; round < 20; round++)
		fates.push(...(await Promise.all(Array.from({ length: 50 }, () => fate(scenario, gateway.port())))));
	assert.deepEqual([...new Set(fates)], ["ECONNRESET"]);
	const ended = await gateway.sessions(1_000);
	assert.deepEqual([...new Set(ended.map(({ reason }) => reason))], ["limit_connections"]);
	assert.deepEqual(gateway.descriptors(), descriptors);
	const report = JSON.parse((await gateway.admin("/api/ledger")).body) as { discrepancies: unknown[] };
	assert.deepEqual(report.discrepancies, []);
	const metrics = await gateway.metrics();
	assert.equal(metrics.sum("sluice_sessions_closed_total", { reason: "limit_connections" }), 1_000);
	assert.equal(metrics.sum("sluice_connections_active"), LIMIT);
	for (const client of clients) {
		await echoing(client);
		client.end();
		await client.rest();
	}
});

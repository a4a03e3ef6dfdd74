/** `connections` of a listener: one that is full leaves room for the others. */
import assert from "node:assert/strict";
import { type Gateway, startGateway } from "../support/gateway.js";
import { dial, echo, type Peer, startUpstream } from "../support/peers.js";
import { fate } from "../support/refusals.js";
import { type Scenario, scenario } from "../support/scenario.js";

async function startTwo(scenario: Scenario, limits: string): Promise<Gateway> {
	const upstream = await startUpstream(scenario, echo);
	return startGateway(
		scenario,
		`
reactors: 2
limits: ${limits}
listeners:
  - { listen: 127.0.0.1:0, connections: 2, routes: [{ to: a }] }
  - { listen: 127.0.0.1:0, routes: [{ to: a }] }
upstreams: { a: "${upstream.address}" }
`,
	);
}

async function echoing(client: Peer): Promise<Peer> {
	await client.send("?");
	await client.expect("?");
	return client;
}

scenario(
	"clients beyond a listener's own limit wait, and those of the other listener do not",
	async (scenario) => {
		const gateway = await startTwo(scenario, "{ connections: 10 }");
		const first = await echoing(await dial(scenario, gateway.port(0)));
		await echoing(await dial(scenario, gateway.port(0)));
		const waiting = await dial(scenario, gateway.port(0));
		await waiting.send("late");
		await gateway.metricIs("sluice_accept_pauses_total", (pauses) => pauses > 0, { cause: "connections" });
		for (let count = 0; count < 8; count++) await echoing(await dial(scenario, gateway.port(1)));
		assert.equal(waiting.received.length, 0);
		assert.equal((await gateway.metrics()).sum("sluice_accept_queue_depth"), 1);
		// All ten places are taken now; the one that waits needs a place of its listener's and one of all.
		first.end();
		await first.rest();
		await waiting.expect("late");
	},
);

scenario("with when_full: reset, clients beyond a listener's own limit are reset", async (scenario) => {
	const gateway = await startTwo(scenario, "{ connections: 10, when_full: reset }");
	for (let count = 0; count < 2; count++) await echoing(await dial(scenario, gateway.port(0)));
	for (let count = 0; count < 5; count++) assert.equal(await fate(scenario, gateway.port(0)), "ECONNRESET");
	for (let count = 0; count < 8; count++) await echoing(await dial(scenario, gateway.port(1)));
	assert.equal(await fate(scenario, gateway.port(1)), "ECONNRESET");
	for (const { reason } of await gateway.sessions(6)) assert.equal(reason, "limit_connections");
	const limits = (await gateway.metrics()).find("sluice_listener_connections_limit");
	assert.deepEqual(limits.map(({ value }) => value).sort(), [10, 2]);
});

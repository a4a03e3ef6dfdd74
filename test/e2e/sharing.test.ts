/** Reactors share the load: each has a listening socket of its own on the port, and the kernel deals by hash. */
import assert from "node:assert/strict";
import { startGateway } from "../support/gateway.js";
import { dial, type Peer, startUpstream } from "../support/peers.js";
import { scenario } from "../support/scenario.js";

const CLIENTS = 1_000;

scenario("a thousand connections are shared evenly between two reactors", async (scenario) => {
	const upstream = await startUpstream(scenario);
	const gateway = await startGateway(
		scenario,
		`
reactors: 2
listeners: [{ listen: 127.0.0.1:0, routes: [{ to: a }] }]
upstreams: { a: "${upstream.address}" }
`,
	);
	const clients: Peer[] = [];
	for (let count = 0; count < CLIENTS; count++) clients.push(await dial(scenario, gateway.port()));
	await gateway.metricIs("sluice_connections_active", (active) => active === CLIENTS);
	const metrics = await gateway.metrics();
	for (const reactor of ["0", "1"]) {
		const share = metrics.sum("sluice_reactor_sessions", { reactor }) / CLIENTS;
		// A fair coin strays this far from a half once in ten thousand million runs.
		assert.ok(share > 0.4 && share < 0.6, `reactor ${reactor} has ${share} of them`);
	}
	for (const client of clients) client.reset();
	await gateway.metricIs("sluice_connections_active", (active) => active === 0);
});

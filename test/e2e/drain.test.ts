/** SIGTERM: nobody new, time for those who are there, and an end. */
import assert from "node:assert/strict";
import { type Gateway, startGateway } from "../support/gateway.js";
import { dial, echo, startUpstream } from "../support/peers.js";
import { type Scenario, scenario } from "../support/scenario.js";

async function startDraining(scenario: Scenario, drain: string): Promise<Gateway> {
	const upstream = await startUpstream(scenario, echo);
	return startGateway(
		scenario,
		`
timeouts: { drain: ${drain} }
listeners: [{ listen: 127.0.0.1:0, routes: [{ to: a }] }]
upstreams: { a: "${upstream.address}" }
`,
		{ own: "it is ended" },
	);
}

for (const signal of ["SIGTERM", "SIGINT"] as const) {
	scenario(
		`${signal} lets a session finish, refuses new ones, and ends with 0 when none is left`,
		async (scenario) => {
			const gateway = await startDraining(scenario, "1h");
			const client = await dial(scenario, gateway.port());
			await client.send("before");
			await client.expect("before");
			assert.deepEqual(await gateway.admin("/readyz"), { status: 200, body: "ready\n" });

			gateway.child.signal(signal);
			const line = await gateway.logged(({ message }) => message === "draining");
			assert.equal(line.sessions, 1);
			assert.deepEqual(await gateway.admin("/readyz"), { status: 503, body: "draining\n" });
			assert.equal((await gateway.admin("/healthz")).status, 200);
			await gateway.refuses();

			await client.send("during");
			await client.expect("during");
			client.end();
			await client.rest();
			assert.equal(await gateway.exit(), 0);
			assert.equal((await gateway.sessionOf(client)).reason, "client_closed");
		},
	);
}

scenario(
	"what is left when the drain ends is closed as drained, and the exit is 0 all the same",
	async (scenario) => {
		const gateway = await startDraining(scenario, "300ms");
		const clients = [await dial(scenario, gateway.port()), await dial(scenario, gateway.port())];
		for (const client of clients) {
			await client.send("hello");
			await client.expect("hello");
		}
		gateway.child.signal("SIGTERM");
		for (const client of clients) await client.over();
		assert.equal(await gateway.exit(), 0);
		const sessions = await gateway.sessions(2);
		assert.deepEqual(
			sessions.map(({ reason }) => reason),
			["drained", "drained"],
		);
		assert.deepEqual(
			sessions.map(({ bytes_to_client }) => bytes_to_client),
			[5, 5],
		);
	},
);

scenario("without sessions, SIGTERM ends it at once", async (scenario) => {
	const gateway = await startDraining(scenario, "1h");
	gateway.child.signal("SIGTERM");
	assert.equal(await gateway.exit(), 0);
});

scenario("a second signal ends it at once, whatever is left", async (scenario) => {
	const gateway = await startDraining(scenario, "1h");
	const client = await dial(scenario, gateway.port());
	await client.send("hello");
	await client.expect("hello");
	gateway.child.signal("SIGTERM");
	await gateway.logged(({ message }) => message === "draining");
	gateway.child.signal("SIGTERM");
	assert.equal(await gateway.exit(), 130);
	await client.over();
});

scenario("a client that is still saying hello when the drain begins is served", async (scenario) => {
	const upstream = await startUpstream(scenario, echo);
	const gateway = await startGateway(
		scenario,
		`
listeners: [{ listen: 127.0.0.1:0, routes: [{ host: www.test, to: a }] }]
upstreams: { a: "${upstream.address}" }
`,
	);
	const request = "GET / HTTP/1.1\r\nHost: www.test\r\n\r\n";
	const client = await dial(scenario, gateway.port());
	await client.send(request.slice(0, 20));
	await gateway.metricIs("sluice_connections_active", (active) => active === 1);
	gateway.child.signal("SIGTERM");
	await gateway.logged(({ message }) => message === "draining");
	await gateway.refuses();
	client.end(request.slice(20));
	assert.equal(await client.rest(), request);
	assert.equal(await gateway.exit(), 0);
	assert.equal((await gateway.sessionOf(client)).reason, "client_closed");
});

scenario("signals that come as soon as it says that it is ready are heeded", async (scenario) => {
	// The moment is short, so it is tried several times.
	for (let round = 0; round < 8; round++) {
		const gateway = await startDraining(scenario, "1h");
		gateway.child.signal("SIGHUP");
		gateway.child.signal("SIGTERM");
		assert.equal(await gateway.exit(), 0, "ended by the signal itself");
	}
});

/** Kinds of addresses, and active health checks. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { freeAddress } from "../support/addresses.js";
import { type Gateway, startGateway } from "../support/gateway.js";
import { dial, echo, type Peer, startUpstream, Upstream } from "../support/peers.js";
import { type Scenario, scenario } from "../support/scenario.js";

async function echoed(scenario: Scenario, gateway: Gateway, host: string, listener = 0): Promise<Peer> {
	const client = await dial(scenario, gateway.port(listener), { host });
	client.end("hello");
	assert.equal(await client.rest(), "hello");
	return client;
}

scenario("a Unix socket is found by a path relative to the file", async (scenario) => {
	await startUpstream(scenario, echo, { path: join(scenario.directory, "app.sock") });
	const gateway = await startGateway(
		scenario,
		`
listeners: [{ listen: 127.0.0.1:0, routes: [{ to: a }] }]
upstreams: { a: "unix:app.sock" }
`,
	);
	const client = await echoed(scenario, gateway, "127.0.0.1");
	assert.equal((await gateway.sessionOf(client)).address, `unix:${join(scenario.directory, "app.sock")}`);
});

scenario("a Unix socket that nobody serves refuses", async (scenario) => {
	const gateway = await startGateway(
		scenario,
		`
listeners: [{ listen: 127.0.0.1:0, routes: [{ to: a }] }]
upstreams: { a: "unix:nobody.sock" }
`,
	);
	const client = await dial(scenario, gateway.port());
	await client.over();
	assert.equal((await gateway.onlySession()).reason, "connect_refused");
});

scenario(
	"a burst that is larger than a Unix socket's backlog waits its turn, as it would on TCP",
	async (scenario) => {
		const upstream = new Upstream(echo);
		await upstream.listen({ path: join(scenario.directory, "app.sock"), backlog: 1 });
		scenario.defer(() => upstream.close());
		const gateway = await startGateway(
			scenario,
			`
listeners: [{ listen: 127.0.0.1:0, routes: [{ protocol: other, to: a }] }]
upstreams: { a: "${upstream.address}" }
`,
		);
		const clients: Peer[] = [];
		for (let count = 0; count < 10; count++) clients.push(await dial(scenario, gateway.port()));
		for (const client of clients) client.end("hello, burst\r\n");
		// Nobody accepts meanwhile, because this thread is who would: the kernel answers EAGAIN to most dials.
		await new Promise((resolve) => setImmediate(resolve));
		Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
		for (const client of clients) assert.equal(await client.rest(), "hello, burst\r\n");
	},
);

scenario("a host name is resolved, localhost as well", async (scenario) => {
	const upstream = await startUpstream(scenario, echo);
	const gateway = await startGateway(
		scenario,
		`
listeners: [{ listen: 127.0.0.1:0, routes: [{ to: a }] }]
upstreams: { a: "localhost:${upstream.port}" }
`,
	);
	const client = await echoed(scenario, gateway, "127.0.0.1");
	assert.equal((await gateway.sessionOf(client)).address, upstream.address);
});

scenario(
	"IPv6 works on both sides",
	async (scenario) => {
		const upstream = await startUpstream(scenario, echo, { host: "::1" });
		const gateway = await startGateway(
			scenario,
			`
listeners:
  - listen: "[::1]:0"
    routes: [{ source: "::1/128", to: a }, { to: reject }]
upstreams: { a: "${upstream.address}" }
`,
		);
		const client = await echoed(scenario, gateway, "::1");
		const session = await gateway.sessionOf(client);
		assert.deepEqual([session.source, session.address], [client.name, upstream.address]);
		assert.match(session.source, /^\[::1\]:\d+$/);
	},
	{ needs: ["ipv6"] },
);

scenario(
	"a listener on every address takes IPv4 and IPv6, and calls an IPv4 client by its IPv4 address",
	async (scenario) => {
		const upstream = await startUpstream(scenario, echo);
		const gateway = await startGateway(
			scenario,
			`
listeners:
  - listen: "*:0"
    routes: [{ source: 127.0.0.0/8, to: a }, { source: "::1", to: a }]
upstreams: { a: "${upstream.address}" }
`,
		);
		const four = await echoed(scenario, gateway, "127.0.0.1");
		const six = await echoed(scenario, gateway, "::1");
		assert.equal((await gateway.sessionOf(four)).route, "source=127.0.0.0/8");
		assert.equal((await gateway.sessionOf(six)).route, "source=::1/128");
	},
	{ needs: ["ipv6"] },
);

scenario("health checks take a dead address out, and bring it back", async (scenario) => {
	const place = await freeAddress();
	const first = await startUpstream(scenario, echo, place);
	const gateway = await startGateway(
		scenario,
		`
listeners: [{ listen: 127.0.0.1:0, routes: [{ protocol: http, to: a }, { to: a }] }]
upstreams:
  a: { addresses: "${place.text}", health: { interval: 500ms, timeout: 500ms, fall: 2, rise: 2 } }
`,
	);
	const healthy = (expected: number) =>
		gateway.metricIs("sluice_upstream_healthy", (value) => value === expected, { address: place.text });
	await echoed(scenario, gateway, "127.0.0.1");
	await healthy(1);

	await first.close();
	const down = await gateway.logged(({ message }) => message === "an upstream address is down");
	assert.deepEqual(
		[down.level, down.address, /ECONNREFUSED/.test(String(down.error))],
		["warn", `a ${place.text}`, true],
	);
	await healthy(0);
	const client = await dial(scenario, gateway.port());
	client.socket.write("GET / HTTP/1.1\r\nHost: www.test\r\n\r\n");
	assert.match(await client.rest(), /^HTTP\/1\.1 503 Service Unavailable\r\n/);
	client.end();
	assert.equal((await gateway.sessionOf(client)).reason, "upstream_down");

	await startUpstream(scenario, echo, place);
	const up = await gateway.logged(({ message }) => message === "an upstream address is up");
	assert.equal(up.level, "info");
	await healthy(1);
	await echoed(scenario, gateway, "127.0.0.1");
});

scenario("a session that began before its address went down goes on", async (scenario) => {
	const place = await freeAddress();
	const upstream = await startUpstream(scenario, echo, place);
	const gateway = await startGateway(
		scenario,
		`
listeners: [{ listen: 127.0.0.1:0, routes: [{ to: a }] }]
upstreams:
  a: { addresses: "${place.text}", health: { interval: 500ms, timeout: 500ms, fall: 1, rise: 1 } }
`,
	);
	const client = await dial(scenario, gateway.port());
	await client.send("before");
	await client.expect("before");
	// It stops listening; its connections stay.
	upstream.server.close();
	await gateway.logged(({ message }) => message === "an upstream address is down");
	await client.send("after");
	await client.expect("after");
	client.end();
	await client.rest();
	assert.equal((await gateway.sessionOf(client)).reason, "client_closed");
});

/** Limits of a route and rates of a listener: who is beyond them is told so, and others are not concerned. */
import assert from "node:assert/strict";
import { startGateway } from "../support/gateway.js";
import { dial, echo, type Peer, startUpstream } from "../support/peers.js";
import { get, head, ok } from "../support/requests.js";
import { type Scenario, scenario } from "../support/scenario.js";

async function ssh(scenario: Scenario, port: number): Promise<Peer> {
	const client = await dial(scenario, port);
	await client.send("SSH-2.0-test\r\n");
	return client;
}

scenario("a route takes so many sessions at a time, and others take theirs", async (scenario) => {
	const upstream = await startUpstream(scenario, echo);
	const gateway = await startGateway(
		scenario,
		`
reactors: 2
listeners:
  - listen: 127.0.0.1:0
    routes: [{ protocol: ssh, to: a, connections: 2 }, { to: a }]
upstreams: { a: "${upstream.address}" }
`,
	);
	const first = await ssh(scenario, gateway.port());
	await first.expect("SSH-2.0-test\r\n");
	await (await ssh(scenario, gateway.port())).expect("SSH-2.0-test\r\n");
	for (let count = 0; count < 5; count++)
		assert.equal(await (await ssh(scenario, gateway.port())).over(), "ECONNRESET");
	const other = await dial(scenario, gateway.port());
	await other.send("\0\0\0\0\0");
	await other.expect("\0\0\0\0\0");
	first.end();
	await first.rest();
	const ended = await gateway.sessions(6);
	assert.equal(
		ended.filter(({ reason, route }) => reason === "limit_connections" && route === "protocol=ssh").length,
		5,
	);
	await (await ssh(scenario, gateway.port())).expect("SSH-2.0-test\r\n");
});

scenario("a route takes so many requests at a time, and answers 503 to others", async (scenario) => {
	const upstream = await startUpstream(scenario);
	const gateway = await startGateway(
		scenario,
		`
reactors: 1
listeners:
  - listen: 127.0.0.1:0
    routes: [{ path: /slow, to: a, connections: 1 }, { to: a }]
upstreams: { a: { http: "http://${upstream.address}" } }
`,
	);
	const first = await dial(scenario, gateway.port());
	await first.send(get("/slow"));
	const server = await upstream.accepted(0);
	await head(server);
	const second = await dial(scenario, gateway.port());
	await second.send(get("/slow"));
	await second.expect("HTTP/1.1 503 Service Unavailable\r\n");
	await server.send(ok("done"));
	assert.match(await head(first), /^HTTP\/1\.1 200 /);
	await first.expect("done");
	// Its connection is kept, and its place is not.
	const third = await dial(scenario, gateway.port());
	await third.send(get("/slow"));
	await head(server);
	await server.send(ok("more"));
	assert.match(await head(third), /^HTTP\/1\.1 200 /);
});

scenario("a route and a listener take so many sessions and requests in a second", async (scenario) => {
	const upstream = await startUpstream(scenario, echo);
	const gateway = await startGateway(
		scenario,
		`
reactors: 2
limits: { when_full: reset }
listeners:
  - { listen: 127.0.0.1:0, routes: [{ protocol: ssh, to: a, sessions_per_second: 3 }, { to: a }] }
  - { listen: 127.0.0.1:0, accepts_per_second: 3, routes: [{ to: a }] }
  - listen: 127.0.0.1:0
    requests_per_second: 5
    routes: [{ path: /few, to: { status: 200, body: few }, requests_per_second: 2 }, { to: { status: 200 } }]
upstreams: { a: "${upstream.address}" }
`,
	);
	/** Of twenty at once, so many are served: a second's worth, and what came in the time that they took. */
	const served = async (perSecond: number, one: () => Promise<boolean>): Promise<void> => {
		const startedMs = performance.now();
		const fates = await Promise.all(Array.from({ length: 20 }, one));
		const count = fates.filter((isServed) => isServed).length;
		const most = perSecond + (perSecond * (performance.now() - startedMs)) / 1_000 + 1;
		assert.ok(count >= perSecond && count <= most, `${count} of at most ${most}`);
	};
	await served(3, async () => {
		const client = await ssh(scenario, gateway.port(0));
		client.end();
		return (await client.over()) === "ended";
	});
	await served(3, async () => {
		const client = await dial(scenario, gateway.port(1)).catch(() => undefined);
		client?.end();
		return (await client?.over()) === "ended";
	});
	const ask = async (path: string): Promise<boolean> => {
		const client = await dial(scenario, gateway.port(2));
		client.end(get(path));
		return (await client.rest()).startsWith("HTTP/1.1 200 ");
	};
	await served(2, () => ask("/few"));
	const metrics = await gateway.metrics();
	assert.ok(metrics.sum("sluice_requests_refused_total", { reason: "limit_rate" }) >= 10);
	assert.ok(metrics.sum("sluice_sessions_closed_total", { reason: "limit_rate" }) >= 20);
});

/** 503: no server is up, or the gateway has nothing left to dial one with. */
import assert from "node:assert/strict";
import { startGateway } from "../support/gateway.js";
import { dial, startUpstream } from "../support/peers.js";
import { run } from "../support/processes.js";
import { answering, get, head, message, ok, requestsConfig, startRequests } from "../support/requests.js";
import { scenario } from "../support/scenario.js";

const UNAVAILABLE = /^HTTP\/1\.1 503 Service Unavailable\r\n/;

scenario("a server that its checks found down is 503, until it is back", async (scenario) => {
	const upstream = await startUpstream(scenario);
	const { port } = upstream;
	await upstream.close();
	const gateway = await startGateway(
		scenario,
		requestsConfig(upstream.address, {
			pool: "health: { interval: 500ms, timeout: 500ms, fall: 1, rise: 1 }",
		}),
	);
	await gateway.metricIs("sluice_upstream_healthy", (up) => up === 0);
	const client = await dial(scenario, gateway.port());
	client.socket.write(get("/", "a.test", "Connection: close\r\n"));
	assert.match(await client.rest(), UNAVAILABLE);
	client.end();
	assert.equal((await gateway.onlySession()).reason, "upstream_down");

	await startUpstream(
		scenario,
		answering(() => ok("back")),
		{ port },
	);
	await gateway.metricIs("sluice_upstream_healthy", (up) => up === 1);
	const later = await dial(scenario, gateway.port());
	await later.send(get("/"));
	assert.equal((await message(later)).body, "back");
	later.end();
	await later.rest();
});

scenario("an upstream that speaks no TLS where it should is 502", async (scenario) => {
	const upstream = await startUpstream(scenario, ({ socket }) => {
		socket.once("data", () => socket.end("220 mail.test\r\n"));
	});
	const gateway = await startGateway(
		scenario,
		requestsConfig(upstream.address).replace("http://", "https://"),
	);
	const client = await dial(scenario, gateway.port());
	await client.send(get("/"));
	assert.match((await message(client)).head, /^HTTP\/1\.1 502 /);
	client.end();
	await client.rest();
	assert.equal((await gateway.metrics()).sum("sluice_requests_refused_total", { reason: "tls_failed" }), 1);
});

scenario(
	"a request for which no descriptor is left is 503 and not cut off, and served when there are some again",
	async (scenario) => {
		const { gateway } = await startRequests(
			scenario,
			answering(() => ok("fine")),
		);
		const limit = async (descriptors: number): Promise<void> => {
			const pair = `--nofile=${descriptors}:`;
			const { status, output } = await run({ path: "prlimit" }, [pair, "--pid", String(gateway.pid)]);
			assert.equal(status, 0, output);
		};
		const most = (await gateway.metrics()).sum("process_max_fds");
		const client = await dial(scenario, gateway.port());
		await gateway.metricIs("sluice_connections_active", (count) => count === 1);
		await limit(3);
		await client.send(get("/"));
		assert.match(await head(client), UNAVAILABLE);
		client.end();
		assert.match(await client.rest(), /^no server/);
		await limit(most);
		assert.equal((await gateway.onlySession()).reason, "fd_pressure");
		const later = await dial(scenario, gateway.port());
		await later.send(get("/"));
		assert.equal((await message(later)).body, "fine");
		later.end();
		await later.rest();
	},
	{ needs: ["setpriv"] },
);

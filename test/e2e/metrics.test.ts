/** The admin port: every family that the reference names, and figures that add up. */
import assert from "node:assert/strict";
import { request } from "node:http";
import { FAMILIES } from "../../src/admin/families/families.js";
import { GUARD_FAMILIES } from "../../src/guard/counts.js";
import type { Families } from "../../src/parts/families.js";
import { type Gateway, startGateway } from "../support/gateway.js";
import { dial, echo, startUpstream } from "../support/peers.js";
import { type Scenario, scenario } from "../support/scenario.js";

async function startTwoListeners(scenario: Scenario): Promise<Gateway> {
	const upstream = await startUpstream(scenario, echo);
	return startGateway(
		scenario,
		`
timeouts: { handshake: 2s }
listeners:
  - listen: 127.0.0.1:0
    routes: [{ to: a }]
  - listen: 127.0.0.2:0
    routes: [{ host: www.test, to: a }, { host: no.test, to: reject }]
upstreams: { a: "${upstream.address}" }
`,
	);
}

scenario(
	"the families of the reference are there, and no others, each with the type that its name says",
	async (scenario) => {
		const gateway = await startTwoListeners(scenario);
		const { types } = await gateway.metrics();
		const families: Families = { ...FAMILIES, ...GUARD_FAMILIES };
		assert.deepEqual([...types.keys()], Object.keys(families));
		for (const [name, type] of types) {
			const expected = name.endsWith("_total")
				? "counter"
				: /_seconds$/.test(name) && !/start_time|timestamp|expiry|longest|rtt/.test(name)
					? "histogram"
					: "gauge";
			assert.deepEqual([type, families[name]?.type], [expected, expected], name);
		}
	},
);

scenario("what was opened, what is active and what was closed for which reason add up", async (scenario) => {
	const gateway = await startTwoListeners(scenario);
	const other = { host: "127.0.0.2" };
	const staying = [await dial(scenario, gateway.port(0)), await dial(scenario, gateway.port(0))];
	for (const client of staying) {
		await client.send("12345");
		await client.expect("12345");
	}
	const ending = await dial(scenario, gateway.port(0));
	ending.end("123");
	await ending.rest();
	const resetting = await dial(scenario, gateway.port(0));
	await resetting.send("1");
	await resetting.expect("1");
	resetting.reset();
	for (const host of ["www.test", "no.test", "none.test"]) {
		const client = await dial(scenario, gateway.port(1), other);
		client.end(`GET / HTTP/1.0\r\nHost: ${host}\r\n\r\n`);
		await client.over();
	}
	const silent = await dial(scenario, gateway.port(1), other);
	await silent.over();
	const broken = await dial(scenario, gateway.port(1), other);
	broken.end("GET / HTTP/1.1\r\n\r\n");
	await broken.over();

	const sessions = await gateway.sessions(7);
	const metrics = await gateway.metrics();
	const closed = (reason: string) => metrics.sum("sluice_sessions_closed_total", { reason });
	assert.deepEqual(
		["client_closed", "client_reset", "rejected", "no_route", "handshake_timeout", "bad_request"].map(closed),
		[2, 1, 1, 1, 1, 1],
	);
	assert.equal(metrics.sum("sluice_sessions_closed_total"), sessions.length);
	for (const listener of ["127.0.0.1:0", "127.0.0.2:0"]) {
		const sum = (name: string) => metrics.sum(name, { listener });
		assert.equal(
			sum("sluice_connections_total") - sum("sluice_sessions_closed_total"),
			sum("sluice_connections_active"),
		);
		const ended = sessions.filter((session) => session.listener === listener);
		assert.equal(sum("sluice_sessions_closed_total"), ended.length);
	}
	assert.equal(metrics.sum("sluice_connections_active"), staying.length);
	assert.equal(metrics.sum("sluice_reactor_sessions"), staying.length);
	assert.equal(metrics.sum("sluice_upstream_sessions"), staying.length);
	for (const kind of ["downstream", "upstream"]) {
		const opened = metrics.sum("sluice_descriptors_opened_total", { kind });
		assert.equal(opened - metrics.sum("sluice_descriptors_closed_total", { kind }), staying.length, kind);
	}
	assert.equal(metrics.sum("sluice_descriptors_opened_total", { kind: "downstream" }), 9);
	assert.equal(metrics.sum("sluice_descriptors_opened_total", { kind: "upstream" }), 5);

	const logged = (field: "bytes_from_client" | "bytes_to_client") =>
		sessions.reduce((total, session) => total + session[field], 0) + 5 * staying.length;
	assert.equal(metrics.sum("sluice_bytes_total", { direction: "from_client" }), logged("bytes_from_client"));
	assert.equal(metrics.sum("sluice_bytes_total", { direction: "to_client" }), logged("bytes_to_client"));
	assert.equal(metrics.sum("sluice_route_sessions_total", { route: "*" }), 4);
	assert.equal(metrics.sum("sluice_route_sessions_total", { route: "host=www.test" }), 1);
	assert.equal(metrics.sum("sluice_connect_seconds_count", { upstream: "a" }), 5);
	assert.equal(metrics.sum("sluice_connect_seconds_bucket", { upstream: "a", le: "+Inf" }), 5);
	assert.equal(metrics.sum("sluice_handshake_seconds_count"), 5);
	// Two that come in the same millisecond may count as one.
	for (const [listener, most] of [
		["127.0.0.1:0", 4],
		["127.0.0.2:0", 5],
	] as const) {
		const measured = metrics.sum("sluice_accept_wait_seconds_count", { listener });
		assert.ok(measured >= 1 && measured <= most, `${measured} of ${listener}`);
	}
	assert.equal(metrics.sum("sluice_buffered_bytes"), 0);
});

scenario("process_open_fds is what the kernel says", async (scenario) => {
	const gateway = await startTwoListeners(scenario);
	const fds = (await gateway.metrics()).sum("process_open_fds");
	// The connection that asked was one of them.
	await gateway.settled();
	assert.equal(fds, gateway.descriptors().length + 1);
});

scenario("the admin port answers what it knows, and refuses the rest", async (scenario) => {
	const gateway = await startTwoListeners(scenario);
	assert.deepEqual(await gateway.admin("/healthz"), { status: 200, body: "ok\n" });
	assert.deepEqual(await gateway.admin("/readyz"), { status: 200, body: "ready\n" });
	assert.equal((await gateway.admin("/")).status, 200);
	assert.equal((await gateway.admin("/none")).status, 404);
	const status = await new Promise<number | undefined>((resolve, reject) => {
		request({ port: gateway.adminPort, path: "/metrics", method: "POST", agent: false }, (response) => {
			response.resume();
			response.once("end", () => resolve(response.statusCode));
		})
			.once("error", reject)
			.end();
	});
	assert.equal(status, 405);
});

scenario("an admin request with a strange target is answered like any other", async (scenario) => {
	const gateway = await startTwoListeners(scenario);
	for (const target of ["/%zz", "*", "/?a=//[", "http://admin/healthz", "//", "///", "http://", "//["]) {
		const client = await dial(scenario, gateway.adminPort);
		client.end(`GET ${target} HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n\r\n`);
		assert.match(await client.rest(5_000), /^HTTP\/1\.1 [234]\d\d /, target);
	}
	assert.equal((await gateway.admin("/healthz")).status, 200);
});

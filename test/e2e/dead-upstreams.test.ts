/** What the default log and the metrics say of upstreams that do not answer. */
import assert from "node:assert/strict";
import { freeAddress } from "../support/addresses.js";
import { startGateway } from "../support/gateway.js";
import { dial, startUpstream } from "../support/peers.js";
import { answering, get, message, ok } from "../support/requests.js";
import { scenario } from "../support/scenario.js";

scenario(
	"a dead upstream is told once in the default log, counted by why, and when it is removed it is not up",
	async (scenario) => {
		const alive = await startUpstream(
			scenario,
			answering(() => ok("hello")),
		);
		const dead = await freeAddress();
		const config = (address: string) => `
reactors: 1
listeners:
  - listen: 127.0.0.1:0
    routes: [{ path: /alive, to: alive }, { to: dead }]
upstreams:
  alive: { http: "http://${alive.address}" }
  dead: { http: "http://${dead.text}" }
  checked: { addresses: "${address}", health: { interval: 100ms, fall: 1 } }
`;
		const gateway = await startGateway(scenario, config(dead.text));
		const client = await dial(scenario, gateway.port());
		await client.send(get("/alive"));
		assert.equal((await message(client)).body, "hello");
		for (let count = 0; count < 6; count++) {
			await client.send(get("/"));
			assert.match((await message(client)).head, /^HTTP\/1\.1 502 /);
		}
		const ejected = await gateway.logged(({ message }) =>
			message.startsWith("an upstream address is ejected"),
		);
		assert.deepEqual([ejected.level, ejected.address], ["warn", dead.text]);
		const failing = await gateway.logged(({ message }) => message === "requests to an upstream fail");
		const { upstream, requests, failures, by } = failing as unknown as Record<string, unknown>;
		assert.deepEqual([upstream, requests, failures, by], ["dead", 6, 6, { connect_refused: 6 }]);
		const metrics = await gateway.metrics();
		const count = (status: string, upstream: string) =>
			metrics.sum("sluice_upstream_requests_total", { status, upstream });
		assert.deepEqual([count("2xx", "alive"), count("5xx", "alive"), count("5xx", "dead")], [1, 0, 6]);
		assert.equal(metrics.sum("sluice_upstream_seconds_count", { upstream: "alive" }), 1);
		assert.equal(metrics.sum("sluice_upstream_seconds_count", { upstream: "dead" }), 0);
		assert.equal(
			metrics.sum("sluice_upstream_failures_total", { upstream: "dead", reason: "connect_refused" }),
			6,
		);
		assert.equal(metrics.sum("sluice_build_info"), 1);

		await gateway.logged(({ message }) => message === "an upstream address is down");
		gateway.write(config(alive.address));
		await gateway.hangUp();
		await gateway.logged(
			({ message, address }) =>
				message === "an upstream address that was down is checked no longer" &&
				address === `checked ${dead.text}`,
		);
		assert.ok(!gateway.log.some(({ message }) => message === "an upstream address is up"));
		const before = metrics.sum("sluice_reload_success_timestamp_seconds");
		const reloaded = await gateway.metrics();
		assert.equal(reloaded.sum("sluice_reload_success"), 1);
		assert.ok(reloaded.sum("sluice_reload_success_timestamp_seconds") > before);
		gateway.write("nothing: true\n");
		await gateway.hangUp();
		const failed = await gateway.metrics();
		assert.equal(failed.sum("sluice_reload_success"), 0);
		assert.equal(
			failed.sum("sluice_reload_success_timestamp_seconds"),
			reloaded.sum("sluice_reload_success_timestamp_seconds"),
		);
		client.end();
		await client.rest();
	},
);

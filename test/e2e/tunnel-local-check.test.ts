/** Tunnels whose agents look at their local services: visitors go to those that are up. */
import assert from "node:assert/strict";
import type { HealthConfig } from "../../src/config/config.js";
import { dial } from "../support/peers.js";
import { scenario } from "../support/scenario.js";
import { tunnelTo } from "../support/tunnel-agent.js";
import { startService, startTunnelled } from "../support/tunnelled.js";

const CHECK: HealthConfig = { intervalMs: 30, timeoutMs: 5_000, fall: 2, rise: 1, http: null };
const SHARED = { pair: "names: [app, ssh], shared: true" };

scenario("two agents share a name, and the one whose service is down gets no request", async (scenario) => {
	const { gateway, agent, ask } = await startTunnelled(scenario, SHARED);
	const [one, two] = [await startService(scenario, () => "one"), await startService(scenario, () => "two")];
	const http = { path: "/", host: "app.test", statuses: [{ from: 200, to: 299 }] };
	const agents = [one, two].map(({ address }) =>
		agent("pair", [tunnelTo("http", address, { localCheck: { ...CHECK, http } })]),
	);
	for (const each of agents) await each.next("tunnel_opened");
	const asked = async (): Promise<string[]> => {
		const answers: string[] = [];
		for (let count = 0; count < 8; count++) {
			const answer = await ask("app.tunnels.test");
			answers.push(answer.startsWith("HTTP/1.1 200 ") ? answer.slice(-3) : answer.slice(9, 12));
		}
		return [...new Set(answers)].sort();
	};
	const upOf = (count: number) => gateway.metricIs("sluice_tunnel_local_up", (up) => up === count);
	assert.deepEqual(await asked(), ["one", "two"]);
	await one.down();
	await upOf(1);
	assert.deepEqual(await asked(), ["two"]);
	const told = await gateway.logged(({ message }) => message === "the local service of a tunnel is down");
	assert.match(JSON.stringify(told), /"tunnel":"app","agent":"pair","why":"connect ECONNREFUSED/);
	const listed = await gateway.admin("/api/tunnels");
	assert.match(listed.body, /"state": "down",\s+"why": "connect ECONNREFUSED/);
	assert.match(
		(await gateway.admin("/api/upstreams")).body,
		/"state": "down",\s+"since": "[^"]+",\s+"why": "its agent says: connect ECONNREFUSED/,
	);
	await two.down();
	await upOf(0);
	assert.deepEqual(await asked(), ["503"]);
	const metrics = await gateway.metrics();
	assert.equal(metrics.sum("sluice_requests_refused_total", { reason: "upstream_down" }), 8);
	assert.equal(metrics.sum("sluice_tunnels", { state: "down" }), 2);
	await one.up();
	await upOf(1);
	assert.deepEqual(await asked(), ["one"]);
	await two.up();
	await upOf(2);
	assert.deepEqual(await asked(), ["one", "two"]);
});

scenario(
	"a service that is down from the start gets no visitor of its port, and the log says so",
	async (scenario) => {
		const { gateway, agent, tcpPort } = await startTunnelled(scenario, SHARED);
		const service = await startService(scenario, () => "here");
		await service.down();
		const running = agent("pair", [tunnelTo("tcp", service.address, { name: "ssh", localCheck: CHECK })]);
		await running.next("tunnel_opened");
		await gateway.metricIs("sluice_tunnels", (tunnels) => tunnels === 1, { state: "down" });
		const visitor = await dial(scenario, tcpPort);
		await visitor.over();
		assert.equal((await gateway.sessionOf(visitor)).reason, "upstream_down");
		assert.equal(
			(await gateway.metrics()).sum("sluice_tunnel_visitors_total", { reason: "upstream_down" }),
			1,
		);
		assert.ok(!running.events.some(({ event }) => event === "visitor_started"));
		await service.up();
		await gateway.metricIs("sluice_tunnels", (tunnels) => tunnels === 1, { state: "up" });
		const next = await dial(scenario, tcpPort);
		await next.send("GET / HTTP/1.0\r\n\r\n");
		assert.match(await next.rest(), /here$/);
		next.end();
	},
);

/** Who has said all gets `half_closed` for the answer, all of it, whatever other deadline was set before. */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { type Gateway, startGateway } from "../support/gateway.js";
import { dial, type Peer, startUpstream } from "../support/peers.js";
import { type Scenario, scenario } from "../support/scenario.js";

const HALF_CLOSED_MS = 4_000;

/** A session that has been silent for half the time after which it would be idle. */
async function startSilent(scenario: Scenario): Promise<{ gateway: Gateway; client: Peer; server: Peer }> {
	const upstream = await startUpstream(scenario);
	const gateway = await startGateway(
		scenario,
		`
timeouts: { idle: 3s, half_closed: ${HALF_CLOSED_MS}ms }
listeners: [{ listen: 127.0.0.1:0, routes: [{ to: a }] }]
upstreams: { a: "${upstream.address}" }
`,
	);
	const client = await dial(scenario, gateway.port());
	const server = await upstream.accepted();
	await client.send("question");
	await server.expect("question");
	await sleep(1_500);
	return { gateway, client, server };
}

for (const first of ["client", "upstream"] as const) {
	scenario(
		`an end of the ${first} after a silence leaves the other side the whole half_closed`,
		async (scenario) => {
			const { gateway, client, server } = await startSilent(scenario);
			const [ending, silent] = first === "client" ? [client, server] : [server, client];
			const endedMs = Date.now();
			ending.end();
			assert.equal(await silent.rest(), "");
			assert.equal(await ending.rest(), "");
			const session = await gateway.onlySession();
			assert.equal(session.reason, "half_closed_timeout");
			// Both clocks are rounded.
			const leftMs = Date.parse(session.closed) - endedMs;
			assert.ok(leftMs >= HALF_CLOSED_MS - 2, `${leftMs} ms`);
		},
	);
}

scenario("an answer that takes nearly the whole half_closed arrives", async (scenario) => {
	const { gateway, client, server } = await startSilent(scenario);
	client.end();
	assert.equal(await server.rest(), "");
	await sleep(2_800);
	server.end("answer");
	assert.equal(await client.rest(), "answer");
	assert.equal((await gateway.onlySession()).reason, "client_closed");
});

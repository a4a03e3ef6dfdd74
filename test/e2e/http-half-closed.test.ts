/** A client that ends its direction may still want its answer, or have left: it gets `half_closed`. */
import assert from "node:assert/strict";
import { dial } from "../support/peers.js";
import { get, head, message, ok, startRequests } from "../support/requests.js";
import { scenario } from "../support/scenario.js";

scenario("who ends while it waits for an answer gets it within half_closed", async (scenario) => {
	const { gateway, upstream } = await startRequests(scenario, () => {}, {
		sections: "timeouts: { half_closed: 5s }",
	});
	const client = await dial(scenario, gateway.port());
	await client.send(get("/"));
	client.end();
	const server = await upstream.accepted();
	await head(server);
	await server.send(ok("still here?"));
	assert.equal((await message(client)).body, "still here?");
	assert.equal(await client.rest(), "");
	assert.equal((await gateway.onlySession()).reason, "client_closed");
});

scenario(
	"who ends and gets no answer is given up after half_closed, not after response_head",
	async (scenario) => {
		const { gateway, upstream } = await startRequests(scenario, () => {}, {
			sections: "timeouts: { half_closed: 300ms, response_head: 1h, idle: 1h }",
		});
		const client = await dial(scenario, gateway.port());
		await client.send(get("/"));
		const server = await upstream.accepted();
		await head(server);
		const endedMs = Date.now();
		client.end();
		const { reason, closed } = await gateway.onlySession();
		assert.equal(reason, "half_closed_timeout");
		// Both clocks are rounded.
		const tookMs = Date.parse(closed) - endedMs;
		assert.ok(tookMs >= 298, `${tookMs} ms`);
		await client.over();
		await server.over();
		await gateway.metricIs("sluice_pool_active", (count) => count === 0);
	},
);

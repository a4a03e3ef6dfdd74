/** The tests' own ends must not mistake a reset for an end. */
import assert from "node:assert/strict";
import { dial, startUpstream } from "./peers.js";
import { scenario } from "./scenario.js";

scenario("a reset that comes together with the last bytes is a reset", async (scenario) => {
	const upstream = await startUpstream(scenario);
	const client = await dial(scenario, upstream.port);
	const server = await upstream.accepted();
	// In the same turn, so that the client's kernel has both before the client looks.
	server.socket.write("tail");
	server.reset();
	assert.equal(await client.over(), "ECONNRESET");
	assert.equal(client.received.toString(), "tail");
});

scenario("an end that comes together with the last bytes is an end", async (scenario) => {
	const upstream = await startUpstream(scenario);
	const client = await dial(scenario, upstream.port);
	const server = await upstream.accepted();
	server.end("tail");
	assert.equal(await client.over(), "ended");
	assert.equal(await client.rest(), "tail");
});

scenario("who waits at an end that the test has closed itself is told so at once", async (scenario) => {
	const upstream = await startUpstream(scenario);
	await dial(scenario, upstream.port);
	const server = await upstream.accepted();
	const waits = [server.take(1), server.rest(), server.over()];
	server.socket.destroy();
	for (const wait of waits) await assert.rejects(wait, /closed by the test itself/);
});

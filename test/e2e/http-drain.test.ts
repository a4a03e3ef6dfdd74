/** While the gateway drains, requests are finished, and connections are told that they end. */
import assert from "node:assert/strict";
import { dial } from "../support/peers.js";
import { answering, get, head, message, ok, startRequests, targetOf } from "../support/requests.js";
import { scenario } from "../support/scenario.js";

scenario(
	"idle connections are let go, and what is being answered ends with `Connection: close`",
	async (scenario) => {
		const { gateway, upstream } = await startRequests(scenario);
		const idle = await dial(scenario, gateway.port());
		await idle.send(get("/idle"));
		const server = await upstream.accepted();
		await head(server);
		await server.send(ok("fine"));
		await message(idle);
		const busy = await dial(scenario, gateway.port());
		await busy.send(get("/busy"));
		await head(server);
		gateway.child.signal("SIGTERM");
		assert.equal(await idle.rest(), "");
		idle.end();
		await server.send(ok("fine"));
		assert.match(await busy.rest(), /^HTTP\/1\.1 200 OK\r\n[\s\S]*Connection: close\r\n[\s\S]*fine$/);
		busy.end();
		const reasons = (await gateway.sessions(2)).map(({ reason }) => reason);
		assert.deepEqual(reasons, ["drained", "drained"]);
		assert.equal(await server.over(), "ended");
		assert.equal(await gateway.exit(), 0);
	},
);

scenario(
	"an answer whose head had gone before is finished, and nobody waits for keep_alive",
	async (scenario) => {
		const { gateway, upstream } = await startRequests(scenario);
		const client = await dial(scenario, gateway.port());
		await client.send(get("/"));
		const server = await upstream.accepted();
		await head(server);
		await server.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234");
		await head(client);
		await client.expect("01234");
		gateway.child.signal("SIGTERM");
		await gateway.refuses();
		await server.send("56789");
		await client.expect("56789");
		// Long before keep_alive, and before `drain`, which would be a reset.
		assert.equal(await client.rest(), "");
		client.end();
		assert.equal((await gateway.sessionOf(client)).reason, "drained");
		assert.equal(await gateway.exit(), 0);
	},
);

scenario("pipelined requests that came before are answered, the next one as the last", async (scenario) => {
	const { gateway, upstream } = await startRequests(scenario);
	const client = await dial(scenario, gateway.port());
	await client.send(get("/1") + get("/2"));
	const server = await upstream.accepted();
	await head(server);
	await server.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n/");
	await head(client);
	gateway.child.signal("SIGTERM");
	await gateway.refuses();
	await server.send("1");
	await client.expect("/1");
	const next = await upstream.accepted(1);
	assert.equal(targetOf(await head(next)), "/2");
	await next.send(ok("/2"));
	assert.match(await client.rest(), /\r\nConnection: close\r\n\r\n\/2$/);
	client.end();
	assert.equal(await gateway.exit(), 0);
});

scenario(
	"a request on its way when the drain begins is answered or its connection ended, never reset",
	async (scenario) => {
		for (let round = 0; round < 5; round++) {
			const { gateway } = await startRequests(
				scenario,
				answering(() => ok("fine")),
			);
			const client = await dial(scenario, gateway.port());
			await client.send(get("/"));
			await message(client);
			gateway.child.signal("SIGTERM");
			await client.send(get("/"));
			assert.match(await client.rest(), /^(HTTP\/1\.1 200 OK\r\n[\s\S]*\r\n\r\nfine)?$/);
			client.end();
			assert.equal(await gateway.exit(), 0);
		}
	},
);

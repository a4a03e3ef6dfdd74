/** Heads and bodies may be cut anywhere on their way: what waits in the kernel is always looked at. */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { dial } from "../support/peers.js";
import { answering, get, head, message, ok, startRequests, targetOf } from "../support/requests.js";
import { scenario } from "../support/scenario.js";

/** Long enough for the gateway to have read what was sent before. */
const APART_MS = 20;

scenario("a first head in two parts is served, and so is a shorter request behind it", async (scenario) => {
	const { gateway } = await startRequests(
		scenario,
		answering((text) => ok(targetOf(text))),
	);
	const client = await dial(scenario, gateway.port());
	const long = get("/long", "a.test", `X: ${"x".repeat(3_000)}\r\n`);
	await client.send(long.slice(0, 2_000));
	await sleep(APART_MS);
	await client.send(long.slice(2_000));
	assert.equal((await message(client)).body, "/long");
	await client.send(get("/"));
	assert.equal((await message(client)).body, "/");
	client.end();
	await client.rest();
});

scenario("a request that is sent byte by byte is served", async (scenario) => {
	const { gateway } = await startRequests(
		scenario,
		answering((text) => ok(targetOf(text))),
	);
	const client = await dial(scenario, gateway.port());
	client.socket.setNoDelay(true);
	for (const path of ["/first", "/second"]) {
		for (const byte of get(path)) await client.send(byte);
		assert.equal((await message(client)).body, path);
	}
	client.end();
	await client.rest();
});

scenario("a body that follows its head byte by byte arrives, its last byte as well", async (scenario) => {
	const { gateway, upstream } = await startRequests(scenario);
	const client = await dial(scenario, gateway.port());
	client.socket.setNoDelay(true);
	const posted = "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\n";
	await client.send(posted.slice(0, 10));
	await sleep(APART_MS);
	await client.send(posted.slice(10));
	const server = await upstream.accepted();
	await head(server);
	for (const byte of "bytes") {
		await client.send(byte);
		await server.expect(byte);
	}
	for (const byte of ok("answer")) await server.send(byte);
	assert.equal((await message(client)).body, "answer");
	client.end();
	await client.rest();
});

scenario("a first head that is longer than the receive buffer comes all the same", async (scenario) => {
	const { gateway } = await startRequests(
		scenario,
		answering((text) => ok(targetOf(text))),
		{ sections: "sockets: { receive_buffer: 4KiB }" },
	);
	for (const bytes of [6_000, 15_000]) {
		const client = await dial(scenario, gateway.port());
		for (const path of ["/first", "/second"]) {
			client.socket.write(get(path, "a.test", `X: ${"x".repeat(bytes)}\r\n`));
			assert.equal((await message(client)).body, path);
		}
		client.end();
		await client.rest();
	}
});

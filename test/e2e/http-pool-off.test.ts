/** `pool: off`: each request gets an upstream connection of its own, which is closed behind its answer. */
import assert from "node:assert/strict";
import type { Gateway } from "../support/gateway.js";
import { dial } from "../support/peers.js";
import {
	answering,
	get,
	head,
	message,
	ok,
	requestsConfig,
	startRequests,
	targetOf,
} from "../support/requests.js";
import { scenario } from "../support/scenario.js";

const OFF = { pool: "pool: off" };

async function countsNothing(gateway: Gateway): Promise<void> {
	const metrics = await gateway.metrics();
	for (const name of ["size", "active", "idle", "borrowed_total", "returned_total", "recycled_total"])
		assert.equal(metrics.sum(`sluice_pool_${name}`), 0, name);
}

scenario("each request has a connection, which ends behind its answer", async (scenario) => {
	const { gateway, upstream } = await startRequests(
		scenario,
		answering((text) => ok(targetOf(text))),
		OFF,
	);
	const client = await dial(scenario, gateway.port());
	for (let round = 0; round < 5; round++) {
		await client.send(get(`/${round}`));
		assert.equal((await message(client)).body, `/${round}`);
	}
	assert.equal(upstream.peers.length, 5);
	for (const peer of upstream.peers) await peer.over();
	await countsNothing(gateway);
	client.end();
	await client.rest();
});

scenario("a request that is cut by its client counts nothing either", async (scenario) => {
	const { gateway, upstream } = await startRequests(scenario, () => {}, OFF);
	const client = await dial(scenario, gateway.port());
	await client.send(get("/"));
	const server = await upstream.accepted();
	await head(server);
	client.reset();
	await server.over();
	assert.equal((await gateway.onlySession()).reason, "client_reset");
	await countsNothing(gateway);
});

scenario(
	"a connection that ends before its answer is 502, and the request is not repeated",
	async (scenario) => {
		const { gateway, upstream } = await startRequests(
			scenario,
			({ socket }) => {
				socket.once("data", () => socket.end());
			},
			OFF,
		);
		const client = await dial(scenario, gateway.port());
		await client.send(get("/"));
		assert.match((await message(client)).head, /^HTTP\/1\.1 502 /);
		assert.equal(upstream.peers.length, 1);
		client.end();
		await client.rest();
		await countsNothing(gateway);
	},
);

scenario("a WebSocket keeps its connection", async (scenario) => {
	const { gateway, upstream } = await startRequests(scenario, () => {}, OFF);
	const client = await dial(scenario, gateway.port());
	await client.send(
		get(
			"/chat",
			"a.test",
			"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n",
		),
	);
	const server = await upstream.accepted();
	await head(server);
	await server.send(
		"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
	);
	assert.match(await head(client), /^HTTP\/1\.1 101 /);
	await client.send("\x81\x80abcd");
	await server.expect("\x81\x80abcd");
	await server.send("\x81\x00");
	await client.expect("\x81\x00");
	client.end();
	await server.rest();
	server.end();
	await client.rest();
	await countsNothing(gateway);
});

scenario("a reload that turns it off has idle connections end, and lends none of them", async (scenario) => {
	const { gateway, upstream } = await startRequests(
		scenario,
		answering((text) => ok(targetOf(text))),
		{ pool: "pool: on" },
	);
	const client = await dial(scenario, gateway.port());
	await client.send(get("/1"));
	assert.equal((await message(client)).body, "/1");
	gateway.write(requestsConfig(upstream.address, OFF));
	assert.equal((await gateway.hangUp()).message, "reloaded");
	await upstream.peers[0]?.over();
	await client.send(get("/2"));
	assert.equal((await message(client)).body, "/2");
	assert.equal(upstream.peers.length, 2);
	await upstream.peers[1]?.over();
	client.end();
	await client.rest();
});

/** Framing goes on in the gateway's own words, and what it says in vain does no harm. */
import assert from "node:assert/strict";
import { dial } from "../support/peers.js";
import { answering, get, head, message, ok, startRequests } from "../support/requests.js";
import { scenario } from "../support/scenario.js";

const CHUNKED = "Host: a.test\r\nTransfer-Encoding:\tchunked\r\n";

scenario("trailers do not reach an upstream that was not said to read them", async (scenario) => {
	const { gateway, upstream } = await startRequests(scenario);
	const client = await dial(scenario, gateway.port());
	await client.send(
		`POST / HTTP/1.1\r\n${CHUNKED}\r\n05 ; a = b\r\nhello\r\n0\r\nGET: /slow HTTP/1.1\r\nX-Who: me\r\n\r\n`,
	);
	const server = await upstream.accepted();
	assert.match(await head(server), /\r\nTransfer-Encoding: chunked\r\n/);
	await server.expect("5\r\nhello\r\n0\r\n\r\n");
	await server.send(ok("first"));
	assert.equal((await message(client)).body, "first");
	// Nothing is left on it that could be taken for a request: it is lent again.
	await client.send(get("/next"));
	assert.match(await head(server), /^GET \/next /);
	await server.send(ok("next"));
	assert.equal((await message(client)).body, "next");
	client.end();
	await client.rest();
});

scenario("a connection that trailers went to is not lent again", async (scenario) => {
	const { gateway, upstream } = await startRequests(scenario, undefined, { pool: "trailers: on" });
	const client = await dial(scenario, gateway.port());
	await client.send(`POST / HTTP/1.1\r\n${CHUNKED}\r\n0\r\nGET:/slow HTTP/1.1\r\n\r\n`);
	const first = await upstream.accepted();
	await head(first);
	await first.expect("0\r\nGET: /slow HTTP/1.1\r\n\r\n");
	await first.send(ok("first"));
	assert.equal((await message(client)).body, "first");
	await client.send(get("/next"));
	const second = await upstream.accepted(1);
	await head(second);
	await second.send(ok("next"));
	assert.equal((await message(client)).body, "next");
	client.end();
	await client.rest();
});

scenario(
	"an answer without a body that says it has one is passed on without that, and its connection is not lent again",
	async (scenario) => {
		const { gateway, upstream } = await startRequests(scenario);
		const client = await dial(scenario, gateway.port());
		const sayings = ["Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "Content-Length: 5\r\n\r\nhello"];
		for (const [index, saying] of sayings.entries()) {
			await client.send(get("/"));
			const server = await upstream.accepted(index);
			await head(server);
			await server.send(`HTTP/1.1 204 No Content\r\n${saying}`);
			assert.equal(await head(client), "HTTP/1.1 204 No Content\r\n\r\n");
		}
		client.end();
		await client.rest();
	},
);

scenario("an upstream's connection is given up before its own time for it is over", async (scenario) => {
	const answer = answering((_, count) => ok(String(count), "Keep-Alive: timeout=0\r\n"));
	const { gateway, upstream } = await startRequests(scenario, answer);
	const client = await dial(scenario, gateway.port());
	for (let count = 0; count < 2; count++) {
		await client.send(get("/"));
		assert.equal((await message(client)).body, "0");
	}
	assert.equal(upstream.peers.length, 2);
	client.end();
	await client.rest();
});

scenario("the log says which rule a response broke", async (scenario) => {
	const { gateway } = await startRequests(
		scenario,
		answering(() => "HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\n"),
		{
			listener: "log_requests: all",
		},
	);
	const client = await dial(scenario, gateway.port());
	await client.send(get("/"));
	assert.match((await message(client)).head, /^HTTP\/1\.1 502 /);
	client.end();
	await gateway.onlySession();
	const line = gateway.log.find((entry) => entry.message === "request") as unknown as Record<string, unknown>;
	assert.deepEqual([line["reason"], line["cause"]], ["bad_response", "content_length"]);
});

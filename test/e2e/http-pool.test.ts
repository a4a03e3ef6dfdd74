/** Upstream connections are lent and given back, and replaced when they are stale, old, used up or idle. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import type { Gateway } from "../support/gateway.js";
import { dial, type Peer } from "../support/peers.js";
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
import { type Scenario, scenario } from "../support/scenario.js";

const POST = "POST /post HTTP/1.1\r\nHost: a.test\r\nContent-Length: 0\r\n\r\n";

/** Asks over a connection of its own, which goes on. */
async function ask(client: Peer, text: string): Promise<string> {
	await client.send(text);
	return (await message(client)).body;
}

function recycled(gateway: Gateway, reason: string): Promise<number> {
	return gateway.metricIs("sluice_pool_recycled_total", (count) => count === 1, { reason });
}

/** Answers with its target, except that a connection's second request finds it gone. */
async function startStale(scenario: Scenario) {
	return startRequests(scenario, (peer) => {
		answering((text, count) => {
			if (count > 0) peer.reset();
			return count > 0 ? "" : ok(targetOf(text));
		})(peer);
	});
}

scenario("clients share a connection one after the other", async (scenario) => {
	const { gateway, upstream } = await startRequests(
		scenario,
		answering((text) => ok(targetOf(text))),
	);
	for (let round = 0; round < 20; round++) {
		const client = await dial(scenario, gateway.port());
		assert.equal(await ask(client, get(`/${round}`)), `/${round}`);
		client.end();
		await client.rest();
	}
	assert.equal(upstream.peers.length, 1);
	const metrics = await gateway.metrics();
	assert.equal(metrics.sum("sluice_pool_borrowed_total"), 20);
	assert.equal(metrics.sum("sluice_pool_returned_total"), 20);
	assert.deepEqual([metrics.sum("sluice_pool_size"), metrics.sum("sluice_pool_idle")], [1, 1]);
	assert.equal(metrics.sum("sluice_requests_total", { status: "2xx", route: "*" }), 20);
	assert.equal(metrics.sum("sluice_request_seconds_count"), 20);
});

scenario(
	"a request that may be repeated is, once, when its pooled connection proves stale",
	async (scenario) => {
		const { gateway, upstream } = await startStale(scenario);
		const client = await dial(scenario, gateway.port());
		assert.equal(await ask(client, get("/1")), "/1");
		assert.equal(await ask(client, get("/2")), "/2");
		assert.equal(upstream.peers.length, 2);
		await recycled(gateway, "stale");
		client.end();
		await client.rest();
	},
);

scenario("a POST is not repeated: it may have been done", async (scenario) => {
	const { gateway, upstream } = await startStale(scenario);
	const client = await dial(scenario, gateway.port());
	assert.equal(await ask(client, get("/1")), "/1");
	await client.send(POST);
	assert.match((await message(client)).head, /^HTTP\/1\.1 502 /);
	client.end();
	await client.rest();
	assert.equal(upstream.peers.length, 1);
	const refused = (await gateway.metrics()).sum("sluice_requests_refused_total", {
		reason: "upstream_closed",
	});
	assert.equal(refused, 1);
});

scenario("a request is repeated once, not for ever", async (scenario) => {
	let connections = 0;
	const { gateway } = await startRequests(scenario, (peer) => {
		connections++;
		if (connections === 1)
			answering((text, count) => {
				if (count > 0) peer.reset();
				return ok(targetOf(text));
			})(peer);
		else peer.socket.once("data", () => peer.reset());
	});
	const client = await dial(scenario, gateway.port());
	await ask(client, get("/1"));
	await client.send(get("/2"));
	assert.match((await message(client)).head, /^HTTP\/1\.1 502 /);
	client.end();
	await client.rest();
	assert.equal(connections, 2);
});

scenario(
	"a connection that its upstream ends while idle is not lent again, not even to a POST",
	async (scenario) => {
		const { gateway, upstream } = await startRequests(
			scenario,
			answering((text) => ok(targetOf(text))),
		);
		const client = await dial(scenario, gateway.port());
		for (let round = 0; round < 10; round++) {
			assert.equal(await ask(client, POST), "/post");
			// The end is there before the next request, and may be news of the same turn.
			const server = await upstream.accepted(round);
			server.end();
			await once(server.socket, "finish");
		}
		assert.equal(upstream.peers.length, 10);
		client.end();
		await client.rest();
	},
);

scenario("a second answer to one request never reaches another client", async (scenario) => {
	const { gateway, upstream } = await startRequests(
		scenario,
		answering((text) => ok(targetOf(text)) + ok("of an attacker")),
	);
	for (let round = 0; round < 10; round++) {
		const client = await dial(scenario, gateway.port());
		assert.equal(await ask(client, get(`/${round}`)), `/${round}`);
		client.end();
		assert.equal(await client.rest(), "");
	}
	assert.equal(upstream.peers.length, 10);
	await gateway.metricIs("sluice_pool_idle", (count) => count === 0);
});

scenario("an answer that an idle connection utters is thrown away with it", async (scenario) => {
	const { gateway, upstream } = await startRequests(
		scenario,
		answering((text) => ok(targetOf(text))),
	);
	const client = await dial(scenario, gateway.port());
	for (let round = 0; round < 20; round++) {
		assert.equal(await ask(client, get(`/${round}`)), `/${round}`);
		// It and the next request are on their way at the same time.
		await upstream.peers[round]?.send(ok("of an attacker"));
	}
	assert.equal(upstream.peers.length, 20);
	client.end();
	await client.rest();
});

scenario("an upstream that speaks before it is asked answers at most one request", async (scenario) => {
	const { gateway, upstream } = await startRequests(scenario, (peer) => {
		peer.socket.write(ok("hasty"));
		answering((text) => ok(targetOf(text)))(peer);
	});
	for (let round = 0; round < 5; round++) {
		const client = await dial(scenario, gateway.port());
		// Whichever of the two came first: the other is never another request's.
		assert.match(await ask(client, get(`/${round}`)), new RegExp(`^(hasty|/${round})$`));
		client.end();
		await client.rest();
	}
	assert.ok(upstream.peers.length >= 4);
});

scenario("an upstream that refuses at once, without being asked, is heard", async (scenario) => {
	const { gateway } = await startRequests(scenario, (peer) =>
		peer.end("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\nConnection: close\r\n\r\nfull"),
	);
	const client = await dial(scenario, gateway.port());
	assert.equal(await ask(client, get("/")), "full");
	client.end();
	await client.rest();
});

scenario(
	"connections end by use, by age and by idleness, between requests and never during one",
	async (scenario) => {
		const cases = [
			["pool: { requests: 1 }", "requests"],
			["pool: { age: 100ms }", "age"],
			["pool: { idle: 100ms }", "idle"],
		] as const;
		for (const [pool, reason] of cases) {
			const { gateway, upstream } = await startRequests(scenario, () => {}, { pool });
			const client = await dial(scenario, gateway.port());
			await client.send(get("/"));
			const server = await upstream.accepted();
			await head(server);
			// Age and idleness have long passed when this is over.
			for (const part of ["HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", "01234"]) await server.send(part);
			await head(client);
			await client.expect("01234");
			await sleep(200);
			await server.send("56789");
			await client.expect("56789");
			await server.over();
			await recycled(gateway, reason);
			client.end();
			await client.rest();
			await gateway.release();
		}
	},
);

scenario("no more are kept than the pool may have", async (scenario) => {
	const { gateway, upstream } = await startRequests(scenario, () => {}, { pool: "pool: { connections: 2 }" });
	const clients: Peer[] = [];
	for (let index = 0; index < 5; index++) {
		const client = await dial(scenario, gateway.port());
		await client.send(get("/"));
		clients.push(client);
		await head(await upstream.accepted(index));
	}
	await gateway.metricIs("sluice_pool_active", (count) => count === 5);
	for (const server of upstream.peers) await server.send(ok("fine"));
	for (const client of clients) {
		assert.equal((await message(client)).body, "fine");
		client.end();
		await client.rest();
	}
	await gateway.metricIs("sluice_pool_idle", (count) => count === 2);
});

scenario(
	"a reload that takes an upstream away ends its idle connections, and not those in use",
	async (scenario) => {
		const { gateway, upstream } = await startRequests(scenario);
		const [one, two] = [await dial(scenario, gateway.port()), await dial(scenario, gateway.port())];
		await one.send(get("/"));
		const idle = await upstream.accepted(0);
		await head(idle);
		await two.send(get("/"));
		const used = await upstream.accepted(1);
		await head(used);
		await idle.send(ok("one"));
		assert.equal((await message(one)).body, "one");
		await gateway.metricIs("sluice_pool_idle", (count) => count === 1);
		gateway.write(requestsConfig("127.0.0.1:9"));
		assert.equal((await gateway.hangUp()).message, "reloaded");
		await idle.over();
		await used.send(ok("two"));
		assert.equal((await message(two)).body, "two");
		await used.over();
		await gateway.metricIs("sluice_pool_recycled_total", (count) => count === 2, { reason: "not_wanted" });
		// Neither is lent for the new one, which is closed.
		await one.send(get("/"));
		assert.match((await message(one)).head, /^HTTP\/1\.1 502 /);
		for (const peer of [one, two]) {
			peer.end();
			await peer.rest();
		}
	},
);

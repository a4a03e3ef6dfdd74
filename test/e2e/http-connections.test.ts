/** How long a client's connection lives between requests and amid them, and what upstreams learn of it. */
import assert from "node:assert/strict";
import { startGateway } from "../support/gateway.js";
import { dial, startUpstream } from "../support/peers.js";
import { answering, get, head, message, ok, startRequests, targetOf } from "../support/requests.js";
import { scenario } from "../support/scenario.js";

scenario("the last request that a connection may have is told so, and ends as recycled", async (scenario) => {
	const { gateway, upstream } = await startRequests(
		scenario,
		answering((text) => ok(targetOf(text))),
		{ sections: "limits: { requests_per_connection: 3 }" },
	);
	const client = await dial(scenario, gateway.port());
	await client.send([1, 2, 3, 4].map((n) => get(`/${n}`)).join(""));
	for (const path of ["/1", "/2"]) {
		const answer = await message(client);
		assert.equal(answer.body, path);
		assert.doesNotMatch(answer.head, /connection: close/i);
	}
	assert.match(await client.rest(), /\r\nConnection: close\r\n\r\n\/3$/);
	client.end();
	assert.equal((await gateway.onlySession()).reason, "recycled");
	assert.equal(upstream.peers.length, 1);
});

scenario("a connection that asks nothing more ends after keep_alive, as idle", async (scenario) => {
	const { gateway } = await startRequests(
		scenario,
		answering(() => ok("fine")),
		{ sections: "timeouts: { keep_alive: 200ms }" },
	);
	const client = await dial(scenario, gateway.port());
	await client.send(get("/"));
	await message(client);
	assert.equal(await client.rest(), "");
	client.end();
	assert.equal((await gateway.onlySession()).reason, "idle_timeout");
});

scenario("a body that drips more slowly than it may is 408, and one in time is not", async (scenario) => {
	const { gateway, upstream } = await startRequests(scenario);
	const [slow, fast] = [await dial(scenario, gateway.port()), await dial(scenario, gateway.port())];
	const clients = [slow, fast];
	for (const client of clients) {
		client.socket.on("error", () => {});
		await client.send("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1000000\r\n\r\n");
	}
	const drip = setInterval(() => {
		slow.socket.write("x".repeat(50));
		fast.socket.write("x".repeat(500));
	}, 100);
	scenario.defer(() => clearInterval(drip));
	assert.match((await message(slow)).head, /^HTTP\/1\.1 408 /);
	clearInterval(drip);
	slow.end();
	// Its drops may still be on their way when the second that it had to hear this is over.
	assert.match(await slow.over(), /^(ended|EPIPE|ECONNRESET)$/);
	assert.equal((await gateway.sessionOf(slow)).reason, "request_timeout");
	assert.equal(fast.ended, false);
	fast.reset();
	for (const server of upstream.peers) await server.over();
	assert.equal((await gateway.sessionOf(fast)).reason, "client_reset");
});

scenario(
	"HTTP/1.0 closes by default, stays on demand, and an answer without a length ends with it",
	async (scenario) => {
		const { gateway, upstream } = await startRequests(scenario);
		const client = await dial(scenario, gateway.port());
		await client.send("GET /1 HTTP/1.0\r\nHost: a.test\r\nConnection: keep-alive\r\n\r\n");
		const server = await upstream.accepted();
		assert.match(await head(server), /^GET \/1 HTTP\/1\.1\r\n/);
		await server.send("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: keep-alive\r\n\r\none");
		const first = await message(client);
		assert.equal(first.body, "one");
		assert.match(first.head, /\r\nConnection: keep-alive\r\n/);
		await client.send("GET /2 HTTP/1.0\r\nHost: a.test\r\nConnection: keep-alive\r\n\r\n");
		await head(server);
		server.end("HTTP/1.0 200 OK\r\n\r\nuntil the end");
		assert.match(await client.rest(), /^HTTP\/1\.1 200 OK\r\nConnection: close\r\n\r\nuntil the end$/);
		client.end();
		assert.equal((await gateway.onlySession()).reason, "upstream_closed");
	},
);

scenario(
	"fields of one connection go no further, and a stranger's word about its origin is dropped",
	async (scenario) => {
		const stranger = [
			"Connection: keep-alive, X-Private",
			"X-Private: secret",
			"Keep-Alive: timeout=5",
			"TE: trailers",
			"Proxy-Connection: keep-alive",
			"Upgrade: h2c",
			"X-Forwarded-For: 10.1.1.1",
			"X-Forwarded-Proto: https",
			"X-Forwarded-Host: bank.example",
			"Forwarded: for=10.1.1.1",
			"X-Kept: yes",
		];
		for (const [listener, source] of [
			["", "127.0.0.1"],
			["forwarded_trusted: [127.0.0.0/8]", "10.1.1.1, 127.0.0.1"],
		] as const) {
			const { gateway, upstream } = await startRequests(scenario, () => {}, { listener });
			const client = await dial(scenario, gateway.port());
			await client.send(get("/", "a.test", `${stranger.join("\r\n")}\r\n`));
			const server = await upstream.accepted();
			const asked = await head(server);
			assert.doesNotMatch(asked, /private|secret|keep-alive|proxy-connection|upgrade|\nte:/i);
			assert.match(asked, /\r\nX-Kept: yes\r\n/);
			assert.match(asked, new RegExp(`\\r\\nX-Forwarded-For: ${source}\\r\\n`));
			assert.match(
				asked,
				listener === "" ? /\r\nX-Forwarded-Proto: http\r\n/ : /\r\nX-Forwarded-Proto: https\r\n/,
			);
			const before = listener === "" ? "" : "for=10\\.1\\.1\\.1, ";
			assert.match(
				asked,
				new RegExp(`\\r\\nForwarded: ${before}for=127\\.0\\.0\\.1;proto=http;host="a\\.test"\\r\\n`),
			);
			assert.equal(/bank\.example/.test(asked), listener !== "");
			await server.send(ok("fine", "Connection: X-Theirs\r\nX-Theirs: secret\r\nKeep-Alive: timeout=9\r\n"));
			assert.doesNotMatch((await message(client)).head, /theirs|secret|keep-alive/i);
			client.end();
			await client.rest();
			await gateway.release();
		}
	},
);

scenario("each request takes the route of its own host and path", async (scenario) => {
	const names = ["api", "health", "site"];
	const addresses: string[] = [];
	for (const name of names) {
		const { address } = await startUpstream(
			scenario,
			answering((text) => ok(`${name} ${targetOf(text)}`)),
		);
		addresses.push(`${name}: { http: "http://${address}" }`);
	}
	const gateway = await startGateway(
		scenario,
		`
listeners:
  - listen: 127.0.0.1:0
    routes:
      - { host: a.test, path: /api/, to: api }
      - { path: /healthz, to: health }
      - { host: a.test, to: site }
upstreams: { ${addresses.join(", ")} }
`,
	);
	const client = await dial(scenario, gateway.port());
	const cases = [
		["/api/x?y", "api"],
		["/api", "site"],
		["/healthz", "health"],
		["/healthz?deep", "health"],
		["/healthz/", "site"],
		["http://a.test/api/", "api"],
	] as const;
	for (const [target, name] of cases) {
		await client.send(get(target));
		assert.equal((await message(client)).body.split(" ")[0], name, target);
	}
	await client.send(get("/", "b.test"));
	assert.match((await message(client)).head, /^HTTP\/1\.1 404 /);
	client.end();
	await client.rest();
});

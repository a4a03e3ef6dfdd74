/** 100-continue and other interim responses: RFC 9110, 10.1.1 and 15.2. */
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { startGateway } from "../support/gateway.js";
import { dial } from "../support/peers.js";
import { run } from "../support/processes.js";
import { get, head, listening, message, ok, requestsConfig, startRequests } from "../support/requests.js";
import { scenario } from "../support/scenario.js";

const EXPECTING = "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n";

scenario("100 reaches the client, which sends its body then, and the answer follows", async (scenario) => {
	const { gateway, upstream } = await startRequests(scenario);
	const client = await dial(scenario, gateway.port());
	await client.send(EXPECTING);
	const server = await upstream.accepted();
	assert.match(await head(server), /\r\nExpect: 100-continue\r\n/);
	await server.send("HTTP/1.1 100 Continue\r\n\r\n");
	assert.match(await head(client), /^HTTP\/1\.1 100 Continue\r\n/);
	await client.send("body");
	await server.expect("body");
	await server.send(ok("fine"));
	assert.equal((await message(client)).body, "fine");
	client.end();
	await client.rest();
});

scenario("who waits to be asked for its body is not too slow, however long that takes", async (scenario) => {
	// The rate of a body is judged after ten seconds; the answer's deadline passes before, and decides.
	const { gateway, upstream } = await startRequests(scenario, () => {}, {
		sections: "timeouts: { response_head: 300ms }",
	});
	const client = await dial(scenario, gateway.port());
	await client.send(EXPECTING);
	await head(await upstream.accepted());
	assert.match(await client.rest(), /^HTTP\/1\.1 504 /);
	client.end();
	assert.equal((await gateway.onlySession()).reason, "response_timeout");
});

scenario("a refusal instead of 100 is passed on, and the connection ends with it", async (scenario) => {
	const { gateway, upstream } = await startRequests(scenario);
	const client = await dial(scenario, gateway.port());
	await client.send(EXPECTING);
	const server = await upstream.accepted();
	await head(server);
	await server.send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n");
	// The body may come or not, so what comes next would be either.
	assert.match(await client.rest(), /^HTTP\/1\.1 413 [\s\S]*\r\nConnection: close\r\n\r\n$/);
	client.end();
	assert.equal(await server.over(), "ended");
	assert.equal((await gateway.onlySession()).reason, "upstream_closed");
	await gateway.metricIs("sluice_pool_idle", (count) => count === 0);
});

scenario("several interim responses are passed on in order; HTTP/1.0 hears none", async (scenario) => {
	const hints = "HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n";
	const { gateway } = await startRequests(scenario, ({ socket }) =>
		socket.on("data", () => socket.write(`${hints}HTTP/1.1 102 Processing\r\n\r\n${hints}${ok("fine")}`)),
	);
	const client = await dial(scenario, gateway.port());
	await client.send(get("/"));
	for (const status of [103, 102, 103])
		assert.match(await head(client), new RegExp(`^HTTP/1\\.1 ${status} `));
	assert.equal((await message(client)).body, "fine");
	client.end();
	await client.rest();
	const old = await dial(scenario, gateway.port());
	await old.send("GET / HTTP/1.0\r\nHost: a.test\r\n\r\n");
	assert.match(await old.rest(), /^HTTP\/1\.1 200 OK\r\n/);
	old.end();
});

scenario(
	"curl uploads with 100-continue, and in chunks",
	async (scenario) => {
		const address = await listening(
			scenario,
			createServer((request, response) => {
				let bytes = 0;
				request.on("data", (block: Buffer) => {
					bytes += block.length;
				});
				request.on("end", () => response.end(`${bytes} ${request.headers["transfer-encoding"] ?? "length"}`));
			}),
		);
		const gateway = await startGateway(scenario, requestsConfig(address));
		const url = `http://127.0.0.1:${gateway.port()}/`;
		const upload = ["-q", "-sS", "--data-binary", "@/proc/self/exe", "-H", "Expect: 100-continue"];
		for (const extra of [[], ["-H", "Transfer-Encoding: chunked"]]) {
			const { status, output } = await run("curl", [...upload, ...extra, url]);
			assert.equal(status, 0, output);
			assert.match(output, extra.length > 0 ? /^\d{5,} chunked$/ : /^\d{5,} length$/);
		}
	},
	{ needs: ["curl"] },
);

/** What the gateway answers itself: short, honest, and framed as the request demands. */
import assert from "node:assert/strict";
import { startGateway } from "../support/gateway.js";
import { dial, startUpstream } from "../support/peers.js";
import { answering, get, message, ok, requestsConfig, startRequests } from "../support/requests.js";
import { type Scenario, scenario } from "../support/scenario.js";

/** The last request of its connection. */
const LAST = get("/", "a.test", "Connection: close\r\n");

/** Sends a request, which need not be one, and returns the whole answer. The connection ends with it. */
async function ask(scenario: Scenario, port: number, text: string): Promise<string> {
	const client = await dial(scenario, port);
	client.socket.write(text);
	const answer = await client.rest();
	client.end();
	return answer;
}

scenario("each fault of a head has its status, in a first request and in a later one", async (scenario) => {
	const { gateway, upstream } = await startRequests(
		scenario,
		answering(() => ok("fine")),
	);
	const faults: readonly [status: number, text: string][] = [
		[400, "GET / HTTP/1.1\r\n\r\n"],
		[400, "GET / HTTP/1.1\r\nHost: a.test\r\nHost: b.test\r\n\r\n"],
		[400, "GET / HTTP/1.1\nHost: a.test\n\n"],
		[400, "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"],
		[431, get("/", "a.test", `X: ${"x".repeat(17_000)}\r\n`)],
		[414, get(`/${"x".repeat(17_000)}`)],
		[505, "GET / HTTP/3.0\r\nHost: a.test\r\n\r\n"],
		[405, "TRACE / HTTP/1.1\r\nHost: a.test\r\n\r\n"],
		[400, "OPTIONS / HTTP/1.1\r\nHost: a.test\r\nMax-Forwards: x\r\n\r\n"],
	];
	for (const [status, text] of faults) {
		assert.match(await ask(scenario, gateway.port(), text), new RegExp(`^HTTP/1\\.1 ${status} `));
		const client = await dial(scenario, gateway.port());
		await client.send(get("/"));
		await message(client);
		client.socket.write(text);
		assert.match(await client.rest(), new RegExp(`^HTTP/1\\.1 ${status} `), text.slice(0, 50));
		client.end();
	}
	for (const { reason } of await gateway.sessions(2 * faults.length)) assert.equal(reason, "bad_request");
	assert.equal(
		(await gateway.metrics()).sum("sluice_bad_requests_total"),
		2 * faults.length,
		"each is counted by its cause",
	);
	assert.equal(upstream.peers.length, 1);
});

scenario("OPTIONS goes on as often as it may, and is answered here when it may not", async (scenario) => {
	const { gateway } = await startRequests(
		scenario,
		answering((asked) => ok(/^Max-Forwards: .*$/m.exec(asked)?.[0] ?? "none")),
		{ listener: "log_requests: all" },
	);
	const client = await dial(scenario, gateway.port());
	const options = async (fields: string) => {
		await client.send(`OPTIONS * HTTP/1.1\r\nHost: a.test\r\n${fields}\r\n`);
		return await message(client);
	};
	assert.match((await options("Max-Forwards: 0\r\n")).head, /^HTTP\/1\.1 200 OK\r\n[\s\S]*\r\nAllow: GET, /);
	assert.equal((await options("Max-Forwards: 1\r\n")).body, "Max-Forwards: 0");
	assert.equal((await options("")).body, "none");
	assert.equal((await options("Connection: Max-Forwards\r\nMax-Forwards: 0\r\n")).body, "none");
	client.end();
	const line = await gateway.logged(({ message }) => message === "request");
	const { status, answered_by, reason } = line as unknown as Record<string, unknown>;
	assert.deepEqual([status, answered_by, reason], [200, "sluice", null]);
});

scenario("HEAD gets the head of an answer and no body, whoever answers", async (scenario) => {
	const upstream = await startUpstream(
		scenario,
		answering(() => "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"),
	);
	const closed = await startUpstream(scenario);
	await closed.close();
	const gateway = await startGateway(
		scenario,
		`
listeners:
  - listen: 127.0.0.1:0
    routes:
      - { host: a.test, to: a }
      - { host: closed.test, to: closed }
      - { host: forbidden.test, to: reject }
upstreams:
  a: { http: "http://${upstream.address}" }
  closed: { http: "http://${closed.address}" }
`,
	);
	const asked = (host: string) => `HEAD / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;
	for (const [host, status] of [
		["a.test", 200],
		["closed.test", 502],
		["forbidden.test", 403],
		["unknown.test", 404],
	] as const) {
		const answer = await ask(scenario, gateway.port(), asked(host));
		assert.match(answer, new RegExp(`^HTTP/1\\.1 ${status} [\\s\\S]*\r\n\r\n$`), host);
		assert.match(answer, /\r\nContent-Length: [1-9]/, host);
	}
});

scenario("an upstream that refuses is 502", async (scenario) => {
	const upstream = await startUpstream(scenario);
	await upstream.close();
	const gateway = await startGateway(scenario, requestsConfig(upstream.address));
	assert.match(await ask(scenario, gateway.port(), LAST), /^HTTP\/1\.1 502 /);
	assert.equal((await gateway.onlySession()).reason, "connect_refused");
});

scenario(
	"an upstream that ends before its answer, or amid its head, is 502 and never half an answer",
	async (scenario) => {
		for (const [said, reason] of [
			["", "upstream_closed"],
			["HTTP/1.1 200 O", "bad_response"],
			["HTTP/1.1 200 OK\r\nContent-Length: 5\r\n", "bad_response"],
			["HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", "bad_response"],
			["SSH-2.0-OpenSSH_9.2\r\n", "bad_response"],
			["HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", "bad_response"],
		] as const) {
			const { gateway } = await startRequests(scenario, ({ socket }) =>
				socket.once("data", () => socket.end(said)),
			);
			assert.match(await ask(scenario, gateway.port(), LAST), /^HTTP\/1\.1 502 [\s\S]*\r\n\r\n.+\n$/, said);
			assert.equal((await gateway.onlySession()).reason, reason, said);
			await gateway.metricIs("sluice_pool_active", (count) => count === 0);
			await gateway.release();
		}
	},
);

scenario("an upstream that does not begin to answer in time is 504", async (scenario) => {
	const { gateway } = await startRequests(scenario, () => {}, {
		sections: "timeouts: { response_head: 200ms }",
	});
	const posted = "POST / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\nContent-Length: 4\r\n\r\nbody";
	for (const text of [LAST, posted])
		assert.match(await ask(scenario, gateway.port(), text), /^HTTP\/1\.1 504 /);
	for (const { reason } of await gateway.sessions(2)) assert.equal(reason, "response_timeout");
});

scenario("a later head that is not whole in time is 408, however its bytes drip", async (scenario) => {
	const { gateway } = await startRequests(
		scenario,
		answering(() => ok("fine")),
		{ sections: "timeouts: { request_head: 300ms }" },
	);
	const client = await dial(scenario, gateway.port());
	await client.send(get("/"));
	await message(client);
	client.socket.write("GET / HTTP/1.1\r\nX: ");
	const drip = setInterval(() => client.socket.write("x"), 50);
	scenario.defer(() => clearInterval(drip));
	assert.match((await message(client)).head, /^HTTP\/1\.1 408 /);
	clearInterval(drip);
	// It had not heard yet when it said this: no reset destroys the answer.
	await client.send("x");
	client.end("x");
	assert.equal(await client.over(), "ended");
	assert.equal((await gateway.onlySession()).reason, "request_timeout");
});

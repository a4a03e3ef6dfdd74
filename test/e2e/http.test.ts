/** HTTP in the clear: the first request's host decides, and the connection stays where it went. */
import assert from "node:assert/strict";
import { Agent, createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { type Gateway, startGateway } from "../support/gateway.js";
import { dial, echo, startUpstream } from "../support/peers.js";
import { run } from "../support/processes.js";
import { type Scenario, scenario } from "../support/scenario.js";

/** A web server that says its name, which host it was asked for, and for what. */
async function startWeb(scenario: Scenario, name: string): Promise<string> {
	const server = createServer((incoming, response) => {
		let body = "";
		incoming.setEncoding("utf8").on("data", (text: string) => {
			body += text;
		});
		incoming.on("end", () =>
			response.end(`${name} ${incoming.headers.host} ${incoming.url} ${body}`.trimEnd()),
		);
	});
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	scenario.defer(() => {
		server.closeAllConnections();
		return new Promise((resolve) => server.close(resolve));
	});
	return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function startTwoSites(scenario: Scenario): Promise<Gateway> {
	const one = await startWeb(scenario, "one");
	const two = await startWeb(scenario, "two");
	return startGateway(
		scenario,
		`
listeners:
  - listen: 127.0.0.1:0
    routes:
      - { host: one.test, to: one }
      - { host: "*.two.test", to: two }
upstreams: { one: "${one}", two: "${two}" }
`,
	);
}

function ask(port: number, host: string, agent: Agent): Promise<string> {
	return new Promise((resolve, reject) => {
		const asking = request({ port, agent, headers: { host }, path: "/page" }, (response) => {
			let body = "";
			response.setEncoding("utf8").on("data", (text: string) => {
				body += text;
			});
			response.on("end", () => resolve(body));
		});
		asking.on("error", reject);
		asking.end();
	});
}

scenario(
	"curl reaches the upstream of the host it asks for, with GET and with a body",
	async (scenario) => {
		const gateway = await startTwoSites(scenario);
		const to = (host: string) => ["-q", "-sS", "--connect-to", `${host}:80:127.0.0.1:${gateway.port()}`];
		const curl = async (...args: string[]): Promise<string> => {
			const { status, output } = await run("curl", args);
			assert.equal(status, 0, output);
			return output;
		};
		assert.equal(await curl(...to("one.test"), "http://one.test/a?b"), "one one.test /a?b");
		assert.equal(await curl(...to("x.y.two.test"), "http://x.y.two.test/"), "two x.y.two.test /");
		assert.equal(await curl(...to("ONE.test"), "http://ONE.test/"), "one ONE.test /");
		assert.equal(
			await curl(...to("one.test"), "--data", "hello", "http://one.test/"),
			"one one.test / hello",
		);
		assert.equal(await curl(...to("one.test"), "--http1.0", "http://one.test/"), "one one.test /");
		// A proxy's form of request: the target names the host, and counts before the header.
		const proxied = ["-q", "-sS", "--proxy", `http://127.0.0.1:${gateway.port()}`];
		assert.match(await curl(...proxied, "http://one.test/absolute"), /^one one\.test .*\/absolute$/);
		for (const session of await gateway.sessions(6)) {
			assert.equal(session.protocol, "http");
			assert.equal(session.name, session.upstream === "one" ? "one.test" : "x.y.two.test");
		}
	},
	{ needs: ["curl"] },
);

scenario("the target's authority counts before the Host header", async (scenario) => {
	const gateway = await startTwoSites(scenario);
	const client = await dial(scenario, gateway.port());
	client.end("GET http://one.test/ HTTP/1.1\r\nHost: a.two.test\r\nConnection: close\r\n\r\n");
	assert.match(await client.rest(), /one a\.two\.test /);
	assert.equal((await gateway.onlySession()).name, "one.test");
});

scenario(
	"a kept connection stays with the route of its first request, whatever later ones ask for",
	async (scenario) => {
		const gateway = await startTwoSites(scenario);
		const agent = new Agent({ keepAlive: true, maxSockets: 1 });
		scenario.defer(() => agent.destroy());
		assert.equal(await ask(gateway.port(), "one.test", agent), "one one.test /page");
		assert.equal(await ask(gateway.port(), "one.test", agent), "one one.test /page");
		assert.equal(await ask(gateway.port(), "a.two.test", agent), "one a.two.test /page");
		agent.destroy();
		const session = await gateway.onlySession();
		assert.deepEqual([session.name, session.route], ["one.test", "host=one.test"]);
		assert.ok(["client_closed", "client_reset"].includes(session.reason), session.reason);
	},
);

scenario("a request whose head arrives in two parts is routed when it is whole", async (scenario) => {
	const gateway = await startTwoSites(scenario);
	const client = await dial(scenario, gateway.port());
	await client.send("GET / HTTP/1.1\r\nUser-Agent: split\r\nHo");
	await client.send("st: one.test\r\nConnection: close\r\n\r\n");
	assert.match(await client.rest(), /\r\n\r\n(?:[0-9a-f]+\r\n)?one one\.test \//);
});

scenario("a WebSocket stays open after its upgrade, and carries bytes both ways", async (scenario) => {
	const server = createServer();
	server.on("upgrade", (_, socket) => {
		scenario.defer(() => socket.destroy());
		socket.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
		socket.pipe(socket);
	});
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	scenario.defer(() => new Promise((resolve) => server.close(resolve)));
	const gateway = await startGateway(
		scenario,
		`
listeners:
  - listen: 127.0.0.1:0
    routes: [{ host: ws.test, to: ws }]
upstreams: { ws: "127.0.0.1:${(server.address() as AddressInfo).port}" }
`,
	);
	const client = await dial(scenario, gateway.port());
	const key = "dGhlIHNhbXBsZSBub25jZQ==";
	await client.send(
		`GET /chat HTTP/1.1\r\nHost: ws.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: ${key}\r\nSec-WebSocket-Version: 13\r\n\r\n`,
	);
	await client.expect(
		"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
	);
	// Masked frames: whatever they hold, here they are bytes.
	for (const frame of ["\x81\x85abcd12345", "\x82\x80abcd"]) {
		await client.send(frame);
		await client.expect(frame);
	}
	client.end();
	await client.rest();
	assert.equal((await gateway.onlySession()).upstream, "ws");
});

scenario(
	"requests that RFC 9112 forbids are refused, although a route takes everything",
	async (scenario) => {
		const upstream = await startUpstream(scenario, echo);
		const gateway = await startGateway(
			scenario,
			`
listeners:
  - listen: 127.0.0.1:0
    routes:
      - { host: one.test, to: all }
      - { to: all }
upstreams: { all: "${upstream.address}" }
`,
		);
		const bad = [
			"GET / HTTP/1.1\r\n\r\n",
			"GET / HTTP/1.1\r\nHost: one.test\r\nHost: two.test\r\n\r\n",
			"GET / HTTP/1.1\r\nHost : one.test\r\n\r\n",
			"GET / HTTP/1.1\r\nHost: one.test\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
			"GET / HTTP/3.0\r\nHost: one.test\r\n\r\n",
			`GET / HTTP/1.1\r\nHost: one.test\r\nX: ${"x".repeat(20_000)}\r\n\r\n`,
		];
		for (const text of bad) {
			const client = await dial(scenario, gateway.port());
			client.socket.write(text);
			assert.match(await client.rest(), /^HTTP\/1\.1 400 Bad Request\r\n/);
			client.end();
		}
		for (const { reason, upstream: dialled } of await gateway.sessions(bad.length))
			assert.deepEqual([reason, dialled], ["bad_request", null]);
		assert.equal(upstream.peers.length, 0);
	},
);

scenario("a host without a route is not found, and closed as no_route", async (scenario) => {
	const gateway = await startTwoSites(scenario);
	const client = await dial(scenario, gateway.port());
	client.socket.write("GET / HTTP/1.1\r\nHost: three.test\r\n\r\n");
	assert.match(await client.rest(), /^HTTP\/1\.1 404 Not Found\r\n/);
	client.end();
	const session = await gateway.onlySession();
	assert.deepEqual([session.reason, session.name, session.route], ["no_route", "three.test", null]);
});

scenario("a refused upload is told why, although most of it is still on its way", async (scenario) => {
	const gateway = await startTwoSites(scenario);
	// Unread bytes turn a close into a reset, which can destroy the answer before it is read: RFC 9112, 9.6.
	for (const bytes of [1_000, 200_000, 3_000_000]) {
		for (let round = 0; round < 5; round++) {
			const client = await dial(scenario, gateway.port());
			client.socket.write(`POST / HTTP/1.1\r\nHost: three.test\r\nContent-Length: ${bytes}\r\n\r\n`);
			client.socket.write(Buffer.alloc(bytes));
			assert.match(await client.rest(), /^HTTP\/1\.1 404 Not Found\r\n/, `${bytes} bytes, round ${round}`);
			client.end();
		}
	}
	await gateway.sessions(15);
});

scenario("a request that does not come in time is told so", async (scenario) => {
	const gateway = await startGateway(
		scenario,
		`
timeouts: { handshake: 200ms }
listeners:
  - listen: 127.0.0.1:0
    routes: [{ host: one.test, to: reject }]
`,
	);
	const client = await dial(scenario, gateway.port());
	client.socket.write("GET / HTTP/1.1\r\nHost: one.te");
	assert.match(await client.rest(), /^HTTP\/1\.1 408 Request Timeout\r\n/);
	client.end();
	assert.equal((await gateway.onlySession()).reason, "handshake_timeout");
});

scenario("a route to reject forbids, and the log says which route it was", async (scenario) => {
	const gateway = await startGateway(
		scenario,
		`
listeners:
  - listen: 127.0.0.1:0
    routes: [{ host: one.test, to: reject }]
`,
	);
	const client = await dial(scenario, gateway.port());
	client.socket.write("GET / HTTP/1.1\r\nHost: one.test\r\n\r\n");
	assert.match(await client.rest(), /^HTTP\/1\.1 403 Forbidden\r\n/);
	client.end();
	const session = await gateway.onlySession();
	assert.deepEqual([session.reason, session.route, session.upstream], ["rejected", "host=one.test", null]);
});

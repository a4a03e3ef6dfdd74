/** Pipelined requests are routed one by one and answered in order, whatever their hosts. */
import assert from "node:assert/strict";
import { startGateway } from "../support/gateway.js";
import { dial, echo, startUpstream } from "../support/peers.js";
import { answering, get, head, message, ok, startRequests, targetOf } from "../support/requests.js";
import { scenario } from "../support/scenario.js";

const REQUESTS = 50;

scenario("fifty requests in one write, over two hosts, are answered in order", async (scenario) => {
	const one = await startUpstream(
		scenario,
		answering((text) => ok(`one ${targetOf(text)}`)),
	);
	const two = await startUpstream(
		scenario,
		answering((text) => ok(`two ${targetOf(text)}`)),
	);
	const gateway = await startGateway(
		scenario,
		`
listeners:
  - listen: 127.0.0.1:0
    routes: [{ host: one.test, to: one }, { host: two.test, to: two }]
upstreams: { one: { http: "http://${one.address}" }, two: { http: "http://${two.address}" } }
`,
	);
	const client = await dial(scenario, gateway.port());
	const hosts = Array.from({ length: REQUESTS }, (_, index) => (index % 3 === 0 ? "one" : "two"));
	client.socket.write(hosts.map((host, index) => get(`/${index}`, `${host}.test`)).join(""));
	for (const [index, host] of hosts.entries())
		assert.equal((await message(client)).body, `${host} /${index}`);
	client.end();
	await client.rest();
	assert.equal((await gateway.onlySession()).reason, "client_closed");
	assert.equal(one.peers.length + two.peers.length, 2);
});

scenario(
	"requests with bodies may be pipelined, and a body is never taken for a request",
	async (scenario) => {
		const { gateway } = await startRequests(scenario, ({ socket }) => {
			// Answers bodies of 29 bytes with what they say.
			let text = "";
			socket.on("data", (bytes: Buffer) => {
				text += bytes.toString("latin1");
				for (let end = text.indexOf("\r\n\r\n"); end >= 0; end = text.indexOf("\r\n\r\n")) {
					const body = text.slice(end + 4, end + 4 + SMUGGLED.length);
					if (body.length < SMUGGLED.length) return;
					text = text.slice(end + 4 + SMUGGLED.length);
					socket.write(ok(body));
				}
			});
			socket.once("end", () => socket.end());
		});
		const SMUGGLED = get("/admin");
		const client = await dial(scenario, gateway.port());
		const post = `POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: ${SMUGGLED.length}\r\n\r\n${SMUGGLED}`;
		client.socket.write(post.repeat(3));
		for (let round = 0; round < 3; round++) assert.equal((await message(client)).body, SMUGGLED);
		client.end();
		await client.rest();
	},
);

scenario("a client that ends behind its last request gets all its answers", async (scenario) => {
	const { gateway } = await startRequests(
		scenario,
		answering((text) => ok(targetOf(text))),
	);
	const client = await dial(scenario, gateway.port());
	client.end(get("/1") + get("/2") + get("/3"));
	for (const path of ["/1", "/2", "/3"]) assert.equal((await message(client)).body, path);
	assert.equal(await client.rest(), "");
	assert.equal((await gateway.onlySession()).reason, "client_closed");
});

scenario(
	"a client that ends behind a request with `Connection: close` gets a whole answer",
	async (scenario) => {
		const body = "x".repeat(3_000_000);
		const { gateway } = await startRequests(
			scenario,
			answering(() => ok(body)),
		);
		for (let round = 0; round < 5; round++) {
			const client = await dial(scenario, gateway.port());
			client.end(get("/", "a.test", "Connection: close\r\n"));
			assert.match(await head(client), /\r\nConnection: close\r\n/);
			assert.equal((await client.rest()).length, body.length);
		}
		await gateway.sessions(5);
	},
);

scenario(
	"a later request for an upstream of bytes turns the connection into a relayed one",
	async (scenario) => {
		const web = await startUpstream(
			scenario,
			answering(() => ok("web")),
		);
		const bytes = await startUpstream(scenario, echo);
		const gateway = await startGateway(
			scenario,
			`
listeners:
  - listen: 127.0.0.1:0
    routes: [{ path: /raw, to: bytes }, { to: web }]
upstreams: { web: { http: "http://${web.address}" }, bytes: "${bytes.address}" }
`,
		);
		const client = await dial(scenario, gateway.port());
		const raw = `${get("/raw")}and what is no HTTP at all\r\n`;
		client.socket.write(get("/") + raw);
		assert.equal((await message(client)).body, "web");
		await client.expect(raw);
		await client.send("more");
		await client.expect("more");
		client.end();
		await client.rest();
		const session = await gateway.onlySession();
		assert.equal(session.upstream, "bytes");
		assert.ok(session.bytes_from_client > raw.length + 4, "bytes of the earlier request count, too");
	},
);

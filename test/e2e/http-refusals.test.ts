/** A connection goes on behind an answer of the gateway's own, where nothing on it is in doubt. */
import assert from "node:assert/strict";
import { Agent, request } from "node:http";
import { type Gateway, startGateway } from "../support/gateway.js";
import { dial, startUpstream, type Upstream } from "../support/peers.js";
import { answering, get, head, message, ok, targetOf } from "../support/requests.js";
import { type Scenario, scenario } from "../support/scenario.js";

interface Started {
	readonly gateway: Gateway;
	/** Answers GET with its path; says nothing to anybody else. */
	readonly upstream: Upstream;
}

interface Options {
	/** Top-level sections before the listeners. */
	readonly sections?: string;
	/** For how long an answer of `silent` is awaited; all others have as much time as a busy machine takes. */
	readonly patience?: string;
}

/** Hosts that are answered: `a`. By the gateway: `closed`, `silent`, `broken`, `forbidden`, and all others. */
async function start(
	scenario: Scenario,
	{ sections = "", patience = "250ms" }: Options = {},
): Promise<Started> {
	const upstream = await startUpstream(
		scenario,
		answering((text) => (text.startsWith("GET") ? ok(targetOf(text)) : "")),
	);
	const closed = await startUpstream(scenario);
	await closed.close();
	const silent = await startUpstream(scenario);
	const broken = await startUpstream(scenario, ({ socket }) =>
		socket.once("data", () => socket.end("HTTP/9")),
	);
	const gateway = await startGateway(
		scenario,
		`
reactors: 1
${sections}
listeners:
  - listen: 127.0.0.1:0
    routes:
      - { host: a.test, to: a }
      - { host: closed.test, to: closed }
      - { host: silent.test, to: silent }
      - { host: broken.test, to: broken }
      - { host: forbidden.test, to: reject }
upstreams:
  a: { http: "http://${upstream.address}" }
  closed: { http: "http://${closed.address}" }
  silent: { http: "http://${silent.address}", timeouts: { response_head: ${patience} } }
  broken: { http: "http://${broken.address}" }
`,
	);
	return { gateway, upstream };
}

const REFUSED = [
	["unknown.test", 404, "no_route"],
	["forbidden.test", 403, "rejected"],
	["closed.test", 502, "connect_refused"],
	["broken.test", 502, "bad_response"],
	["silent.test", 504, "response_timeout"],
] as const;

const DONE = "Connection: close\r\n";

scenario("refusals and answers take turns on one connection, one after the other", async (scenario) => {
	const { gateway } = await start(scenario);
	const client = await dial(scenario, gateway.port());
	for (const [host, status] of REFUSED) {
		await client.send(get("/before"));
		assert.equal((await message(client)).body, "/before");
		await client.send(get("/", host));
		const refusal = await message(client);
		assert.match(refusal.head, new RegExp(`^HTTP/1\\.1 ${status} `));
		assert.doesNotMatch(refusal.head, /\r\nConnection:/i);
		assert.match(refusal.body, /^[^\n]+\n$/);
	}
	client.end();
	assert.equal(await client.rest(), "");
	assert.equal((await gateway.onlySession()).reason, "client_closed");
	const metrics = await gateway.metrics();
	for (const [, , reason] of REFUSED)
		assert.equal(metrics.sum("sluice_requests_refused_total", { reason }), 1);
	await gateway.metricIs("sluice_pool_active", (count) => count === 0);
});

scenario(
	"pipelined requests are answered in order, whoever answers, and HEAD without a body",
	async (scenario) => {
		const { gateway } = await start(scenario);
		const asked = REFUSED.flatMap(([host]) => [
			get("/", host),
			get("/a"),
			get("/", host).replace("GET", "HEAD"),
			get("/b"),
		]);
		const talk = async (): Promise<void> => {
			const client = await dial(scenario, gateway.port());
			client.socket.write(asked.join("") + get("/last", "a.test", DONE));
			for (const [, status] of REFUSED) {
				const line = new RegExp(`^HTTP/1\\.1 ${status} `);
				assert.match((await message(client)).head, line);
				assert.equal((await message(client)).body, "/a");
				assert.match(await head(client), line);
				assert.equal((await message(client)).body, "/b");
			}
			assert.match(await client.rest(), /^HTTP\/1\.1 200 [\s\S]*\/last$/);
			client.end();
		};
		// One after the other, each finds connections to upstreams that another has left; at once, each finds its own.
		await talk();
		await Promise.all([talk(), talk()]);
		await gateway.sessions(3);
	},
);

scenario(
	"a client that ends right behind a refused request gets its answer, and no reset",
	async (scenario) => {
		const { gateway } = await start(scenario);
		for (const [host, status] of REFUSED) {
			const client = await dial(scenario, gateway.port());
			client.end(get("/", host));
			assert.match(await client.rest(), new RegExp(`^HTTP/1\\.1 ${status} [\\s\\S]*\n$`));
		}
		await gateway.sessions(REFUSED.length);
	},
);

scenario(
	"whoever says that it is the last, or speaks HTTP/1.0, is closed with its reason",
	async (scenario) => {
		const { gateway } = await start(scenario);
		const ask = async (text: string, status: number, why: string): Promise<void> => {
			const client = await dial(scenario, gateway.port());
			client.socket.write(text);
			const answer = await client.rest();
			assert.match(answer, new RegExp(`^HTTP/1\\.1 ${status} [\\s\\S]*\r\nConnection: close\r\n`));
			client.end();
			assert.equal((await gateway.sessionOf(client)).reason, why);
		};
		await Promise.all(
			REFUSED.flatMap(([host, status, why]) => {
				const old = `GET / HTTP/1.0\r\nHost: ${host}\r\nConnection: keep-alive\r\n\r\n`;
				return [get("/", host, DONE), old].map((text) => ask(text, status, why));
			}),
		);
		assert.equal(gateway.ended.length, 2 * REFUSED.length);
	},
);

scenario("a body that was not read ends the connection: what follows may be part of it", async (scenario) => {
	const { gateway, upstream } = await start(scenario);
	const inner = get("/smuggled");
	const ask = async (host: string, framing: string, status: number, why: string): Promise<void> => {
		const client = await dial(scenario, gateway.port());
		client.socket.write(`POST / HTTP/1.1\r\nHost: ${host}\r\n${framing}\r\n\r\n`);
		const answer = await head(client);
		assert.match(answer, new RegExp(`^HTTP/1\\.1 ${status} [\\s\\S]*\r\nConnection: close\r\n`), framing);
		client.socket.write(inner);
		assert.doesNotMatch(await client.rest(), /HTTP/);
		client.end();
		assert.equal((await gateway.sessionOf(client)).reason, why);
	};
	await Promise.all(
		REFUSED.flatMap(([host, status, why]) => {
			// Nothing is waited for longer than the rate of a body is, except when the client waits to be asked.
			const waits = "Content-Length: 9\r\nExpect: 100-continue";
			const framings = ["Content-Length: 1000", "Transfer-Encoding: chunked", waits];
			return (status === 504 ? [waits] : framings).map((framing) => ask(host, framing, status, why));
		}),
	);
	assert.equal(upstream.peers.length, 0);
});

scenario(
	"a body that was read to its end does not: behind a 504, the next request is served",
	async (scenario) => {
		const { gateway } = await start(scenario);
		const client = await dial(scenario, gateway.port());
		for (const body of [
			"Content-Length: 4\r\n\r\nbody",
			"Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
		]) {
			await client.send(`POST / HTTP/1.1\r\nHost: silent.test\r\n${body}${get("/next")}`);
			assert.match((await message(client)).head, /^HTTP\/1\.1 504 /);
			assert.equal((await message(client)).body, "/next");
		}
		client.end();
		await client.rest();
		assert.equal(
			(await gateway.metrics()).sum("sluice_requests_refused_total", { reason: "response_timeout" }),
			2,
		);
	},
);

scenario("a connection has its number of requests, refused ones included", async (scenario) => {
	const { gateway } = await start(scenario, { sections: "limits: { requests_per_connection: 3 }" });
	const client = await dial(scenario, gateway.port());
	client.socket.write(get("/", "unknown.test").repeat(5));
	const answers = (await client.rest()).split(/(?=HTTP\/1\.1 )/);
	assert.equal(answers.length, 3);
	assert.match(answers[2] ?? "", /\r\nConnection: close\r\n/);
	client.end();
});

scenario("Node's own client goes on with the connection that was refused a request", async (scenario) => {
	const { gateway } = await start(scenario);
	const agent = new Agent({ keepAlive: true, maxSockets: 1 });
	scenario.defer(() => agent.destroy());
	const ports = new Set<number | undefined>();
	for (const host of ["a.test", "unknown.test", "a.test", "forbidden.test", "closed.test", "a.test"]) {
		const status = await new Promise<number>((resolve, reject) => {
			const asking = request({ port: gateway.port(), agent, headers: { host } }, (response) => {
				ports.add(asking.socket?.localPort);
				response.resume().on("end", () => resolve(response.statusCode ?? 0));
			});
			asking.on("error", reject);
			asking.end();
		});
		assert.equal(status, { "a.test": 200, "unknown.test": 404, "forbidden.test": 403 }[host] ?? 502);
	}
	assert.equal(ports.size, 1);
	agent.destroy();
	await gateway.sessions(1);
});

// The last one: it ends the gateway that the others have shared.
scenario("a drain ends the connection with the refusal", async (scenario) => {
	// The drain must have begun by then.
	const { gateway } = await start(scenario, { patience: "2s" });
	const client = await dial(scenario, gateway.port());
	await client.send(get("/", "silent.test"));
	await gateway.metricIs("sluice_pool_active", (count) => count === 1);
	gateway.child.signal("SIGTERM");
	assert.match(await client.rest(), /^HTTP\/1\.1 504 [\s\S]*\r\nConnection: close\r\n/);
	client.end();
	assert.equal(await gateway.exit(), 0);
});

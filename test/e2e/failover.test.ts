/** Addresses that refuse or are silent: the client does not notice while another one answers, and is told when none does. */
import assert from "node:assert/strict";
import { createServer } from "node:https";
import { freeAddress } from "../support/addresses.js";
import { openBlackhole } from "../support/blackhole.js";
import { startGateway } from "../support/gateway.js";
import { dial, echo, sayName, startUpstream } from "../support/peers.js";
import { answering, get, listening, message, ok, targetOf } from "../support/requests.js";
import { scenario } from "../support/scenario.js";
import { identity } from "../support/tls.js";

const REQUEST = "GET / HTTP/1.1\r\nHost: www.test\r\n\r\n";

scenario("when an address refuses, the next one is used and the client notices nothing", async (scenario) => {
	const good = await startUpstream(scenario, echo);
	const refusing = await freeAddress();
	const gateway = await startGateway(
		scenario,
		`
listeners: [{ listen: 127.0.0.1:0, routes: [{ to: a }] }]
upstreams:
  a: { addresses: ["${refusing.text}", "${good.address}"], eject: { failures: 1000, for: 1s } }
`,
	);
	const rounds = 8;
	for (let round = 0; round < rounds; round++) {
		const client = await dial(scenario, gateway.port());
		client.end("hello");
		assert.equal(await client.rest(), "hello");
	}
	for (const { address, reason } of await gateway.sessions(rounds))
		assert.deepEqual([address, reason], [good.address, "client_closed"]);
	const metrics = await gateway.metrics();
	assert.ok(metrics.sum("sluice_dial_retries_total") > 0);
	assert.equal(metrics.sum("sluice_upstream_ejections_total"), 0);
	assert.equal(metrics.sum("sluice_upstream_sessions"), 0);
});

scenario("an address that refuses costs only those sessions a try whose turn it is", async (scenario) => {
	const good = await startUpstream(scenario, echo);
	const refusing = await freeAddress();
	const gateway = await startGateway(
		scenario,
		`
reactors: 1
listeners: [{ listen: 127.0.0.1:0, routes: [{ to: a }] }]
upstreams:
  a: { addresses: ["${refusing.text}", "${good.address}"], eject: { failures: 1000, for: 1s } }
`,
	);
	const rounds = 10;
	for (let round = 0; round < rounds; round++) {
		const client = await dial(scenario, gateway.port());
		client.end("hello");
		assert.equal(await client.rest(), "hello");
	}
	assert.equal((await gateway.metrics()).sum("sluice_dial_retries_total"), rounds / 2);
});

scenario("an address that keeps refusing is passed over for a while, then tried again", async (scenario) => {
	const good = await startUpstream(scenario, sayName("good"));
	const place = await freeAddress();
	const gateway = await startGateway(
		scenario,
		`
reactors: 1
listeners: [{ listen: 127.0.0.1:0, routes: [{ to: a }] }]
upstreams:
  a: { addresses: ["${place.text}", "${good.address}"], eject: { failures: 2, for: 1s } }
`,
	);
	const ask = async (): Promise<string> => {
		const client = await dial(scenario, gateway.port());
		client.end("?");
		return client.rest();
	};
	while ((await gateway.metrics()).sum("sluice_upstream_ejections_total") === 0)
		assert.equal(await ask(), "good");
	const healthy = { upstream: "a", address: place.text };
	assert.equal((await gateway.metrics()).sum("sluice_upstream_healthy", healthy), 0);
	const retries = (await gateway.metrics()).sum("sluice_dial_retries_total");
	for (let round = 0; round < 4; round++) assert.equal(await ask(), "good");
	assert.equal((await gateway.metrics()).sum("sluice_dial_retries_total"), retries);

	await startUpstream(scenario, sayName("back"), place);
	await gateway.metricIs("sluice_upstream_healthy", (value) => value === 1, healthy);
	const answers = [await ask(), await ask(), await ask(), await ask()];
	assert.deepEqual(answers.sort(), ["back", "back", "good", "good"]);
});

scenario(
	"an address whose health path answers badly gets no request until it answers well again",
	async (scenario) => {
		let status = 500;
		const asked: string[] = [];
		const serve = (name: string, health: () => number) =>
			answering((head) => {
				if (targetOf(head) !== "/healthz") return ok(name);
				asked.push(`${name} ${/^host: (.*)\r$/im.exec(head)?.[1]}`);
				return `HTTP/1.1 ${health()} X\r\nContent-Length: 0\r\n\r\n`;
			});
		const good = await startUpstream(
			scenario,
			serve("good", () => 204),
		);
		const ill = await startUpstream(
			scenario,
			serve("ill", () => status),
		);
		const yaml = (health: string): string => `
reactors: 1
listeners: [{ listen: 127.0.0.1:0, routes: [{ to: a }] }]
upstreams:
  a:
    http: ["http://${good.address}", "http://${ill.address}"]
    health: ${health}
`;
		// Without checks at its beginning and end: the descriptors that it holds then are compared.
		const gateway = await startGateway(scenario, yaml("off"));
		gateway.write(yaml("{ path: /healthz, status: 204, interval: 1s, fall: 1, rise: 1 }"));
		await gateway.hangUp();
		const ask = async (): Promise<string> => {
			const client = await dial(scenario, gateway.port());
			await client.send(get("/"));
			const { body } = await message(client);
			client.end();
			return body;
		};
		const down = await gateway.logged((line) => line.message === "an upstream address is down");
		assert.deepEqual([down.address, down.error], [`a ${ill.address}`, "answered 500"]);
		for (let round = 0; round < 4; round++) assert.equal(await ask(), "good");

		status = 204;
		await gateway.logged((line) => line.message === "an upstream address is up");
		assert.deepEqual([...new Set(asked)].sort(), [`good ${good.address}`, `ill ${good.address}`]);
		assert.deepEqual([await ask(), await ask()].sort(), ["good", "ill"]);
		const checks = (await gateway.metrics()).sum("sluice_descriptors_opened_total", { kind: "check" });
		assert.ok(checks >= asked.length - 2, `${checks} checks in the ledger, ${asked.length} asked`);
		gateway.write(yaml("off"));
		await gateway.hangUp();
	},
);

scenario("an upstream that speaks TLS is asked for its health through TLS", async (scenario) => {
	const certificate = identity(scenario, "app.test");
	let status = 503;
	const server = createServer({ cert: certificate.cert.text, key: certificate.key.text }, (_, response) => {
		response.statusCode = status;
		response.end("so it is");
	});
	const address = await listening(scenario, server);
	const yaml = (tls: string, health: string): string => `
reactors: 1
listeners: [{ listen: 127.0.0.1:0, routes: [{ to: a }] }]
upstreams:
  a: { http: "https://${address}", tls: { ${tls} }, health: ${health} }
`;
	const trusting = `ca: ${certificate.certFile}, server_name: app.test`;
	const asking = "{ path: /healthz, interval: 1s, fall: 1, rise: 1 }";
	const gateway = await startGateway(scenario, yaml(trusting, "off"));
	gateway.write(yaml(trusting, asking));
	await gateway.hangUp();
	const isDown = ({ message }: { readonly message: string }) => message === "an upstream address is down";
	assert.equal((await gateway.logged(isDown)).error, "answered 503");
	status = 200;
	await gateway.logged(({ message }) => message === "an upstream address is up");
	const from = gateway.log.length;
	gateway.write(yaml("server_name: app.test", asking));
	await gateway.hangUp();
	assert.match(String((await gateway.logged(isDown, from)).error), /self-signed certificate/);
	gateway.write(yaml(trusting, "off"));
	await gateway.hangUp();
});

scenario("when an address is silent, the next one is used after timeouts.connect", async (scenario) => {
	const good = await startUpstream(scenario, echo);
	const silent = await openBlackhole(scenario);
	const gateway = await startGateway(
		scenario,
		`
reactors: 1
timeouts: { connect: 200ms }
listeners: [{ listen: 127.0.0.1:0, routes: [{ to: a }] }]
upstreams: { a: { addresses: ["${silent}", "${good.address}"] } }
`,
	);
	for (let round = 0; round < 2; round++) {
		const client = await dial(scenario, gateway.port());
		client.end("hello");
		assert.equal(await client.rest(), "hello");
	}
	for (const { address } of await gateway.sessions(2)) assert.equal(address, good.address);
	assert.equal((await gateway.metrics()).sum("sluice_dial_retries_total"), 1);
});

scenario("when all addresses refuse, the client is told at once", async (scenario) => {
	const addresses = [await freeAddress(), await freeAddress()].map(({ text }) => text);
	const gateway = await startGateway(
		scenario,
		`
timeouts: { connect: 1h }
listeners:
  - listen: 127.0.0.1:0
    routes: [{ host: www.test, to: a }]
  - listen: 127.0.0.2:0
    routes: [{ to: a }]
upstreams: { a: { addresses: [${addresses.join(", ")}] } }
`,
	);
	const asking = await dial(scenario, gateway.port(0));
	asking.socket.write(REQUEST);
	assert.match(await asking.rest(), /^HTTP\/1\.1 502 Bad Gateway\r\n/);
	asking.end();
	const session = await gateway.sessionOf(asking);
	assert.deepEqual([session.reason, session.upstream, session.connected], ["connect_refused", "a", null]);

	const plain = await dial(scenario, gateway.port(1), { host: "127.0.0.2" });
	await plain.over();
	assert.equal(
		(await gateway.session(({ listener }) => listener === "127.0.0.2:0")).reason,
		"connect_refused",
	);
});

scenario("when no address answers, the client is told after timeouts.connect", async (scenario) => {
	const silent = await openBlackhole(scenario);
	const gateway = await startGateway(
		scenario,
		`
timeouts: { connect: 250ms }
listeners: [{ listen: 127.0.0.1:0, routes: [{ host: www.test, to: a }] }]
upstreams: { a: "${silent}" }
`,
	);
	const client = await dial(scenario, gateway.port());
	client.socket.write(REQUEST);
	assert.match(await client.rest(), /^HTTP\/1\.1 504 Gateway Timeout\r\n/);
	client.end();
	const session = await gateway.onlySession();
	assert.equal(session.reason, "connect_timeout");
	assert.ok(Date.parse(session.closed) - Date.parse(session.accepted) >= 249);
});

scenario("a client that resets while its upstream is dialled takes the dial with it", async (scenario) => {
	const silent = await openBlackhole(scenario);
	const gateway = await startGateway(
		scenario,
		`
listeners: [{ listen: 127.0.0.1:0, routes: [{ to: a }] }]
upstreams: { a: "${silent}" }
`,
	);
	const early = await dial(scenario, gateway.port());
	await gateway.metricIs("sluice_upstream_sessions", (dials) => dials === 1);
	early.reset();
	assert.equal((await gateway.sessionOf(early)).reason, "client_reset");

	const talking = await dial(scenario, gateway.port());
	await talking.send("something that waits for the upstream");
	await gateway.metricIs("sluice_upstream_sessions", (dials) => dials === 1);
	talking.reset();
	assert.equal((await gateway.sessionOf(talking)).reason, "client_reset");
	await gateway.metricIs("sluice_upstream_sessions", (dials) => dials === 0);
});

scenario(
	"a client that ends while its upstream is dialled is heard out when that answers",
	async (scenario) => {
		const silent = await openBlackhole(scenario);
		const late = await startUpstream(scenario, echo);
		const gateway = await startGateway(
			scenario,
			`
reactors: 1
timeouts: { connect: 300ms }
listeners: [{ listen: 127.0.0.1:0, routes: [{ to: a }] }]
upstreams: { a: { addresses: ["${late.address}", "${silent}"] } }
`,
		);
		for (let round = 0; round < 2; round++) {
			const client = await dial(scenario, gateway.port());
			client.end("all I have to say");
			assert.equal(await client.rest(), "all I have to say");
		}
		for (const { reason } of await gateway.sessions(2)) assert.equal(reason, "client_closed");
	},
);

scenario(
	"what a client sends while its upstream is dialled arrives, also when it is much",
	async (scenario) => {
		const silent = await openBlackhole(scenario);
		const late = await startUpstream(scenario, echo);
		const gateway = await startGateway(
			scenario,
			`
reactors: 1
timeouts: { connect: 300ms }
listeners: [{ listen: 127.0.0.1:0, routes: [{ host: www.test, to: a }] }]
upstreams: { a: { addresses: ["${late.address}", "${silent}"] } }
`,
		);
		const question = Buffer.concat([Buffer.from(REQUEST), Buffer.alloc(5_000_000, "0123456789")]);
		for (let round = 0; round < 2; round++) {
			const client = await dial(scenario, gateway.port());
			client.end(question);
			await client.over();
			assert.ok(client.received.equals(question));
		}
		assert.ok((await gateway.metrics()).sum("sluice_dial_retries_total") > 0);
		await gateway.sessions(2);
	},
);

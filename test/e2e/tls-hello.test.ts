/** Hellos as networks and attackers send them: in pieces, slowly, or broken. */
import assert from "node:assert/strict";
import { Duplex } from "node:stream";
import { connect as connectTls, createServer as createTlsServer } from "node:tls";
import { helloWith, message, record, records, sni } from "../protocol/hello-builder.js";
import { type Gateway, startGateway } from "../support/gateway.js";
import { dial, echo, type Peer, startUpstream } from "../support/peers.js";
import { type Scenario, scenario } from "../support/scenario.js";
import { identity } from "../support/tls.js";

const MESSAGE = message({ extensions: [sni("blue.test")] });
const HELLO = record(MESSAGE);

/** A gateway before an upstream that sends back what it gets, with a route for whatever no other route takes. */
async function startRouting(scenario: Scenario, timeouts = ""): Promise<Gateway> {
	const upstream = await startUpstream(scenario, echo);
	return startGateway(
		scenario,
		`
timeouts: { ${timeouts} }
listeners:
  - listen: 127.0.0.1:0
    routes:
      - { sni: blue.test, to: blue }
      - { to: catchall }
upstreams: { blue: "${upstream.address}", catchall: "${upstream.address}" }
`,
	);
}

async function echoed(client: Peer, bytes: Uint8Array): Promise<void> {
	assert.deepEqual(Buffer.from(await client.take(bytes.length)), Buffer.from(bytes));
	client.end();
	await client.rest();
}

scenario("a hello sent byte by byte is routed by its name, and relayed whole", async (scenario) => {
	const gateway = await startRouting(scenario);
	const client = await dial(scenario, gateway.port());
	client.socket.setNoDelay(true);
	// Each write is a segment of its own, because the kernel has taken one before the next is made.
	for (const byte of HELLO) await client.send(Uint8Array.of(byte));
	await echoed(client, HELLO);
	const session = await gateway.onlySession();
	assert.deepEqual([session.name, session.route], ["blue.test", "sni=blue.test"]);
});

scenario("a hello cut into records of any size is routed by its name", async (scenario) => {
	const gateway = await startRouting(scenario);
	for (const bytes of [records(MESSAGE, 1), records(MESSAGE, 3, 1, 40), records(MESSAGE, 60, 1)]) {
		const client = await dial(scenario, gateway.port());
		client.socket.setNoDelay(true);
		// Cut into segments as well, in places that fall into record headers.
		for (let start = 0; start < bytes.length; start += 17)
			await client.send(bytes.subarray(start, start + 17));
		await echoed(client, bytes);
	}
	for (const session of await gateway.sessions(3)) assert.equal(session.route, "sni=blue.test");
});

scenario("the longest name that DNS allows is routed by, and logged whole", async (scenario) => {
	const name = `${"a".repeat(63)}.${"b".repeat(63)}.${"c".repeat(63)}.${"d".repeat(61)}`;
	assert.equal(name.length, 253);
	const upstream = await startUpstream(scenario, echo);
	const gateway = await startGateway(
		scenario,
		`
listeners:
  - listen: 127.0.0.1:0
    routes: [{ sni: "${name}", to: a }]
upstreams: { a: "${upstream.address}" }
`,
	);
	const client = await dial(scenario, gateway.port());
	const hello = helloWith(sni(name.toUpperCase()));
	await client.send(hello);
	await echoed(client, hello);
	const session = await gateway.onlySession();
	assert.deepEqual([session.name, session.route], [name, `sni=${name}`]);
});

scenario(
	"a hello that dribbles in is ended by the handshake deadline, which bytes do not renew",
	async (scenario) => {
		const gateway = await startRouting(scenario, "handshake: 1s");
		const client = await dial(scenario, gateway.port());
		let sent = 10;
		await client.send(HELLO.subarray(0, sent));
		const dribble = setInterval(() => client.socket.write(Uint8Array.of(HELLO[sent++] ?? 0)), 50);
		scenario.defer(() => clearInterval(dribble));
		await client.over();
		clearInterval(dribble);
		const session = await gateway.onlySession();
		assert.deepEqual(
			[session.reason, session.protocol, session.upstream],
			["handshake_timeout", "tls", null],
		);
		assert.ok(Date.parse(session.closed) - Date.parse(session.accepted) >= 1_000);
		assert.ok(sent < HELLO.length, "it never sent the whole hello");
	},
);

scenario("a client that says nothing is ended by the handshake deadline", async (scenario) => {
	const gateway = await startRouting(scenario, "handshake: 200ms");
	const client = await dial(scenario, gateway.port());
	assert.equal(await client.rest(), "");
	const session = await gateway.onlySession();
	assert.deepEqual([session.reason, session.protocol], ["handshake_timeout", "unknown"]);
});

scenario("a client that ends in the middle of its hello has closed", async (scenario) => {
	const gateway = await startRouting(scenario);
	for (const bytes of [HELLO.subarray(0, 20), new Uint8Array(0)]) {
		const client = await dial(scenario, gateway.port());
		client.end(bytes);
		await client.over();
		assert.equal(client.received.length, 0);
	}
	for (const { reason, upstream } of await gateway.sessions(2))
		assert.deepEqual([reason, upstream], ["client_closed", null]);
});

scenario("a client that resets in the middle of its hello has reset", async (scenario) => {
	const gateway = await startRouting(scenario);
	const client = await dial(scenario, gateway.port());
	await client.send(HELLO.subarray(0, 20));
	client.reset();
	const { reason, upstream } = await gateway.onlySession();
	assert.deepEqual([reason, upstream], ["client_reset", null]);
});

scenario("a real handshake survives a hello that arrives in segments of seven bytes", async (scenario) => {
	const { cert, key } = identity(scenario, "blue.test");
	const server = createTlsServer({ cert: cert.text, key: key.text }, (socket) =>
		socket.end(`you asked for ${String(socket.servername)}`),
	);
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	scenario.defer(() => server.close());
	const { port } = server.address() as { port: number };
	const gateway = await startGateway(
		scenario,
		`
listeners:
  - listen: 127.0.0.1:0
    routes: [{ sni: blue.test, to: blue }]
upstreams: { blue: "127.0.0.1:${port}" }
`,
	);
	const { socket } = await dial(scenario, gateway.port());
	socket.setNoDelay(true);
	const pieces = new Duplex({
		read: () => {},
		write: (bytes: Buffer, _, done) => {
			for (let start = 0; start < bytes.length; start += 7) socket.write(bytes.subarray(start, start + 7));
			done();
		},
	});
	socket.on("data", (bytes) => pieces.push(bytes));
	socket.on("end", () => pieces.push(null));
	const tls = connectTls({ socket: pieces, servername: "blue.test", ca: cert.text });
	let said = "";
	for await (const text of tls.setEncoding("utf8")) said += text;
	assert.equal(said, "you asked for blue.test");
	socket.end();
	assert.equal((await gateway.onlySession()).name, "blue.test");
});

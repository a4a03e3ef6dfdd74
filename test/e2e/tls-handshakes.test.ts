/** Handshakes that do not come to their end: held, broken, left; nothing of them stays. */
import assert from "node:assert/strict";
import { connect, type SecureVersion, type TLSSocket } from "node:tls";
import { captureHello } from "../../src/rig/hello.js";
import { type Gateway, startGateway } from "../support/gateway.js";
import { dial, echo, LOOPBACK, type Peer, startUpstream } from "../support/peers.js";
import { type Scenario, scenario } from "../support/scenario.js";
import { dialTls, entry, identity } from "../support/tls.js";
import { startWire, type Wire } from "../support/wire.js";

async function startEcho(scenario: Scenario, sections = ""): Promise<Gateway> {
	const certificate = identity(scenario, "a.test");
	const upstream = await startUpstream(scenario, echo);
	return startGateway(
		scenario,
		`
reactors: 1
${sections}
listeners:
  - listen: 127.0.0.1:0
    tls: [${entry(certificate, ["a.test"])}]
    routes: [{ to: a }]
upstreams: { a: "${upstream.address}" }
`,
	);
}

/** A client that begins a handshake over a wire, however it ends. */
function begin(
	scenario: Scenario,
	wire: Wire,
	servername = "a.test",
	maxVersion: SecureVersion = "TLSv1.3",
): TLSSocket {
	const client = connect({
		...{ host: LOOPBACK, port: wire.port, servername, rejectUnauthorized: false },
		maxVersion,
	});
	client.on("error", () => {});
	scenario.defer(() => client.destroy());
	return client;
}

scenario("the whole handshake has timeouts.handshake, wherever it stops", async (scenario) => {
	const gateway = await startEcho(scenario, "timeouts: { handshake: 2s }");
	const good = await dialTls(scenario, gateway.port(), "a.test");
	const hello = Buffer.from(await captureHello("a.test"));
	// Half a hello; a whole one, and nothing behind it; and one that comes drop by drop.
	const half = await dial(scenario, gateway.port());
	await half.send(hello.subarray(0, 100));
	const whole = await dial(scenario, gateway.port());
	await whole.send(hello);
	const drops = await dial(scenario, gateway.port());
	let next = 0;
	const drip = setInterval(() => drops.socket.write(hello.subarray(next, ++next)), 20);
	scenario.defer(() => clearInterval(drip));
	for (const client of [half, whole, drops]) {
		assert.match(await client.over(), /ended|ECONNRESET|EPIPE/);
		const { reason, accepted, closed, route } = await gateway.sessionOf(client);
		assert.equal(reason, "handshake_timeout");
		assert.equal(route, null);
		assert.ok(Date.parse(closed) - Date.parse(accepted) >= 2_000);
	}
	// A session that came through in time, before them, is not touched by that deadline.
	await good.send("x");
	await good.expect("x");
});

scenario("a client that is silent behind its handshake ends with that deadline as well", async (scenario) => {
	const certificate = identity(scenario, "a.test");
	const gateway = await startGateway(
		scenario,
		`
timeouts: { handshake: 2s }
listeners:
  - listen: 127.0.0.1:0
    tls: [${entry(certificate, ["a.test"])}]
    routes: [{ host: a.test, to: reject }]
  - listen: 127.0.0.2:0
    tls: [${entry(certificate, ["a.test"])}]
    routes: [{ sni: a.test, to: web }]
upstreams: { web: { http: "http://127.0.0.1:1" } }
`,
	);
	// The second one is known to ask for requests before it has said anything; nobody asked to be told that none came.
	const clients = [
		await dialTls(scenario, gateway.port(0), "a.test"),
		await dialTls(scenario, gateway.port(1), "a.test", { host: "127.0.0.2" }),
	];
	for (const client of clients) {
		assert.equal(await client.rest(), "");
		client.end();
		const { reason, bytes_to_client: toClient } = await gateway.sessionOf(client);
		assert.deepEqual([reason, toClient], ["handshake_timeout", 0]);
	}
	assert.equal((await gateway.metrics()).sum("sluice_requests_total"), 0);
});

/** Records that no handshake has. */
const RUBBISH: readonly (readonly [string, Buffer])[] = [
	["no record", Buffer.from("GET / HTTP/1.1\r\n\r\n")],
	["application data", Buffer.concat([Buffer.from([23, 3, 3, 0, 32]), Buffer.alloc(32, 7)])],
	["a record that is too long", Buffer.from([22, 3, 3, 255, 255, 1, 2, 3])],
	["an alert", Buffer.from([21, 3, 3, 0, 2, 2, 40])],
];

scenario("rubbish behind a good hello ends that connection, and no other learns of it", async (scenario) => {
	const gateway = await startEcho(scenario);
	const neighbour = await dialTls(scenario, gateway.port(), "a.test");
	for (const maxVersion of ["TLSv1.2", "TLSv1.3"] as const)
		for (const [what, rubbish] of RUBBISH) {
			const client = await dial(scenario, gateway.port());
			await client.send(Buffer.concat([await captureHello("a.test", maxVersion), rubbish]));
			assert.match(await client.over(), /ended|ECONNRESET/, what);
			client.socket.destroy();
			assert.equal((await gateway.sessionOf(client)).reason, "tls_failed", what);
			// The queue of errors is one for all connections of a thread.
			await neighbour.send(what);
			await neighbour.expect(what);
			const next = await dialTls(scenario, gateway.port(), "a.test");
			await next.send("x");
			await next.expect("x");
			next.socket.destroy();
		}
	neighbour.end();
	assert.equal(await neighbour.rest(), "");
});

scenario("a hello that OpenSSL refuses is answered with an alert", async (scenario) => {
	const gateway = await startEcho(scenario);
	const hello = Buffer.from(await captureHello("a.test", "TLSv1.2"));
	// The session's id, the ciphers' length and the first ciphers: one that nobody has, 0x0000, many times.
	const ciphersAt = 44 + (hello[43] ?? 0);
	const length = hello.readUInt16BE(ciphersAt);
	hello.fill(0, ciphersAt + 2, ciphersAt + 2 + length);
	const client = await dial(scenario, gateway.port());
	await client.send(hello);
	const alert = await client.take(7);
	assert.deepEqual([alert[0], alert[6]], [21, 40], "handshake_failure");
	await client.rest();
	client.end();
	assert.equal((await gateway.sessionOf(client)).reason, "tls_failed");
});

/** How a client leaves. */
const WAYS: readonly (readonly [string, (peer: Peer) => void])[] = [
	["ends", (peer) => peer.end()],
	["resets", (peer) => peer.reset()],
];

for (const [how, leave] of WAYS)
	scenario(`a client that ${how} in any part of its handshake leaves nothing behind`, async (scenario) => {
		const gateway = await startEcho(scenario);
		const hello = Buffer.from(await captureHello("a.test"));
		const clients: Peer[] = [];
		for (const bytes of [0, 1, 5, 43, hello.length - 1, hello.length]) {
			const client = await dial(scenario, gateway.port());
			clients.push(client);
			if (bytes > 0) await client.send(hello.subarray(0, bytes));
			// The answer has begun, so its handshake is under way.
			if (bytes === hello.length) await client.take(5);
			leave(client);
		}
		await gateway.sessions(clients.length);
		for (const { reason } of gateway.ended) assert.match(reason, /^(client_closed|client_reset|tls_failed)$/);
		assert.equal(await gateway.metricIs("sluice_tls_sessions", (count) => count === 0), 0);
	});

scenario(
	"a wire that dies within a handshake, after each record of it, leaves nothing behind",
	async (scenario) => {
		const gateway = await startEcho(scenario);
		for (const maxVersion of ["TLSv1.2", "TLSv1.3"] as const)
			for (const dies of ["reset", "end"] as const) {
				const wire = await startWire(scenario, gateway.port());
				const before = gateway.ended.length;
				let flights = 0;
				// The second flight of the client's is the last one of the handshake.
				wire.toServer = (bytes) => {
					if (++flights < 2) return bytes;
					if (dies === "end") wire.endToServer();
					else wire.resetServer();
					return Buffer.alloc(0);
				};
				begin(scenario, wire, "a.test", maxVersion);
				await gateway.sessions(before + 1);
				assert.equal(gateway.ended.at(-1)?.reason, "tls_failed");
			}
		assert.equal(await gateway.metricIs("sluice_tls_sessions", (count) => count === 0), 0);
	},
);

scenario("many clients at once get through, and then nothing is left", async (scenario) => {
	const gateway = await startEcho(scenario);
	const clients = await Promise.all(
		Array.from({ length: 100 }, () => dialTls(scenario, gateway.port(), "a.test")),
	);
	assert.equal(await gateway.metricIs("sluice_tls_sessions", (count) => count === 100), 100);
	await Promise.all(
		clients.map(async (client, index) => {
			await client.send(`client ${index}`);
			await client.expect(`client ${index}`);
			if (index % 2 === 0) client.socket.destroy();
			else client.end();
		}),
	);
	await gateway.sessions(100);
	assert.equal(await gateway.metricIs("sluice_tls_sessions", (count) => count === 0), 0);
});

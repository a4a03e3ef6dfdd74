/** QUIC by name, with packets that the test makes itself: what real clients seldom do, and when it happens. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { AF_INET } from "../../src/kernel/constants.js";
import { DATAGRAM_PLACE_BYTES, EMPTY_PLACE } from "../../src/kernel/datagrams.js";
import { LinuxKernel } from "../../src/kernel/linux.js";
import { loopback } from "../../src/rig/connect.js";
import { crypto, initial } from "../../src/rig/quic-initial.js";
import { type DatagramPeer, datagramPeer } from "../support/datagrams.js";
import { type Gateway, startGateway } from "../support/gateway.js";
import { flight, helloFor, ID_BYTES, longHeader, shortHeader, textOf } from "../support/quic-packets.js";
import { type Scenario, scenario } from "../support/scenario.js";

/** Two servers behind one port, `a.test` and `b.test`. */
async function start(
	scenario: Scenario,
	more = "",
): Promise<{ gateway: Gateway; a: DatagramPeer; b: DatagramPeer }> {
	const a = await datagramPeer(scenario);
	const b = await datagramPeer(scenario);
	const gateway = await startGateway(
		scenario,
		`
reactors: 2
${more}
listeners:
  - listen: 127.0.0.1:0/udp
    timeouts: { idle: 500ms, handshake: 300ms }
    routes: [{ sni: a.test, to: a }, { sni: b.test, alpn: h3, to: b }]
upstreams: { a: { udp: 127.0.0.1:${a.port} }, b: { udp: 127.0.0.1:${b.port} } }
`,
	);
	return { gateway, a, b };
}

scenario(
	"a hello in two datagrams is led by its name, both in the order in which they came",
	async (scenario) => {
		const { gateway, a, b } = await start(scenario);
		for (const [name, server] of [
			["a.test", a],
			["b.test", b],
		] as const) {
			const client = await datagramPeer(scenario);
			const datagrams = flight(await helloFor(name), randomBytes(ID_BYTES), 2);
			for (const datagram of datagrams) client.send(datagram, gateway.port());
			for (const datagram of datagrams) assert.ok((await server.next()).bytes.equals(datagram));
			const session = await gateway.session((line) => line.name === name);
			assert.deepEqual(
				[session.protocol, session.upstream, session.bytes_from_client, session.reason],
				["quic", name[0], 2_400, "idle_timeout"],
			);
		}
		assert.equal((await gateway.metrics()).sum("sluice_half_hellos"), 0);
	},
);

scenario(
	"a name that no route takes goes nowhere, nor does what is tampered with, or comes from nowhere",
	async (scenario) => {
		const { gateway, a } = await start(scenario);
		const client = await datagramPeer(scenario);
		const [good = new Uint8Array()] = flight(await helloFor("a.test"), randomBytes(ID_BYTES), 1);
		const bad = Uint8Array.from(good);
		bad[600] = (bad[600] ?? 0) ^ 1;
		client.send(bad, gateway.port());
		client.send(shortHeader(randomBytes(ID_BYTES), "a late one"), gateway.port());
		for (const datagram of flight(await helloFor("c.test"), randomBytes(ID_BYTES), 1))
			client.send(datagram, gateway.port());
		assert.equal((await gateway.session(({ name }) => name === "c.test")).reason, "no_route");
		const metrics = await gateway.metrics();
		for (const cause of ["malformed", "unknown_connection", "no_route"])
			assert.equal(metrics.sum("sluice_datagrams_dropped_total", { cause }), 1, cause);
		client.send(good, gateway.port());
		assert.ok((await a.next()).bytes.equals(good));
		assert.equal(a.received.length, 1);
		assert.equal(client.received.length, 0);
	},
);

scenario(
	"half of a hello is forgotten in its time, and nothing is sent to whoever it says that it comes from",
	async (scenario) => {
		const { gateway, a } = await start(scenario);
		const client = await datagramPeer(scenario);
		const [half = new Uint8Array()] = flight(await helloFor("a.test"), randomBytes(ID_BYTES), 2);
		client.send(half, gateway.port());
		await gateway.metricIs("sluice_half_hellos", (count) => count === 1);
		await gateway.metricIs("sluice_half_hellos_expired_total", (count) => count === 1);
		await gateway.metricIs("sluice_half_hellos", (count) => count === 0);
		assert.deepEqual([client.received.length, a.received.length], [0, 0]);
	},
);

scenario(
	"a client whose port changes keeps its session, in whichever reactor it arrives",
	async (scenario) => {
		const { gateway, a } = await start(scenario);
		const hello = await helloFor("a.test");
		for (let count = 0; count < 12; count++) {
			const first = await datagramPeer(scenario);
			const [clients, servers] = [randomBytes(ID_BYTES), randomBytes(ID_BYTES)];
			const [datagram = new Uint8Array()] = flight(hello, clients, 1);
			first.send(datagram, gateway.port());
			const { from } = await a.next();
			a.send(longHeader(Uint8Array.of(), servers), from.port);
			await first.next();
			first.send(shortHeader(servers, "before"), gateway.port());
			assert.equal((await a.next()).from.port, from.port);
			const second = await datagramPeer(scenario);
			for (const text of ["one", "two", "three"]) {
				second.send(shortHeader(servers, text), gateway.port());
				const heard = await a.next();
				assert.deepEqual([textOf(heard.bytes), heard.from.port], [text, from.port]);
				a.send(shortHeader(clients, `re:${text}`), from.port);
				assert.equal(textOf((await second.next()).bytes), `re:${text}`);
			}
			assert.equal(first.received.length, 1);
		}
		const sessions = await gateway.sessions(12);
		assert.ok(sessions.every(({ reason, name }) => reason === "idle_timeout" && name === "a.test"));
		const metrics = await gateway.metrics();
		assert.equal(metrics.sum("sluice_clients_moved_total"), 12);
		assert.equal(metrics.sum("sluice_datagrams_dropped_total"), 0);
	},
);

scenario("an ID that the client was told under encryption is learned from the client", async (scenario) => {
	const { gateway, a } = await start(scenario);
	const first = await datagramPeer(scenario);
	const [clients, shown, hidden] = [randomBytes(ID_BYTES), randomBytes(ID_BYTES), randomBytes(ID_BYTES)];
	for (const datagram of flight(await helloFor("a.test"), clients, 1)) first.send(datagram, gateway.port());
	const { from } = await a.next();
	a.send(longHeader(Uint8Array.of(), shown), from.port);
	await first.next();
	first.send(shortHeader(hidden, "by the new one"), gateway.port());
	await a.next();
	const second = await datagramPeer(scenario);
	second.send(shortHeader(hidden, "from elsewhere"), gateway.port());
	const heard = await a.next();
	assert.deepEqual([textOf(heard.bytes), heard.from.port], ["from elsewhere", from.port]);
});

scenario("an Initial under such an ID is passed on, though nothing here can open it", async (scenario) => {
	const { gateway, a } = await start(scenario);
	const first = await datagramPeer(scenario);
	const [made, hidden] = [randomBytes(ID_BYTES), randomBytes(ID_BYTES)];
	const hello = await helloFor("a.test");
	for (const datagram of flight(hello, made, 1)) first.send(datagram, gateway.port());
	const { from } = await a.next();
	const acknowledgement = initial([Uint8Array.of(2, 0, 0, 0, 0)], {
		destination: hidden,
		keysOf: made,
		number: 1,
	});
	first.send(acknowledgement, gateway.port());
	const heard = await a.next();
	assert.ok(heard.bytes.equals(acknowledgement));
	assert.equal(heard.from.port, from.port);
	// From anybody else it is no more than a packet that does not open; and this client may begin other connections.
	const second = await datagramPeer(scenario);
	const other = initial([crypto(0, hello)], { destination: randomBytes(ID_BYTES), keysOf: made });
	second.send(other, gateway.port());
	await gateway.metricIs("sluice_datagrams_dropped_total", (count) => count === 1, { cause: "malformed" });
	for (const datagram of flight(hello, randomBytes(ID_BYTES), 1)) first.send(datagram, gateway.port());
	assert.notEqual((await a.next()).from.port, from.port);
	assert.equal((await gateway.closedSessions(2)).length, 2);
});

scenario(
	"a client that moves is found when a reload has taken away all that routes asked of hellos",
	async (scenario) => {
		const { gateway, a } = await start(scenario);
		const [clients, servers] = [randomBytes(ID_BYTES), randomBytes(ID_BYTES)];
		const first = await datagramPeer(scenario);
		for (const datagram of flight(await helloFor("a.test"), clients, 1)) first.send(datagram, gateway.port());
		const { from } = await a.next();
		a.send(longHeader(Uint8Array.of(), servers), from.port);
		await first.next();
		gateway.write(gateway.yaml.replace(/routes: .*/, "routes: [{ to: b }]"));
		await gateway.hangUp();
		const second = await datagramPeer(scenario);
		second.send(shortHeader(servers, "from elsewhere"), gateway.port());
		const heard = await a.next();
		assert.deepEqual([textOf(heard.bytes), heard.from.port], ["from elsewhere", from.port]);
		assert.equal((await gateway.metrics()).sum("sluice_clients_moved_total"), 1);
	},
);

scenario("two connections on one port of a client are led each by its name", async (scenario) => {
	const { gateway, a, b } = await start(scenario);
	const client = await datagramPeer(scenario);
	const ids = [];
	for (const [name, server] of [
		["a.test", a],
		["b.test", b],
	] as const) {
		for (const datagram of flight(await helloFor(name), randomBytes(ID_BYTES), 1))
			client.send(datagram, gateway.port());
		const { from } = await server.next();
		const id = randomBytes(ID_BYTES);
		ids.push(id);
		server.send(longHeader(Uint8Array.of(), id), from.port);
		await client.next();
	}
	for (const [index, server] of [a, b, a, b].entries()) {
		client.send(shortHeader(ids[index % 2] ?? Uint8Array.of(), `${index}`), gateway.port());
		assert.equal(textOf((await server.next()).bytes), `${index}`);
	}
	assert.equal((await gateway.closedSessions(2)).length, 2);
});

scenario("a hello that comes as one message with packets of another connection is seen", async (scenario) => {
	const { gateway, a, b } = await start(scenario);
	const kernel = new LinuxKernel(4096);
	const datagrams = kernel.openDatagrams();
	const fd = datagrams.open(AF_INET, true);
	scenario.defer(() => {
		kernel.close(fd);
		kernel.dispose();
	});
	assert.equal(kernel.connect(fd, loopback(gateway.port())), 0);
	const at = EMPTY_PLACE * DATAGRAM_PLACE_BYTES;
	const [helloToA = new Uint8Array()] = flight(await helloFor("a.test"), randomBytes(ID_BYTES), 1);
	const [helloToB = new Uint8Array()] = flight(await helloFor("b.test"), randomBytes(ID_BYTES), 1);
	datagrams.memory.set(helloToA, at);
	datagrams.send(fd, at, helloToA.length);
	assert.ok((await a.next()).bytes.equals(helloToA));

	const one = shortHeader(randomBytes(ID_BYTES), "x".repeat(helloToB.length - 1 - ID_BYTES));
	assert.equal(one.length, helloToB.length);
	for (const [index, each] of [one, one, helloToB].entries())
		datagrams.memory.set(each, at + index * one.length);
	datagrams.add(at, 3 * one.length, one.length, 0);
	assert.equal(datagrams.flush(fd, 0, 1), 1);
	datagrams.clear();
	assert.ok((await b.next()).bytes.equals(helloToB));
	for (let i = 0; i < 2; i++) assert.ok((await a.next()).bytes.equals(one));
	assert.equal((await gateway.closedSessions(2)).length, 2);
});

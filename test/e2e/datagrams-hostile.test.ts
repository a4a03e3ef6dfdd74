/** Who sends datagrams may be anybody, and may say that they come from anywhere: what he can do to others, and to the gateway. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { MAIN } from "../../src/rig/gateway.js";
import { type DatagramPeer, datagramPeer } from "../support/datagrams.js";
import { type Gateway, type GatewayOptions, startGateway } from "../support/gateway.js";
import { run } from "../support/processes.js";
import { flight, helloFor, ID_BYTES, longHeader, shortHeader, textOf } from "../support/quic-packets.js";
import { type Scenario, scenario } from "../support/scenario.js";

/** A server behind one port, `a.test`. */
async function start(
	scenario: Scenario,
	{ reactors = 2, ...how }: GatewayOptions & { readonly reactors?: number } = {},
): Promise<{ gateway: Gateway; server: DatagramPeer }> {
	const server = await datagramPeer(scenario);
	const gateway = await startGateway(
		scenario,
		`
reactors: ${reactors}
listeners:
  - listen: 127.0.0.1:0/udp
    timeouts: { idle: 20s, handshake: 300ms }
    routes: [{ sni: a.test, to: a }]
upstreams: { a: { udp: 127.0.0.1:${server.port} } }
`,
		how,
	);
	return { gateway, server };
}

/** A connection whose server has said how it wants to be called. */
async function connect(
	scenario: Scenario,
	{ gateway, server }: { gateway: Gateway; server: DatagramPeer },
	id: Uint8Array = randomBytes(ID_BYTES),
): Promise<{ client: DatagramPeer; id: Uint8Array; upstreamPort: number }> {
	const client = await datagramPeer(scenario);
	for (const datagram of flight(await helloFor("a.test"), randomBytes(ID_BYTES), 1))
		client.send(datagram, gateway.port());
	const { from } = await server.next();
	server.send(longHeader(Uint8Array.of(), id), from.port);
	await client.next();
	return { client, id, upstreamPort: from.port };
}

scenario("who has the shortest IDs does not get what others send", async (scenario) => {
	const ends = await start(scenario);
	const { gateway, server } = ends;
	const { client } = await connect(scenario, ends, Uint8Array.of(0x55));
	const stranger = await datagramPeer(scenario);
	stranger.send(shortHeader(Uint8Array.of(0x55, 1, 2, 3, 4, 5, 6, 7), "of another one"), gateway.port());
	await gateway.metricIs("sluice_datagrams_dropped_total", (sum) => sum === 1);
	client.send(shortHeader(Uint8Array.of(0x55), "of its own"), gateway.port());
	assert.ok((await server.next()).bytes.includes("of its own"));
	const metrics = await gateway.metrics();
	assert.equal(metrics.sum("sluice_datagrams_dropped_total", { cause: "unknown_connection" }), 1);
	assert.equal(metrics.sum("sluice_clients_moved_total"), 0);
	await gateway.closedSessions(1);
});

scenario(
	"a client does not come from an address that is shut out by moving there, in whichever reactor it arrives",
	async (scenario) => {
		const ends = await start(scenario);
		const { gateway, server } = ends;
		// It stays banned at this gateway: no other scenario has a client there.
		const ban = ["sources", "ban", "127.0.0.9", "--for", "1h", "--admin", `127.0.0.1:${gateway.adminPort}`];
		assert.equal((await run({ path: process.execPath }, [MAIN, ...ban])).status, 0);
		for (let count = 0; count < 8; count++) {
			const { client, id, upstreamPort } = await connect(scenario, ends);
			const elsewhere = await datagramPeer(scenario, "127.0.0.9");
			elsewhere.send(shortHeader(id, "from there"), gateway.port());
			await gateway.metricIs("sluice_datagrams_dropped_total", (sum) => sum === count + 1);
			server.send(shortHeader(id, "still here"), upstreamPort);
			assert.equal(textOf((await client.next()).bytes), "still here");
			assert.equal(elsewhere.received.length, 0);
		}
		const metrics = await gateway.metrics();
		assert.equal(metrics.sum("sluice_datagrams_dropped_total", { cause: "limit" }), 8);
		assert.equal(metrics.sum("sluice_clients_moved_total"), 0);
		await gateway.closedSessions(8);
	},
);

scenario(
	"whole hellos from forged addresses take no place from clients that have heard their servers, nor keep others out",
	async (scenario) => {
		const limited = ["sh", "-c", 'ulimit -n 250; exec "$@"', "-"];
		const ends = await start(scenario, { reactors: 1, through: limited });
		const { gateway, server } = ends;
		const places = (await gateway.metrics()).sum("sluice_connections_limit");
		assert.ok(places > 5 && places < 120, `${places} places`);
		const known = [];
		for (let count = 0; count < 3; count++) {
			const each = await connect(scenario, ends);
			each.client.send(shortHeader(each.id, "heard you"), gateway.port());
			await server.next();
			known.push(each);
		}
		const hello = await helloFor("a.test");
		// Theirs are older, and silent for longer, than all of these.
		for (let count = 0; count < places + 20; count++) {
			const forger = await datagramPeer(scenario, `127.0.1.${count}`);
			for (const datagram of flight(hello, randomBytes(ID_BYTES), 1)) forger.send(datagram, gateway.port());
			await server.next();
		}
		const late = await connect(scenario, ends);
		known.push(late);
		for (const { client, id, upstreamPort } of known) {
			client.send(shortHeader(id, "still here"), gateway.port());
			const { bytes, from } = await server.next();
			assert.deepEqual([textOf(bytes), from.port], ["still here", upstreamPort]);
		}
		const metrics = await gateway.metrics();
		assert.ok(metrics.sum("sluice_shed_total") >= 20);
		assert.equal(metrics.sum("sluice_datagrams_dropped_total"), 0);
		await gateway.closedSessions(places + 20 + known.length);
	},
);

/** Many clients of QUIC that have moved: few have a socket of their own, and all are heard. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { type DatagramPeer, datagramPeer } from "../support/datagrams.js";
import { startGateway } from "../support/gateway.js";
import { flight, helloFor, ID_BYTES, longHeader, shortHeader, textOf } from "../support/quic-packets.js";
import { scenario } from "../support/scenario.js";

/** Of which about half come to the other of two reactors. */
const CLIENTS = 700;

/** As `modes/datagram/ear.ts` has it. */
const EARS_MAX = 256;

interface Client {
	readonly peer: DatagramPeer;
	/** What it calls the server by, and the port that it has there. */
	readonly id: Buffer;
	readonly port: number;
}

scenario(
	"clients that move cost the listener's port no more than a bounded number of sockets",
	async (scenario) => {
		const server = await datagramPeer(scenario);
		const gateway = await startGateway(
			scenario,
			`
reactors: 2
timeouts: { drain: 100ms }
listeners:
  - listen: 127.0.0.1:0/udp
    routes: [{ sni: a.test, to: a }]
upstreams: { a: { udp: 127.0.0.1:${server.port} } }
`,
			{ own: "it is ended: sessions of QUIC are silent for long before they go" },
		);
		const hello = await helloFor("a.test");
		const before = gateway.descriptors().length;
		const clients: Client[] = [];
		for (let count = 0; count < CLIENTS; count++) {
			const first = await datagramPeer(scenario);
			for (const datagram of flight(hello, randomBytes(ID_BYTES), 1)) first.send(datagram, gateway.port());
			const { port } = (await server.next()).from;
			const id = randomBytes(ID_BYTES);
			server.send(longHeader(Uint8Array.of(), id), port);
			await first.next();
			clients.push({ peer: await datagramPeer(scenario), id, port });
		}
		for (const round of ["moved", "and stays"])
			for (const { peer, id, port } of clients) {
				peer.send(shortHeader(id, round), gateway.port());
				const heard = await server.next();
				assert.deepEqual([textOf(heard.bytes), heard.from.port], [round, port]);
				server.send("answer", port);
				assert.equal(await peer.text(), "answer");
			}
		const ears = gateway.descriptors().length - before - CLIENTS;
		assert.ok(ears >= 0 && ears <= EARS_MAX, String(ears));
		const metrics = await gateway.metrics();
		assert.equal(metrics.sum("sluice_clients_moved_total"), CLIENTS);
		assert.equal(metrics.sum("sluice_datagrams_dropped_total"), 0);
		gateway.child.signal("SIGTERM");
		assert.equal(await gateway.exit(), 0);
		assert.equal((await gateway.sessions(CLIENTS)).length, CLIENTS);
	},
);

/** Servers of QUIC that say in their connection IDs which one they are, and clients that nobody here has seen. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { closed, type DatagramPeer, datagramPeer } from "../support/datagrams.js";
import { type Gateway, startGateway } from "../support/gateway.js";
import { type NamedAddress, startQuicGateway } from "../support/quic/gateway.js";
import { ask, type QuicServer, startQuicServer, sumOf } from "../support/quic/peers.js";
import { shortHeader, textOf } from "../support/quic-packets.js";
import { type Scenario, scenario } from "../support/scenario.js";
import { startNat } from "../support/udp-nat.js";

interface Servers {
	readonly gateway: Gateway;
	readonly first: DatagramPeer;
	readonly second: DatagramPeer;
	readonly local: DatagramPeer;
}

/** `0a01` and `0a02` for everybody, `0b` for those of 127.0.0.9. */
async function startServers(scenario: Scenario): Promise<Servers> {
	const first = await datagramPeer(scenario);
	const second = await datagramPeer(scenario);
	const local = await datagramPeer(scenario);
	const gateway = await startGateway(
		scenario,
		`
reactors: 2
listeners:
  - listen: 127.0.0.1:0/udp
    timeouts: { idle: 500ms }
    routes:
      - { sni: b.test, source: 127.0.0.9/32, to: b }
      - { sni: a.test, to: a }
      - { sni: c.test, to: c }
upstreams:
  a:
    udp:
      - { address: 127.0.0.1:${first.port}, server_id: "0a01" }
      - { address: 127.0.0.1:${second.port}, server_id: "0a02" }
  b: { udp: { address: 127.0.0.1:${local.port}, server_id: "0b" } }
  c: { udp: 127.0.0.1:${first.port} }
`,
	);
	return { gateway, first, second, local };
}

/** A packet behind the handshake, whose connection ID is of 8 bytes. */
function packetTo(serverId: string, text: string): Buffer {
	const id = Buffer.from(serverId, "hex");
	return shortHeader(Buffer.concat([Uint8Array.of(7), id, randomBytes(7 - id.length)]), text);
}

scenario(
	"a packet of nobody's session is led to the server that its connection ID names",
	async (scenario) => {
		const { gateway, first, second } = await startServers(scenario);
		const client = await datagramPeer(scenario);
		client.send(packetTo("0a02", "to the second"), gateway.port());
		const { bytes, from } = await second.next();
		assert.equal(textOf(bytes), "to the second");
		second.send(Buffer.from("answer"), from.port);
		assert.equal((await client.next()).bytes.toString(), "answer");
		// What its client sends from there is one session, whatever IDs it shows.
		client.send(packetTo("0a02", "more"), gateway.port());
		assert.equal((await second.next()).from.port, from.port);
		await gateway.closedSessions(1);
		const session = await gateway.onlySession();
		assert.deepEqual(
			[session.protocol, session.name, session.route, session.upstream, session.address],
			["quic", null, "sni=a.test", "a", `127.0.0.1:${second.port}`],
		);
		assert.equal(first.received.length, 0);
	},
);

scenario(
	"one that names no server goes nowhere, nor does one too short for a name, or of a source that no route takes",
	async (scenario) => {
		const { gateway, first, second, local } = await startServers(scenario);
		const client = await datagramPeer(scenario);
		const nobodys = [
			packetTo("0a03", "unknown"),
			Uint8Array.of(0x41, 7, 0x0a),
			packetTo("0b", "not from here"),
		];
		for (const packet of nobodys) client.send(packet, gateway.port());
		const labels = { cause: "unknown_connection" };
		await gateway.metricIs("sluice_datagrams_dropped_total", (count) => count === nobodys.length, labels);
		assert.deepEqual(
			[first, second, local].map(({ received }) => received.length),
			[0, 0, 0],
		);
		const allowed = await datagramPeer(scenario, "127.0.0.9");
		allowed.send(packetTo("0b", "from here"), gateway.port());
		assert.equal(textOf((await local.next()).bytes), "from here");
	},
);

scenario(
	"a server that is not there is not replaced by another, which would know nothing of the connection",
	async (scenario) => {
		const { gateway, first, second } = await startServers(scenario);
		await closed(second.socket);
		const client = await datagramPeer(scenario);
		client.send(packetTo("0a02", "to nobody"), gateway.port());
		client.send(packetTo("0a02", "which is told now"), gateway.port());
		const { reason, address } = await gateway.session(({ upstream }) => upstream === "a");
		assert.deepEqual([reason, address], ["connect_refused", null]);
		assert.equal(first.received.length, 0);
	},
);

const BYTES = 2_000_000;
const NEEDS = { needs: ["quic-go"] as const };

async function startNamed(scenario: Scenario): Promise<(NamedAddress & { readonly server: QuicServer })[]> {
	return Promise.all(
		["0a01", "0a02"].map(async (serverId) => {
			const server = await startQuicServer(scenario, "quic-go", serverId, { serverId });
			return { port: server.port, serverId, server };
		}),
	);
}

scenario(
	"clients that move to another network by themselves go on with their servers",
	async (scenario) => {
		const servers = await startNamed(scenario);
		const gateway = await startQuicGateway(scenario, { a: servers }, { reactors: 4 });
		const asked = { port: gateway.port(), name: "a.test", bytes: BYTES, migrate: true };
		const answers = await Promise.all([1, 2, 3, 4].map(() => ask(scenario, "quic-go", asked)));
		for (const [answer] of answers) assert.equal(answer?.sha256, sumOf(BYTES));
		const clientsOf = (serverId: string): number =>
			answers.filter(([answer]) => answer?.server === serverId).length;
		// What a client still says is led to its server by a new session, when that of before is closed.
		for (const { server, serverId } of servers) await server.closed(clientsOf(serverId));
		// Each has two: one of its hello, and one that its server was found for.
		const lines = await gateway.closedSessions(8);
		for (const { port, serverId } of servers) {
			const clients = clientsOf(serverId);
			const own = lines.filter(({ address }) => address === `127.0.0.1:${port}`);
			const named = own.filter(({ name }) => name === "a.test").length;
			assert.deepEqual([named, own.length - named], [clients, clients]);
		}
	},
	NEEDS,
);

scenario(
	"a download goes on through another gateway, which has never heard of it",
	async (scenario) => {
		const servers = await startNamed(scenario);
		const gateways = [
			await startQuicGateway(scenario, { a: servers }),
			await startQuicGateway(scenario, { a: servers }),
		] as const;
		const nat = await startNat(scenario, gateways[0].port());
		const download = ask(scenario, "quic-go", { port: nat.port, name: "a.test", bytes: BYTES });
		await Promise.race([nat.until(() => nat.down.came >= 300), download]);
		nat.leadTo(gateways[1].port());
		const [answer] = await download;
		assert.equal(answer?.sha256, sumOf(BYTES));
		for (const { server } of servers.filter(({ serverId }) => serverId === answer?.server))
			await server.closed(1);
		const lines = (await Promise.all(gateways.map((gateway) => gateway.closedSessions(1)))).flat();
		assert.deepEqual(
			lines.map(({ name }) => name),
			["a.test", null],
		);
		assert.equal(lines[0]?.address, lines[1]?.address);
	},
	NEEDS,
);

/** A flood of clients that say nothing, against a gateway that has few descriptors. */
import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { type Gateway, startGateway } from "../support/gateway.js";
import { dial, echo, LOOPBACK, type Peer, startUpstream } from "../support/peers.js";
import { type Scenario, scenario } from "../support/scenario.js";

const REQUEST = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
/** The flood's clients at once; more than there are places. */
const CROWD = 150;

/** With so few descriptors that some eighty sessions fill it. */
async function startTight(scenario: Scenario, limits = "{}"): Promise<{ gateway: Gateway; places: number }> {
	const upstream = await startUpstream(scenario, echo);
	const gateway = await startGateway(
		scenario,
		`
reactors: 1
limits: ${limits}
timeouts: { handshake: 60s }
listeners: [{ listen: 127.0.0.1:0, routes: [{ host: a, to: a }] }]
upstreams: { a: "${upstream.address}" }
`,
		{ through: ["sh", "-c", 'ulimit -n 250; exec "$@"', "-"] },
	);
	const places = (await gateway.metrics()).sum("sluice_connections_limit");
	assert.ok(places > 5 && places < CROWD, `${places} places`);
	return { gateway, places };
}

async function request(client: Peer): Promise<void> {
	await client.send(REQUEST);
	await client.expect(REQUEST);
}

/** Clients that say nothing, and come again whenever they are closed. */
function startFlood(scenario: Scenario, port: number, localAddress: string): void {
	let over = false;
	const sockets = new Set<Socket>();
	const knock = (): void => {
		const socket = connect({ host: LOOPBACK, port, localAddress });
		sockets.add(socket);
		socket.on("error", () => {});
		socket.once("close", () => {
			sockets.delete(socket);
			if (!over) knock();
		});
	};
	scenario.defer(() => {
		over = true;
		for (const socket of sockets) socket.destroy();
	});
	for (let count = 0; count < CROWD; count++) knock();
}

scenario(
	"a flood of silent clients from one address makes room for whoever wants something, and idle sessions survive it",
	async (scenario) => {
		const { gateway, places } = await startTight(scenario);
		const idle: Peer[] = [];
		for (let count = 0; count < 8; count++) {
			const client = await dial(scenario, gateway.port(), { localAddress: "127.0.0.3" });
			await request(client);
			idle.push(client);
		}
		startFlood(scenario, gateway.port(), "127.0.0.1");
		await gateway.metricIs("sluice_shed_total", (shed) => shed > 2 * places);
		for (let count = 0; count < 20; count++) {
			const client = await dial(scenario, gateway.port(), { localAddress: "127.0.0.2" });
			await request(client);
			client.end();
			await client.rest();
		}
		for (const client of idle) await request(client);
		for (const { source, reason } of gateway.ended)
			if (source.startsWith("127.0.0.1:")) assert.equal(reason, "fd_pressure");
			else assert.deepEqual([source.slice(0, 10), reason], ["127.0.0.2:", "client_closed"]);
		const metrics = await gateway.metrics();
		assert.ok(metrics.sum("sluice_connections_active") <= places + 1);
		assert.ok(metrics.sum("process_open_fds") <= 250);
	},
);

scenario("with limits.connections set, nobody is closed to make room: clients wait", async (scenario) => {
	const { gateway, places } = await startTight(scenario, "{ connections: 10 }");
	assert.equal(places, 10);
	const silent: Peer[] = [];
	for (let count = 0; count < places; count++) silent.push(await dial(scenario, gateway.port()));
	await gateway.metricIs("sluice_connections_active", (active) => active === places);
	const waiting = await dial(scenario, gateway.port(), { localAddress: "127.0.0.2" });
	await waiting.send(REQUEST);
	await gateway.metricIs("sluice_accept_pauses_total", (pauses) => pauses > 2, { cause: "connections" });
	assert.deepEqual(gateway.ended, []);
	assert.equal((await gateway.metrics()).sum("sluice_shed_total"), 0);
	silent[0]?.reset();
	silent[1]?.reset();
	// Each reactor has its own queue, and a place that one of them sees free is free for both.
	await waiting.expect(REQUEST);
	for (const client of silent.slice(2)) assert.equal(client.error, undefined);
});

scenario(
	"silent clients from many addresses go oldest first, so that one that comes and speaks is served",
	async (scenario) => {
		const { gateway, places } = await startTight(scenario);
		for (let count = 0; count < 3 * places; count++) {
			dial(scenario, gateway.port(), { localAddress: `127.0.1.${1 + (count % 200)}` }).catch(() => {});
		}
		await gateway.metricIs("sluice_shed_total", (shed) => shed === 2 * places);
		const client = await dial(scenario, gateway.port(), { localAddress: "127.0.0.2" });
		await request(client);
		client.end();
		await client.rest();
		for (const { source, reason } of gateway.ended)
			assert.equal(reason, source.startsWith("127.0.1.") ? "fd_pressure" : "client_closed");
	},
);

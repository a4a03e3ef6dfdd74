/** limits.connections_per_ip: who has many gets no more, and nobody else notices. */
import assert from "node:assert/strict";
import { type Gateway, startGateway } from "../support/gateway.js";
import { dial, echo, type Peer, startUpstream } from "../support/peers.js";
import { fate } from "../support/refusals.js";
import { type Scenario, scenario } from "../support/scenario.js";

const LIMIT = 3;

async function startLimited(scenario: Scenario, listener = ""): Promise<Gateway> {
	const upstream = await startUpstream(scenario, echo);
	return startGateway(
		scenario,
		`
reactors: 2
limits: { connections_per_ip: ${LIMIT} }
listeners: [{ listen: 127.0.0.1:0, ${listener} routes: [{ to: a }] }]
upstreams: { a: "${upstream.address}" }
`,
	);
}

async function echoing(client: Peer, text = "?"): Promise<void> {
	await client.send(text);
	await client.expect(text);
}

async function leave(client: Peer): Promise<void> {
	client.end();
	await client.rest();
}

scenario(
	"an address that has its connections gets no more; another is served meanwhile, and the first when one of its own has ended",
	async (scenario) => {
		const gateway = await startLimited(scenario);
		const first = { localAddress: "127.0.0.1" };
		const second = { localAddress: "127.0.0.2" };
		const clients: Peer[] = [];
		for (let count = 0; count < LIMIT; count++) {
			const client = await dial(scenario, gateway.port(), first);
			await echoing(client);
			clients.push(client);
		}
		// The kernel spreads them over both reactors; they are counted together.
		for (let count = 0; count < 20; count++)
			assert.equal(await fate(scenario, gateway.port(), first), "ECONNRESET");
		const stranger = await dial(scenario, gateway.port(), second);
		await echoing(stranger);
		for (const client of clients) await echoing(client);
		const metrics = await gateway.metrics();
		assert.equal(metrics.sum("sluice_source_addresses"), 2);
		assert.equal(metrics.sum("sluice_source_sessions_max"), LIMIT);

		const [gone, ...others] = clients;
		if (gone !== undefined) await leave(gone);
		await gateway.metricIs("sluice_connections_active", (active) => active === LIMIT);
		const again = await dial(scenario, gateway.port(), first);
		await echoing(again);
		assert.equal(await fate(scenario, gateway.port(), first), "ECONNRESET");
		for (const client of [...others, again, stranger]) await leave(client);
		const ended = await gateway.sessions(LIMIT + 2 + 21);
		const refused = ended.filter(({ reason }) => reason === "limit_ip");
		assert.equal(refused.length, 21);
		for (const { source, upstream } of refused)
			assert.deepEqual([source.split(":")[0], upstream], ["127.0.0.1", null]);
		for (const { reason } of ended.filter((session) => !refused.includes(session)))
			assert.equal(reason, "client_closed");
		await gateway.metricIs("sluice_source_addresses", (sources) => sources === 0);
	},
);

scenario(
	"behind PROXY headers the client that the header names is counted, not the balancer",
	async (scenario) => {
		const gateway = await startLimited(scenario, "proxy_protocol: require, trusted: [127.0.0.0/8],");
		// All of them come from one balancer.
		const visit = async (source: string): Promise<Peer> => {
			const client = await dial(scenario, gateway.port());
			client.socket.write(
				`PROXY ${source.includes(":") ? "TCP6" : "TCP4"} ${source} ${source} 1000 443\r\n?`,
			);
			return client;
		};
		const clients: Peer[] = [];
		for (const source of ["192.0.2.1", "192.0.2.2", "2001:db8::1"])
			for (let count = 0; count < LIMIT; count++) {
				// Hosts of one IPv6 network are one customer.
				const client = await visit(source.includes(":") ? `${source}${count}` : source);
				await client.expect("?");
				clients.push(client);
			}
		for (const source of ["192.0.2.1", "192.0.2.2", "2001:db8::ffff"])
			assert.equal(await (await visit(source)).over(), "ECONNRESET");
		// The balancer's own health checks count as its own.
		const check = await dial(scenario, gateway.port());
		check.socket.write("PROXY UNKNOWN\r\n?");
		await check.expect("?");
		assert.equal((await gateway.metrics()).sum("sluice_source_addresses"), 4);
		for (const client of [...clients, check]) await leave(client);
		const refused = (await gateway.sessions(clients.length + 4)).filter(
			({ reason }) => reason === "limit_ip",
		);
		assert.deepEqual(
			// Within one millisecond their order is not known.
			refused.map(({ source }) => source).sort(),
			["192.0.2.1:1000", "192.0.2.2:1000", "[2001:db8::ffff]:1000"],
		);
		await gateway.metricIs("sluice_source_addresses", (sources) => sources === 0);
	},
);

scenario("balancers that have sent no header yet are not counted against any limit", async (scenario) => {
	const gateway = await startLimited(scenario, "proxy_protocol: require, trusted: [127.0.0.0/8],");
	const waiting: Peer[] = [];
	for (let count = 0; count < 5 * LIMIT; count++) waiting.push(await dial(scenario, gateway.port()));
	await gateway.metricIs("sluice_connections_active", (active) => active === waiting.length);
	for (const [index, client] of waiting.entries()) {
		client.socket.write(`PROXY TCP4 192.0.2.${index} 192.0.2.200 1000 443\r\n?`);
		await client.expect("?");
		await leave(client);
	}
});

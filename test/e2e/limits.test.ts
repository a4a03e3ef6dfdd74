/** What happens at the limits: whoever comes too many waits, and nobody is lost. */
import assert from "node:assert/strict";
import { startGateway } from "../support/gateway.js";
import { dial, echo, type Peer, startUpstream } from "../support/peers.js";
import { scenario } from "../support/scenario.js";

async function echoing(client: Peer): Promise<void> {
	await client.send("?");
	await client.expect("?");
}

scenario(
	"the eleventh of ten connections waits in the accept queue, and is served when one ends",
	async (scenario) => {
		const upstream = await startUpstream(scenario, echo);
		const gateway = await startGateway(
			scenario,
			`
limits: { connections: 10 }
listeners: [{ listen: 127.0.0.1:0, routes: [{ to: a }] }]
upstreams: { a: "${upstream.address}" }
`,
		);
		const clients: Peer[] = [];
		for (let count = 0; count < 10; count++) {
			const client = await dial(scenario, gateway.port());
			await echoing(client);
			clients.push(client);
		}
		const eleventh = await dial(scenario, gateway.port());
		const twelfth = await dial(scenario, gateway.port());
		for (const waiting of [eleventh, twelfth]) await waiting.send("is anybody there?");
		await gateway.metricIs("sluice_accept_queue_depth", (depth) => depth === 2);
		await gateway.metricIs("sluice_accept_pauses_total", (pauses) => pauses > 0, { cause: "connections" });
		assert.equal((await gateway.metrics()).sum("sluice_connections_active"), 10);
		assert.equal((await gateway.metrics()).sum("sluice_connections_limit"), 10);
		assert.equal(upstream.peers.length, 10);
		// Those who are there notice nothing.
		for (const client of clients) await echoing(client);

		// Each reactor has a queue of its own, so which of the two is first is not said.
		const served = [eleventh, twelfth].map((waiting) => waiting.expect("is anybody there?"));
		clients[0]?.end();
		await Promise.race(served);
		clients[1]?.end();
		await Promise.all(served);
		await gateway.metricIs("sluice_accept_queue_depth", (depth) => depth === 0);
		assert.equal((await gateway.metrics()).sum("sluice_connections_active"), 10);
	},
);

scenario(
	"many more clients than limits.connections are all served, and never too many at once",
	async (scenario) => {
		let unanswered = 0;
		let most = 0;
		// Whoever has no answer yet has a session, so this count never runs ahead of the gateway's own.
		const upstream = await startUpstream(scenario, ({ socket }) => {
			most = Math.max(most, ++unanswered);
			setTimeout(() => {
				unanswered--;
				socket.end("yes");
			}, 2);
		});
		const limit = 4;
		const gateway = await startGateway(
			scenario,
			`
reactors: 2
limits: { connections: ${limit} }
listeners: [{ listen: 127.0.0.1:0, routes: [{ to: a }] }]
upstreams: { a: "${upstream.address}" }
`,
		);
		const count = 1500;
		await Promise.all(
			Array.from({ length: count }, async () => {
				const client = await dial(scenario, gateway.port());
				client.end("?");
				assert.equal(await client.rest(), "yes");
			}),
		);
		assert.equal((await gateway.sessions(count)).length, count);
		assert.ok(most <= limit, `${most} at once, and ${limit} are allowed`);
	},
);

scenario("a tight descriptor limit bounds the sessions, and the gateway stays up", async (scenario) => {
	const upstream = await startUpstream(scenario, echo);
	const gateway = await startGateway(
		scenario,
		`
listeners: [{ listen: 127.0.0.1:0, routes: [{ to: a }] }]
upstreams: { a: "${upstream.address}" }
`,
		{ through: ["sh", "-c", 'ulimit -n 250; exec "$@"', "-"] },
	);
	const limit = (await gateway.metrics()).sum("sluice_connections_limit");
	assert.ok(limit > 20 && limit < 120, `${limit} sessions of 250 descriptors`);
	const clients: Peer[] = [];
	for (let count = 0; count < limit + 30; count++) clients.push(await dial(scenario, gateway.port()));
	for (const client of clients) client.socket.write("?");
	await gateway.metricIs("sluice_connections_active", (active) => active === limit);
	await gateway.metricIs("sluice_accept_queue_depth", (depth) => depth === 30);
	assert.ok((await gateway.metrics()).sum("process_open_fds") <= 250);
	await Promise.all(
		clients.map(async (client) => {
			await client.expect("?");
			client.end();
			await client.rest();
		}),
	);
	for (const { reason } of await gateway.sessions(clients.length)) assert.equal(reason, "client_closed");
});

scenario("buffered_bytes bounds what waits for slow readers, and all of it arrives", async (scenario) => {
	const body = Buffer.alloc(6_000_000, "0123456789abcdef");
	const upstream = await startUpstream(scenario, ({ socket }) => socket.end(body));
	const gateway = await startGateway(
		scenario,
		`
reactors: 1
limits: { buffered_bytes: 64KiB }
listeners: [{ listen: 127.0.0.1:0, routes: [{ to: a }] }]
upstreams: { a: "${upstream.address}" }
`,
	);
	const clients: Peer[] = [];
	for (let count = 0; count < 12; count++) {
		const client = await dial(scenario, gateway.port());
		client.socket.pause();
		clients.push(client);
	}
	// All of them stand still: the kernel's buffers are full on both sides, and more would have to be held here.
	await gateway.metricIs("sluice_connections_active", (active) => active === clients.length);
	const chunks = await gateway.metricIs("sluice_chunks_lent", () => true);
	assert.ok(chunks * 32_768 <= 65_536, `${chunks} chunks`);
	await Promise.all(
		clients.map(async (client) => {
			client.socket.resume();
			await client.over();
			assert.ok(client.received.equals(body));
			client.end();
		}),
	);
	for (const { reason } of await gateway.sessions(clients.length)) assert.equal(reason, "upstream_closed");
	await gateway.metricIs("sluice_chunks_lent", (lent) => lent === 0);
});

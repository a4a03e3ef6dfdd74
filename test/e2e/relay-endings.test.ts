/** How a session ends is carried through: an end as an end, a reset as a reset, and what was said before it. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type Gateway, startGateway } from "../support/gateway.js";
import { dial, type Peer, startUpstream, type Upstream } from "../support/peers.js";
import { type Scenario, scenario } from "../support/scenario.js";

const LARGE = Buffer.alloc(20_000_000, "a large answer. ");

async function startRelay(
	scenario: Scenario,
	serve: (peer: Peer) => void = () => {},
): Promise<{ gateway: Gateway; upstream: Upstream }> {
	const upstream = await startUpstream(scenario, serve);
	const gateway = await startGateway(
		scenario,
		`
listeners: [{ listen: 127.0.0.1:0, routes: [{ to: a }] }]
upstreams: { a: "${upstream.address}" }
`,
	);
	return { gateway, upstream };
}

scenario("a client that ends first still gets a large answer, all of it", async (scenario) => {
	const { gateway } = await startRelay(scenario, (peer) => {
		void peer.rest().then((question) => {
			assert.equal(question, "the whole question");
			peer.end(LARGE);
		});
	});
	const client = await dial(scenario, gateway.port());
	client.end("the whole question");
	await client.over();
	assert.ok(client.received.equals(LARGE));
	const session = await gateway.onlySession();
	assert.equal(session.reason, "client_closed");
	assert.equal(session.bytes_to_client, LARGE.length);
});

scenario("an upstream that ends first still gets all that the client has to say", async (scenario) => {
	const { gateway, upstream } = await startRelay(scenario, (peer) => peer.end("goodbye"));
	const client = await dial(scenario, gateway.port());
	assert.equal(await client.rest(), "goodbye");
	client.end(LARGE);
	const server = await upstream.accepted();
	await server.over();
	assert.ok(server.received.equals(LARGE));
	const session = await gateway.onlySession();
	assert.equal(session.reason, "upstream_closed");
	assert.equal(session.bytes_from_client, LARGE.length);
});

scenario("a client that connects, ends and says nothing is a session without bytes", async (scenario) => {
	const { gateway, upstream } = await startRelay(scenario);
	const client = await dial(scenario, gateway.port());
	client.end();
	const server = await upstream.accepted();
	assert.equal(await server.rest(), "");
	server.end();
	assert.equal(await client.rest(), "");
	const session = await gateway.onlySession();
	assert.deepEqual(
		[session.reason, session.bytes_from_client, session.bytes_to_client],
		["client_closed", 0, 0],
	);
});

scenario("a client that resets is a reset at the upstream", async (scenario) => {
	const { gateway, upstream } = await startRelay(scenario);
	const client = await dial(scenario, gateway.port());
	await client.send("half a sent");
	const server = await upstream.accepted();
	await server.expect("half a sent");
	client.reset();
	assert.equal(await server.over(), "ECONNRESET");
	assert.equal((await gateway.onlySession()).reason, "client_reset");
});

scenario("an upstream that resets is a reset at the client", async (scenario) => {
	const { gateway, upstream } = await startRelay(scenario);
	const client = await dial(scenario, gateway.port());
	const server = await upstream.accepted();
	await server.send("half an answ");
	await client.expect("half an answ");
	server.reset();
	assert.equal(await client.over(), "ECONNRESET");
	assert.equal((await gateway.onlySession()).reason, "upstream_reset");
});

scenario("a client that resets after it has ended is a reset at the upstream", async (scenario) => {
	const { gateway, upstream } = await startRelay(scenario);
	const client = await dial(scenario, gateway.port());
	client.end("bye");
	const server = await upstream.accepted();
	assert.equal(await server.rest(), "bye");
	client.reset();
	assert.equal((await gateway.onlySession()).reason, "client_reset");
	// The upstream's own direction was still open. After a mere end its next write would still be taken; it reads
	// no more, so only a write shows it the reset, which Linux reports as EPIPE behind an end.
	const failed = once(server.socket, "error");
	server.socket.write("too late");
	const [error] = (await failed) as [NodeJS.ErrnoException];
	assert.equal(error.code, "EPIPE");
});

scenario(
	"an answer that comes before the question was read, and then a reset, reaches the client",
	async (scenario) => {
		const answer = "HTTP/1.1 413 Content Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
		const { gateway } = await startRelay(scenario, ({ socket }) => {
			socket.once("data", () => {
				// What is unread turns the close into a reset.
				socket.pause();
				socket.write(answer, () => socket.resetAndDestroy());
			});
		});
		// The answer and the reset may arrive together or apart, while the gateway is sending or waiting to: many
		// rounds meet all of these.
		for (const questionBytes of [10, 100_000, 3_000_000]) {
			for (let round = 0; round < 15; round++) {
				const client = await dial(scenario, gateway.port());
				client.socket.write(Buffer.alloc(questionBytes, "q"));
				await client.over();
				assert.equal(client.received.toString(), answer, `${questionBytes} bytes, round ${round}`);
				client.socket.destroy();
			}
		}
		for (const { reason } of await gateway.sessions(45)) assert.equal(reason, "upstream_reset");
	},
);

scenario("a client that resets while it is not reading leaves nothing behind", async (scenario) => {
	const { gateway, upstream } = await startRelay(scenario, ({ socket }) => socket.write(LARGE));
	const client = await dial(scenario, gateway.port());
	client.socket.pause();
	await upstream.accepted();
	await client.send("so that both directions have been used");
	await gateway.metricIs("sluice_buffered_bytes", (bytes) => bytes > 0);
	client.reset();
	const server = await upstream.accepted();
	assert.equal(await server.over(), "ECONNRESET");
	assert.equal((await gateway.onlySession()).reason, "client_reset");
	await gateway.metricIs("sluice_buffered_bytes", (bytes) => bytes === 0);
});

scenario("an upstream that resets while it is not reading leaves nothing behind", async (scenario) => {
	const { gateway, upstream } = await startRelay(scenario, ({ socket }) => socket.pause());
	const client = await dial(scenario, gateway.port());
	client.socket.write(LARGE);
	const server = await upstream.accepted();
	await gateway.metricIs("sluice_buffered_bytes", (bytes) => bytes > 0);
	server.reset();
	assert.match(await client.over(), /ECONNRESET|EPIPE/);
	assert.equal((await gateway.onlySession()).reason, "upstream_reset");
	await gateway.metricIs("sluice_buffered_bytes", (bytes) => bytes === 0);
});

/** Each way in which a relayed session can take too long. Those that look like one are in reactor/deadlines. */
import assert from "node:assert/strict";
import { type Gateway, type SessionLine, startGateway } from "../support/gateway.js";
import { dial, echo, type Peer, startUpstream, type Upstream } from "../support/peers.js";
import { type Scenario, scenario } from "../support/scenario.js";

async function startRelay(
	scenario: Scenario,
	timeouts: string,
	serve: (peer: Peer) => void = () => {},
): Promise<{ gateway: Gateway; upstream: Upstream }> {
	const upstream = await startUpstream(scenario, serve);
	const gateway = await startGateway(
		scenario,
		`
timeouts: { ${timeouts} }
listeners: [{ listen: 127.0.0.1:0, routes: [{ to: a }] }]
upstreams: { a: "${upstream.address}" }
`,
	);
	return { gateway, upstream };
}

function lifeMs({ connected, closed }: SessionLine): number {
	return Date.parse(closed) - Date.parse(connected ?? "");
}

scenario("a session without a byte in either direction ends as idle_timeout", async (scenario) => {
	const { gateway } = await startRelay(scenario, "idle: 250ms");
	const client = await dial(scenario, gateway.port());
	assert.equal(await client.rest(), "");
	const session = await gateway.onlySession();
	assert.equal(session.reason, "idle_timeout");
	assert.ok(lifeMs(session) >= 249, `${lifeMs(session)} ms`);
});

for (const first of ["client", "upstream"] as const) {
	scenario(
		`after the ${first} has ended, a silent other side ends as half_closed_timeout`,
		async (scenario) => {
			const { gateway, upstream } = await startRelay(scenario, "half_closed: 250ms");
			const client = await dial(scenario, gateway.port());
			const server = await upstream.accepted();
			const [ending, silent] = first === "client" ? [client, server] : [server, client];
			ending.end("that was all");
			assert.equal(await silent.rest(), "that was all");
			assert.equal(await ending.rest(), "");
			const session = await gateway.onlySession();
			assert.equal(session.reason, "half_closed_timeout");
			assert.ok(lifeMs(session) >= 249, `${lifeMs(session)} ms`);
		},
	);
}

scenario("lifetime ends a session however busy it is", async (scenario) => {
	const { gateway } = await startRelay(scenario, "lifetime: 600ms", echo);
	const client = await dial(scenario, gateway.port());
	const busy = setInterval(() => client.socket.write("."), 20);
	scenario.defer(() => clearInterval(busy));
	await client.over();
	clearInterval(busy);
	const session = await gateway.onlySession();
	assert.equal(session.reason, "lifetime");
	// Each session lives up to a tenth less.
	assert.ok(Date.parse(session.closed) - Date.parse(session.accepted) >= 539);
	assert.ok(session.bytes_to_client > 0);
});

const LARGE = Buffer.alloc(30_000_000, "x");

scenario(
	"a client that takes nothing is ended by the stall deadline, and the upstream sees a reset",
	async (scenario) => {
		const { gateway, upstream } = await startRelay(scenario, "stall: 300ms", ({ socket }) =>
			socket.write(LARGE),
		);
		const client = await dial(scenario, gateway.port());
		client.socket.pause();
		const server = await upstream.accepted();
		assert.equal(await server.over(), "ECONNRESET");
		const session = await gateway.onlySession();
		assert.equal(session.reason, "stall_timeout");
		assert.ok(session.bytes_to_client < LARGE.length);
		client.socket.resume();
		// Node tells of an end where a reset waits behind bytes: what matters is that not all of them came.
		await client.over();
		assert.ok(client.received.length < LARGE.length);
	},
);

scenario(
	"an upstream that takes nothing is ended by the stall deadline, although it still talks",
	async (scenario) => {
		const { gateway } = await startRelay(scenario, "stall: 300ms", ({ socket }) => {
			socket.pause();
			const talk = setInterval(() => socket.write("."), 50);
			socket.once("close", () => clearInterval(talk));
		});
		const client = await dial(scenario, gateway.port());
		client.socket.write(LARGE);
		// Node tells of an end where a reset waits behind bytes, and bytes there are.
		assert.match(await client.over(), /ECONNRESET|EPIPE|ended/);
		const session = await gateway.onlySession();
		assert.equal(session.reason, "stall_timeout");
		assert.ok(session.bytes_from_client < LARGE.length);
	},
);

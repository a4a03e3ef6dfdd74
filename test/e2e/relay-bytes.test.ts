/** What goes in comes out: every byte, in order, in both directions at once. */
import assert from "node:assert/strict";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { startGateway } from "../support/gateway.js";
import { type Scenario, scenario } from "../support/scenario.js";
import { type Carried, receiveRandomly, sendRandomly } from "../support/streams.js";

const MIB = 1024 * 1024;

interface Exchange {
	readonly upBytes: number;
	readonly downBytes: number;
	readonly seed: number;
}

/** A gateway and an upstream that sends `downBytes` of whatever exchange is under way, and receives what comes. */
async function startExchanges(
	scenario: Scenario,
	path?: string,
): Promise<(exchange: Exchange) => Promise<void>> {
	let serve: (socket: Socket) => void = () => {};
	const server = createServer({ allowHalfOpen: true }, (socket) => serve(socket));
	await new Promise<void>((resolve) => server.listen(path ?? { port: 0, host: "127.0.0.1" }, resolve));
	scenario.defer(() => new Promise((resolve) => server.close(resolve)));
	const address = server.address();
	const upstream = typeof address === "string" ? `unix:${address}` : `127.0.0.1:${address?.port}`;
	const gateway = await startGateway(
		scenario,
		`
listeners: [{ listen: 127.0.0.1:0, routes: [{ to: a }] }]
upstreams: { a: "${upstream}" }
`,
	);
	let ended = 0;
	return async ({ upBytes, downBytes, seed }) => {
		const inside = new Promise<[Carried, Carried]>((resolve, reject) => {
			serve = (socket) => {
				scenario.defer(() => socket.destroy());
				Promise.all([sendRandomly(socket, downBytes, seed), receiveRandomly(socket, seed + 1)]).then(
					resolve,
					reject,
				);
			};
		});
		const socket = connect({ port: gateway.port(), host: "127.0.0.1", allowHalfOpen: true });
		scenario.defer(() => socket.destroy());
		const outside = Promise.all([sendRandomly(socket, upBytes, seed + 2), receiveRandomly(socket, seed + 3)]);
		const [[down, up], [sentUp, gotDown]] = await Promise.all([inside, outside]);
		assert.deepEqual(up, sentUp, `what the upstream got, seed ${seed}`);
		assert.deepEqual(gotDown, down, `what the client got, seed ${seed}`);
		const session = (await gateway.sessions(++ended)).at(-1);
		assert.equal(session?.bytes_from_client, upBytes);
		assert.equal(session?.bytes_to_client, downBytes);
		assert.match(session?.reason ?? "", /^(client|upstream)_closed$/);
	};
}

scenario(
	"bytes arrive unchanged in both directions at once, at every size around the buffers'",
	async (scenario) => {
		const exchange = await startExchanges(scenario);
		const sizes = [0, 1, 16_383, 16_384, 32_767, 32_768, 32_769, 5 * 32_768, 1_000_003];
		for (const [index, upBytes] of sizes.entries())
			await exchange({ upBytes, downBytes: sizes[sizes.length - 1 - index] ?? 0, seed: 1000 + index });
	},
);

scenario("100 MiB each way arrive unchanged", async (scenario) => {
	const exchange = await startExchanges(scenario);
	await exchange({ upBytes: 100 * MIB, downBytes: 100 * MIB, seed: 7 });
});

scenario("a Unix socket carries the same bytes", async (scenario) => {
	const exchange = await startExchanges(scenario, join(scenario.directory, "upstream.sock"));
	await exchange({ upBytes: 1, downBytes: 0, seed: 1 });
	await exchange({ upBytes: 10 * MIB, downBytes: 10 * MIB, seed: 2 });
});

scenario("sessions side by side do not mix their bytes", async (scenario) => {
	const server = createServer({ allowHalfOpen: true }, (socket) => {
		scenario.defer(() => socket.destroy());
		socket.pipe(socket);
	});
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	scenario.defer(() => new Promise((resolve) => server.close(resolve)));
	const { port } = server.address() as { port: number };
	const gateway = await startGateway(
		scenario,
		`
listeners: [{ listen: 127.0.0.1:0, routes: [{ to: a }] }]
upstreams: { a: "127.0.0.1:${port}" }
`,
	);
	const count = 40;
	await Promise.all(
		Array.from({ length: count }, async (_, index) => {
			const socket = connect({ port: gateway.port(), host: "127.0.0.1", allowHalfOpen: true });
			scenario.defer(() => socket.destroy());
			const [sent, received] = await Promise.all([
				sendRandomly(socket, (index % 8) * 300_000 + index, index),
				receiveRandomly(socket, index),
			]);
			assert.deepEqual(received, sent);
		}),
	);
	assert.equal((await gateway.sessions(count)).length, count);
});

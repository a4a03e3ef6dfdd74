/** TCP's urgent data: the byte itself is lost, as it is to every reader that does not ask for it, and nothing else is. */
import assert from "node:assert/strict";
import type { Socket } from "node:net";
import * as libc from "../../src/kernel/libc.js";
import { type Gateway, startGateway } from "../support/gateway.js";
import { dial, type Peer, startUpstream, type Upstream } from "../support/peers.js";
import { type Scenario, scenario } from "../support/scenario.js";
import { eventually } from "../support/waiting.js";

const MSG_OOB = 0x1;

/** Sends one urgent byte behind what the kernel has taken already. */
async function sendUrgent(socket: Socket): Promise<void> {
	// Node has no way to send it, but its socket is the kernel's.
	const { fd } = (socket as unknown as { _handle: { fd: number } })._handle;
	const byte = Buffer.from("!");
	await eventually(
		() => (libc.send(fd, libc.addressOf(byte), 1, MSG_OOB) === 1 ? true : undefined),
		() => `urgent data is not taken: errno ${libc.errno()}`,
	);
}

async function startRelay(scenario: Scenario): Promise<{ gateway: Gateway; upstream: Upstream }> {
	const upstream = await startUpstream(scenario);
	const gateway = await startGateway(
		scenario,
		`
listeners: [{ listen: 127.0.0.1:0, routes: [{ to: a }] }]
upstreams: { a: "${upstream.address}" }
`,
	);
	return { gateway, upstream };
}

/** All that is sent in `body` is there when the gateway looks for the first time. */
async function whileItSleeps(gateway: Gateway, body: () => Promise<void>): Promise<void> {
	gateway.child.signal("SIGSTOP");
	await body().finally(() => gateway.child.signal("SIGCONT"));
}

async function sendAround(peer: Peer): Promise<void> {
	await peer.send("before");
	await sendUrgent(peer.socket);
	await peer.send("after");
}

for (const sender of ["client", "upstream"] as const) {
	scenario(
		`what stands behind urgent data of the ${sender} arrives without further traffic`,
		async (scenario) => {
			const { gateway, upstream } = await startRelay(scenario);
			const client = await dial(scenario, gateway.port());
			const server = await upstream.accepted();
			const [from, to] = sender === "client" ? [client, server] : [server, client];
			// A second time as well: the first mark is behind it then.
			for (let round = 0; round < 2; round++) {
				await whileItSleeps(gateway, () => sendAround(from));
				await to.expect("beforeafter");
			}
			await to.send("answer");
			await from.expect("answer");
			from.end();
			assert.equal(await to.rest(), "");
			to.end();
			assert.equal((await gateway.onlySession()).reason, `${sender}_closed`);
		},
	);
}

scenario("what stands behind urgent data among the client's first bytes arrives", async (scenario) => {
	const { gateway, upstream } = await startRelay(scenario);
	let client: Peer | undefined;
	await whileItSleeps(gateway, async () => {
		client = await dial(scenario, gateway.port());
		await sendAround(client);
	});
	const server = await upstream.accepted();
	await server.expect("beforeafter");
	client?.end();
	assert.equal(await server.rest(), "");
	server.end();
	assert.equal((await gateway.onlySession()).bytes_from_client, "beforeafter".length);
});

scenario("urgent data in the middle of bulk stops none of it", async (scenario) => {
	const { gateway, upstream } = await startRelay(scenario);
	const client = await dial(scenario, gateway.port());
	const server = await upstream.accepted();
	const half = Buffer.alloc(8_000_000, "0123456789abcdef");
	// Held back until a good part waits in the kernel: what is spliced is what comes faster than it is read.
	server.socket.pause();
	const sent = client.send(half);
	await gateway.metricIs("sluice_buffered_bytes", (bytes) => bytes > 0);
	server.socket.resume();
	await sent;
	await sendUrgent(client.socket);
	await client.send(half);
	const all = await server.take(2 * half.length);
	assert.ok(all.equals(Buffer.concat([half, half])));
	client.end();
	assert.equal(await server.rest(), "");
	server.end();
	assert.equal((await gateway.onlySession()).bytes_from_client, 2 * half.length);
	assert.ok((await gateway.metrics()).sum("sluice_spliced_bytes_total") > 0);
});

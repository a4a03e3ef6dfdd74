/** limits.memory: readers that stop behind full buffers are closed before they take the machine's memory. */
import assert from "node:assert/strict";
import type { Gateway } from "../support/gateway.js";
import { startGateway } from "../support/gateway.js";
import { dial, type Peer, startUpstream, type Upstream } from "../support/peers.js";
import { type Scenario, scenario } from "../support/scenario.js";

const MEBIBYTE = 1_048_576;
const BLOCK = Buffer.alloc(MEBIBYTE, "x");

/** An upstream that pours when it is told "pour", and otherwise says everything back. */
function startPouring(scenario: Scenario): Promise<Upstream> {
	return startUpstream(scenario, ({ socket }) => {
		const pour = (): void => {
			while (socket.writable && socket.write(BLOCK));
		};
		socket.on("end", () => socket.destroy());
		socket.on("data", (bytes: Buffer) => {
			if (bytes.toString() !== "pour") socket.write(bytes);
			else {
				socket.on("drain", pour);
				pour();
			}
		});
	});
}

async function startSmall(scenario: Scenario, upstream: Upstream, more: string): Promise<Gateway> {
	return startGateway(
		scenario,
		`
reactors: 2
${more}
listeners: [{ listen: 127.0.0.1:0, routes: [{ to: a }] }]
upstreams: { a: "${upstream.address}" }
`,
	);
}

/** A client that asks for much and reads nothing. */
async function stalled(scenario: Scenario, gateway: Gateway): Promise<Peer> {
	const client = await dial(scenario, gateway.port());
	client.socket.pause();
	await client.send("pour");
	return client;
}

async function echoing(client: Peer): Promise<void> {
	await client.send("?");
	await client.expect("?");
}

scenario(
	"stalled readers beyond limits.memory are closed as memory_pressure; who is idle or moves bytes stays",
	async (scenario) => {
		const upstream = await startPouring(scenario);
		// Each stalled reader may hold more than a megabyte, and twenty of them are too many.
		const gateway = await startSmall(
			scenario,
			upstream,
			"limits: { memory: 16MiB }\nsockets: { unsent: 4MiB, send_buffer: 1MiB, receive_buffer: 1MiB }",
		);
		assert.equal((await gateway.metrics()).sum("sluice_memory_limit_bytes"), 16 * MEBIBYTE);
		const idle: Peer[] = [];
		for (let count = 0; count < 10; count++) {
			const client = await dial(scenario, gateway.port());
			await echoing(client);
			idle.push(client);
		}
		// It takes all that comes, all the time.
		const busy = await dial(scenario, gateway.port());
		let taken = 0;
		busy.socket.removeAllListeners("data").on("data", (bytes: Buffer) => {
			taken += bytes.length;
		});
		await busy.send("pour");
		const readers = await Promise.all(Array.from({ length: 20 }, () => stalled(scenario, gateway)));
		await gateway.metricIs("sluice_memory_pressure", (under) => under === 1);
		const ended = await gateway.sessions(3);
		const names = new Set(readers.map(({ name }) => name));
		for (const { source, reason } of ended) {
			assert.equal(reason, "memory_pressure");
			assert.ok(names.has(source), `${source} was not stalled`);
		}
		await gateway.metricIs("sluice_memory_pressure", (under) => under === 0);
		await gateway.logged(({ message }) => message.startsWith("memory pressure: "));
		await gateway.logged(({ message }) => message === "memory pressure is over");
		for (const client of idle) await echoing(client);
		const before = taken;
		await gateway.metricIs("sluice_bytes_total", (bytes) => bytes > before, { direction: "to_client" });
		assert.equal(busy.error, undefined);
		for (const { source } of gateway.ended) assert.ok(names.has(source), `${source} was not stalled`);
		const metrics = await gateway.metrics();
		assert.equal(metrics.sum("sluice_shed_total"), gateway.ended.length);
		assert.ok(metrics.sum("sluice_connections_active") > idle.length);
	},
);

scenario("pressure is over also when all sessions have ended", async (scenario) => {
	const upstream = await startPouring(scenario);
	const gateway = await startSmall(
		scenario,
		upstream,
		"limits: { memory: 16MiB }\nsockets: { unsent: 4MiB, send_buffer: 1MiB, receive_buffer: 1MiB }",
	);
	const readers = await Promise.all(Array.from({ length: 20 }, () => stalled(scenario, gateway)));
	await gateway.metricIs("sluice_memory_pressure", (under) => under === 1);
	for (const reader of readers) reader.socket.destroy();
	await gateway.sessions(readers.length);
	await gateway.metricIs("sluice_memory_pressure", (under) => under === 0);
});

scenario("sockets.unsent bounds what one stalled reader holds", async (scenario) => {
	const upstream = await startPouring(scenario);
	const held = async (unsent: string): Promise<number> => {
		const gateway = await startSmall(
			scenario,
			upstream,
			`sockets: { unsent: ${unsent} }\nlimits: { memory: 1GiB }`,
		);
		const client = await stalled(scenario, gateway);
		// It stands still when as much waits as at the look before.
		let before = -1;
		const bytes = await gateway.metricIs("sluice_bytes_total", (now) => {
			const still = now > 0 && now === before;
			before = now;
			return still;
		});
		assert.ok(bytes > 0);
		// Asking the ledger has the reactors measure.
		await gateway.admin("/api/ledger");
		const memory = (await gateway.metrics()).sum("sluice_socket_memory_bytes");
		client.socket.destroy();
		await gateway.sessions(1);
		return memory;
	};
	const little = await held("32KiB");
	const much = await held("1MiB");
	assert.ok(much - little > 512 * 1_024, `${little} bytes with 32 KiB, ${much} with 1 MiB`);
});

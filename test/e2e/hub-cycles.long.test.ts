/** Ten thousand subscribers that come and go, and as many subscriptions of those who stay: at the end there is what was there before. */
import assert from "node:assert/strict";
import { residentBytes } from "../../src/rig/proc.js";
import { type Gateway, startGateway } from "../support/gateway.js";
import { growth } from "../support/growth.js";
import { api, hubConfig, publish, subscribers } from "../support/hub.js";
import {
	openEvents,
	openFramed,
	openWebSocket,
	UPGRADE,
	type WebSocketClient,
} from "../support/hub-clients.js";
import { dial } from "../support/peers.js";
import { type Scenario, scenario } from "../support/scenario.js";

const MEBIBYTE = 1_048_576;
const ROUNDS = 20;
/** Until what is compiled and kept is there. */
const WARM_UP_ROUNDS = 4;
const PER_ROUND = 1_000;
/** Of the heap of each thread: so little that what has become old is taken every few rounds, and not after minutes. */
const HEAP_MAX_MEBIBYTES = 48;
/** Of a thread, the least in each half of the rounds: eight thousand subscribers lie between the two, which is 400 bytes each. */
const HEAP_DRIFT_MAX_BYTES = 3 * MEBIBYTE;
const RESIDENT_DRIFT_MAX_BYTES = 16 * MEBIBYTE;

async function start(scenario: Scenario): Promise<Gateway> {
	return startGateway(
		scenario,
		`log: { sessions: false }
${hubConfig({
	channels: ['{ match: "c/*", subscribe: public, replay: { messages: 10 } }'],
	// So little that it is full before the first round is over.
	hub: ["memory: 1MiB", "limits: { channels: 500 }"],
	framed: "c/0",
})}`,
		{ through: ["env", `NODE_OPTIONS=--max-old-space-size=${HEAP_MAX_MEBIBYTES}`] },
	);
}

interface Memory {
	readonly resident: number;
	/** Of each thread. */
	readonly heaps: readonly number[];
}

async function memoryOf(gateway: Gateway): Promise<Memory> {
	const heaps = (await gateway.metrics()).find("sluice_thread_heap_bytes").map(({ value }) => value);
	return { resident: residentBytes(gateway.pid), heaps };
}

function mebibytes(bytes: number): string {
	return (bytes / MEBIBYTE).toFixed(1);
}

/** Each round is the same, and leaves what the one before left. */
async function isFlat(gateway: Gateway, round: (number: number) => Promise<void>): Promise<void> {
	const memory: Memory[] = [];
	for (let number = 0; number < ROUNDS; number++) {
		await round(number);
		await gateway.metricIs("sluice_hub_subscribers", (count) => count === 0);
		memory.push(await memoryOf(gateway));
	}
	const shown = memory
		.map(({ resident, heaps }) => `${mebibytes(resident)} (${heaps.map(mebibytes).join(" ")})`)
		.join(", ");
	const later = memory.slice(WARM_UP_ROUNDS);
	for (const thread of later[0]?.heaps.keys() ?? []) {
		const drift = growth(later.map(({ heaps }) => heaps[thread] ?? 0));
		assert.ok(drift < HEAP_DRIFT_MAX_BYTES, `thread ${thread}: ${mebibytes(drift)}; MiB (heaps): ${shown}`);
	}
	const drift = growth(later.map(({ resident }) => resident));
	assert.ok(drift < RESIDENT_DRIFT_MAX_BYTES, `resident: ${mebibytes(drift)}; MiB (heaps): ${shown}`);
	const metrics = await gateway.metrics();
	for (const name of ["outbox_bytes", "incoming_bytes", "blocked"])
		assert.equal(metrics.sum(`sluice_hub_${name}`), 0, name);
	const { value } = await api(gateway, "GET", "");
	for (const { subscribers: there } of value["channels"] as { subscribers: number }[]) assert.equal(there, 0);
}

/** `most` at a time. */
async function each(count: number, most: number, what: (index: number) => Promise<void>): Promise<void> {
	let index = 0;
	await Promise.all(
		Array.from({ length: most }, async () => {
			while (index < count) await what(index++);
		}),
	);
}

scenario("ten thousand subscriptions that are taken and given up leave nothing", async (scenario) => {
	const gateway = await start(scenario);
	const clients: WebSocketClient[] = [];
	for (let count = 0; count < 10; count++) clients.push(await openWebSocket(scenario, gateway.port(), ""));
	await isFlat(gateway, async (round) => {
		await each(PER_ROUND, clients.length, async (index) => {
			const client = clients[index % clients.length] as WebSocketClient;
			const ref = round * PER_ROUND + index;
			const channel = `c/${ref % 100}`;
			client.say({ type: "subscribe", channel, ref: `s${ref}`, last: index % 2 === 0 });
			client.say({ type: "unsubscribe", channel, ref: `u${ref}` });
			if (index % 20 === 0) await publish(gateway, channel, "x".repeat(1_000));
			await client.heard((told) => told.ref === `u${ref}`);
		});
		for (const { all } of clients) all.length = 0;
	});
	await gateway.metricIs("sluice_connections_active", (count) => count === clients.length);
});

scenario(
	"ten thousand connections that come in each protocol and go in each way leave nothing",
	async (scenario) => {
		const gateway = await start(scenario);
		const request = `GET /channels/c/1 HTTP/1.1\r\nHost: a.test\r\n${UPGRADE}\r\n`;
		const ways: readonly ((index: number) => Promise<void>)[] = [
			async (index) => {
				const client = await openWebSocket(scenario, gateway.port(), `c/${index % 300}?last=1`);
				client.close();
				await client.over();
			},
			async (index) => {
				const client = await openEvents(scenario, gateway.port(), `c/${index % 300}`);
				client.socket.end();
				await client.over();
			},
			async () => {
				const client = await openFramed(scenario, gateway.port(1));
				await client.expect("subscribed");
				client.peer.reset();
			},
			async () => {
				const peer = await dial(scenario, gateway.port());
				await peer.send(request);
				peer.reset();
			},
			async () => {
				const peer = await dial(scenario, gateway.port());
				await peer.send(request.slice(0, 60));
				peer.reset();
			},
		];
		await isFlat(gateway, async () => {
			await each(PER_ROUND, 20, async (index) => {
				await ways[index % ways.length]?.(index);
				if (index % 50 === 0) await publish(gateway, `c/${index % 300}`, "x".repeat(1_000));
			});
			await gateway.metricIs("sluice_connections_active", (count) => count === 0);
		});
		await subscribers(gateway, "c/0", 0);
		const { body } = await gateway.admin("/api/ledger");
		assert.deepEqual((JSON.parse(body) as { discrepancies: unknown[] }).discrepancies, []);
	},
);

scenario("a thousand subscribers that are there at once vanish at once", async (scenario) => {
	const gateway = await start(scenario);
	await isFlat(gateway, async () => {
		const clients = await Promise.all(
			Array.from({ length: 1_000 }, async (_, index) => {
				const framed = index % 2 === 0;
				const client = framed
					? await openFramed(scenario, gateway.port(1))
					: await openEvents(scenario, gateway.port(), "c/0");
				await client.expect("subscribed");
				return client;
			}),
		);
		await publish(gateway, "c/0", ...Array.from({ length: 20 }, () => "x".repeat(1_000)));
		for (const client of clients) client.peer.reset();
		await gateway.metricIs("sluice_connections_active", (count) => count === 0);
	});
});

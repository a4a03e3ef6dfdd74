/** Clients of the hub that mean it harm, or know no better: floods, crowds that vanish, publishers that do not heed a limit. */
import assert from "node:assert/strict";
import type { Gateway } from "../support/gateway.js";
import { api, hubKeys, publish, SMALL_BUFFERS, startHub, subscribers } from "../support/hub.js";
import {
	type HubClient,
	masked,
	openEvents,
	openFramed,
	openWebSocket,
	UPGRADE,
} from "../support/hub-clients.js";
import { dial } from "../support/peers.js";
import { type Scenario, scenario } from "../support/scenario.js";

function start(scenario: Scenario): Promise<Gateway> {
	return startHub(scenario, {
		channels: [
			"{ match: a, subscribe: public, publish: public, presence: count }",
			"{ match: rated, subscribe: public, publish: public, publish_per_second: 50 }",
		],
		framed: "a",
		sections: [SMALL_BUFFERS],
	});
}

/** Says it over and over, and reads nothing, until it is over. */
async function flood(client: HubClient, bytes: Buffer): Promise<string> {
	client.pause();
	const pour = (): void => {
		while (client.socket.writable && client.socket.write(bytes));
	};
	client.socket.on("drain", pour);
	pour();
	await new Promise<void>((resolve) => client.socket.once("close", () => resolve()));
	return client.peer.error ?? "ended";
}

scenario("who floods and reads no answers is cut, and costs the others nothing", async (scenario) => {
	const gateway = await start(scenario);
	const healthy = await openWebSocket(scenario, gateway.port(), "a");
	await healthy.expect("subscribed");
	const times = (frame: Buffer): Buffer => Buffer.concat(Array.from({ length: 200 }, () => frame));
	const asks = Buffer.from(JSON.stringify({ type: "presence", channel: "a", ref: "r".repeat(60) }));
	const length = Buffer.alloc(4);
	length.writeUInt32BE(asks.length);
	const floods = [
		{ client: await openWebSocket(scenario, gateway.port(), ""), bytes: times(masked(9, Buffer.alloc(125))) },
		{ client: await openWebSocket(scenario, gateway.port(), ""), bytes: times(masked(1, asks)) },
		{ client: await openFramed(scenario, gateway.port(1)), bytes: times(Buffer.concat([length, asks])) },
	];
	const memory = await gateway.metrics();
	const ends = floods.map(({ client, bytes }) => flood(client, bytes));
	await publish(gateway, "a", "meanwhile");
	assert.deepEqual(await healthy.texts(1), ["meanwhile"]);
	for (const [index, end] of ends.entries()) {
		await end;
		const { reason } = await gateway.sessionOf(floods[index]?.client ?? { name: "" });
		assert.equal(reason, "memory_pressure", `${index}`);
	}
	const after = await gateway.metrics();
	for (const name of ["outbox_bytes", "incoming_bytes", "blocked"])
		assert.equal(after.sum(`sluice_hub_${name}`), 0, name);
	assert.equal(after.sum("sluice_buffered_bytes"), memory.sum("sluice_buffered_bytes"));
});

scenario(
	"who talks to an event stream is not listened to, and one that reads its answers is not cut",
	async (scenario) => {
		const gateway = await start(scenario);
		const events = await openEvents(scenario, gateway.port(), "a");
		await events.expect("subscribed");
		for (let count = 0; count < 50; count++) await events.peer.send(Buffer.alloc(10_000, 65));
		const talker = await openWebSocket(scenario, gateway.port(), "a");
		for (let ref = 0; ref < 2_000; ref++) talker.say({ type: "presence", channel: "a", ref });
		await talker.heard(({ ref }) => ref === 1_999);
		const refs = talker.all.flatMap(({ ref }) => (typeof ref === "number" ? [ref] : []));
		assert.deepEqual(
			refs,
			Array.from({ length: 2_000 }, (_, ref) => ref),
		);
		await publish(gateway, "a", "x");
		await events.heard(({ data }) => data === "x");
	},
);

scenario("hundreds of subscribers that vanish leave nothing", async (scenario) => {
	const gateway = await start(scenario);
	const watcher = await openWebSocket(scenario, gateway.port(), "a");
	await watcher.expect("subscribed");
	const request = `GET /channels/a HTTP/1.1\r\nHost: a.test\r\n${UPGRADE}\r\n`;
	let left = 300;
	await Promise.all(
		Array.from({ length: 25 }, async () => {
			while (left-- > 0) {
				const isFramed = left % 4 === 0;
				const peer = await dial(scenario, gateway.port(isFramed ? 1 : 0));
				// Some go before they were answered, some amid what they are told.
				if (!isFramed) await peer.send(left % 4 === 1 ? request.slice(0, 70) : request);
				if (left % 4 === 2) await peer.take(150);
				peer.reset();
				if (left % 50 === 0) await publish(gateway, "a", "x".repeat(2_000));
			}
		}),
	);
	await gateway.metricIs("sluice_connections_active", (count) => count === 1);
	await gateway.metricIs("sluice_hub_subscribers", (count) => count === 1);
	await subscribers(gateway, "a", 1);
	await publish(gateway, "a", "last");
	await watcher.heard(({ data }) => data === "last");
	assert.equal(watcher.missed(), 0);
	assert.equal((await gateway.metrics()).sum("sluice_hub_blocked"), 0);
});

scenario("whoever goes while his token is looked at is counted nowhere", async (scenario) => {
	const keys = hubKeys(scenario);
	const gateway = await startHub(scenario, {
		channels: ['{ match: "t/*", presence: who }'],
		hub: [keys.line],
		framed: "t/a",
	});
	const token = keys.token({ who: "alice", subscribe: ["t/*"] });
	const request = `GET /channels/t/a HTTP/1.1\r\nHost: a.test\r\nAuthorization: Bearer ${token}\r\n${UPGRADE}\r\n`;
	const hello = Buffer.from(JSON.stringify({ type: "hello", version: 1, token }));
	const length = Buffer.alloc(4);
	length.writeUInt32BE(hello.length);
	for (let count = 0; count < 150; count++) {
		const isFramed = count % 2 === 0;
		const peer = await dial(scenario, gateway.port(isFramed ? 1 : 0));
		await peer.send(isFramed ? Buffer.concat([length, hello]) : request);
		peer.reset();
	}
	await gateway.metricIs("sluice_connections_active", (count) => count === 0);
	await subscribers(gateway, "t/a", 0);
	await gateway.metricIs("sluice_hub_subscribers", (count) => count === 0);
	await publish(gateway, "t/a", "x");
	const { value } = await api(gateway, "GET", "t/a");
	assert.deepEqual(value["presence"], { count: 0, who: [] });
});

scenario("publishers at twice the limit get half of it through, in order", async (scenario) => {
	const gateway = await start(scenario);
	const listener = await openEvents(scenario, gateway.port(), "rated");
	await listener.expect("subscribed");
	const publishers = [
		await openWebSocket(scenario, gateway.port(), ""),
		await openFramed(scenario, gateway.port(1)),
	];
	const startedMs = performance.now();
	let said = 0;
	// Both together say a hundred in a second.
	await new Promise<void>((resolve) => {
		const timer = setInterval(() => {
			for (const [index, publisher] of publishers.entries())
				publisher.say({ type: "publish", channel: "rated", data: `${index} ${said}`, ref: said });
			if (++said < 50) return;
			clearInterval(timer);
			resolve();
		}, 20);
		scenario.defer(() => clearInterval(timer));
	});
	for (const publisher of publishers) await publisher.heard(({ ref }) => ref === said - 1);
	const seconds = (performance.now() - startedMs) / 1_000;
	const acked = publishers.map(({ all }) => all.filter(({ type }) => type === "ack"));
	const refused = publishers.flatMap(({ all }) => all.filter(({ code }) => code === "limit_rate"));
	const through = acked.flat().length;
	assert.equal(through + refused.length, 2 * said);
	assert.ok(through <= 50 + 50 * seconds + 2, `${through} in ${seconds} s`);
	assert.ok(through >= 50, `only ${through}`);
	await listener.until(() => listener.messages().length === through);
	assert.equal(listener.missed(), 0);
	for (const [index, acks] of acked.entries()) {
		const theirs = listener.messages().filter(({ data }) => data?.startsWith(`${index} `) === true);
		assert.deepEqual(
			theirs.map(({ id }) => id),
			acks.map(({ id }) => id),
		);
	}
});

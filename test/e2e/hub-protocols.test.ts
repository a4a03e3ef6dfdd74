/** What holds for subscribers of the hub in each protocol, in the open and through TLS that ends at the gateway. */
import assert from "node:assert/strict";
import { type Gateway, startGateway } from "../support/gateway.js";
import { hubConfig, type Publication, publish, startHub } from "../support/hub.js";
import {
	answerTo,
	EVENTS,
	type EventsClient,
	FramedClient,
	type HubClient,
	openEvents,
	openFramed,
	openWebSocket,
} from "../support/hub-clients.js";
import { run } from "../support/processes.js";
import { type Scenario, scenario } from "../support/scenario.js";
import { entry, identity } from "../support/tls.js";

const NAME = "hub.test";
const SUBSCRIBE = "subscribe: public, outbox: { messages: 1000, bytes: 8MiB }, replay: { messages: 1000 }";

async function startEach(
	scenario: Scenario,
	tls?: string,
	heartbeats = ["heartbeat: 30s", "dead_after: 90s"],
): Promise<Gateway> {
	return startGateway(
		scenario,
		hubConfig({
			channels: [`{ match: devices, publish: public, ${SUBSCRIBE} }`, `{ match: "**", ${SUBSCRIBE} }`],
			hub: ["memory: 64MiB", "limits: { message: 1MiB }", ...heartbeats],
			framed: "devices",
			...(tls === undefined ? {} : { tls }),
		}),
	);
}

/** One of each. */
async function comeAll(scenario: Scenario, gateway: Gateway, tls?: string): Promise<HubClient[]> {
	const arrival = tls === undefined ? {} : { tls };
	return [
		await openWebSocket(scenario, gateway.port(), "devices", arrival),
		await openEvents(scenario, gateway.port(), "devices", arrival),
		await openFramed(scenario, gateway.port(1), undefined, arrival),
	];
}

/** Small ones and large ones, text and bytes, keys and none. */
const MESSAGES: readonly Publication[] = Array.from({ length: 60 }, (_, index) => {
	const size = index % 20 === 7 ? 300_000 : (index * 41) % 2_000;
	const key = index % 3 === 0 ? { key: `key ${index}` } : {};
	const isBytes = index % 2 === 1;
	return isBytes
		? { bytes: Buffer.alloc(Math.min(size, 40_000), index), ...key }
		: { data: `${index} ü`.repeat(size / 10 + 1).slice(0, 40_000), ...key };
});

async function converse(scenario: Scenario, gateway: Gateway, tls?: string): Promise<void> {
	const clients = await comeAll(scenario, gateway, tls);
	for (const client of clients) await client.expect("subscribed");
	// One of them reads on only when all of it is on its way.
	clients[1]?.pause();
	for (const client of clients) if (client instanceof FramedClient) client.pause();
	await publish(gateway, "devices", ...MESSAGES);
	const large = Buffer.alloc(700_000, 7);
	const publisher = await openFramed(scenario, gateway.port(1), {}, tls === undefined ? {} : { tls });
	publisher.sayBytes({ type: "publish", channel: "devices" }, large);
	await publisher.heard(({ bytes }) => bytes?.length === large.length);
	for (const client of clients) client.resume();
	for (const client of clients) {
		for (const { data, bytes, key } of [...MESSAGES, { bytes: large }]) {
			const told = await client.expect("message");
			assert.equal(told.data, data);
			assert.equal(told.key, key);
			assert.ok(bytes === undefined ? told.bytes === undefined : told.bytes?.equals(bytes));
		}
		const ids = client.messages().map(({ id = "" }) => Number.parseInt(id.split(":")[1] ?? "", 36));
		assert.deepEqual(
			ids,
			ids.toSorted((a, b) => a - b),
		);
		assert.equal(new Set(ids).size, ids.length);
	}
}

scenario(
	"text and bytes of all sizes come in each protocol, in order, also to slow readers",
	async (scenario) => {
		await converse(scenario, await startEach(scenario));
	},
);

scenario("the same through TLS", async (scenario) => {
	const certificate = identity(scenario, NAME, { names: [NAME] });
	await converse(scenario, await startEach(scenario, entry(certificate, [NAME])), NAME);
});

scenario("heartbeats come where nothing else does, and who answers none is closed", async (scenario) => {
	const gateway = await startEach(scenario, undefined, ["heartbeat: 100ms", "dead_after: 600ms"]);
	const [webSocket, events, framed] = (await comeAll(scenario, gateway)) as [HubClient, HubClient, HubClient];
	const mute = await openFramed(scenario, gateway.port(1));
	mute.answers = false;
	const silent = await openWebSocket(scenario, gateway.port(), "devices");
	silent.answers = false;
	for (const client of [webSocket, events, framed]) await client.until(() => client.heartbeats >= 3);
	for (const client of [mute, silent]) {
		await client.over();
		assert.equal((await gateway.sessionOf(client)).reason, "keepalive_lost");
	}
	assert.ok(mute.heartbeats > 2 && silent.heartbeats > 2);
	// Those who answer are there, and so is who has nothing to say.
	await publish(gateway, "devices", "x");
	for (const client of [webSocket, events, framed]) await client.heard(({ data }) => data === "x");
});

scenario("event streams have their fields, ids and types", async (scenario) => {
	const gateway = await startEach(scenario);
	const events = await openEvents(scenario, gateway.port(), "e/1?last=1");
	for (const field of [
		"Content-Type: text/event-stream",
		"Cache-Control: no-store",
		"X-Accel-Buffering: no",
		"Connection: close",
	])
		assert.ok(events.answer.includes(`${field}\r\n`), events.answer);
	assert.doesNotMatch(events.answer, /content-length|transfer-encoding|access-control/i);
	await events.expect("subscribed");
	const text = "lines\nof\r\ntext: é\u2028";
	const id = await publish(gateway, "e/1", text);
	assert.deepEqual(await events.next(), { type: "message", channel: "e/1", id, data: text });
	const bytes = await publish(gateway, "e/1", { bytes: Buffer.of(0, 255), key: "k" });
	assert.deepEqual(await events.next(), {
		...{ type: "message", channel: "e/1", id: bytes, key: "k" },
		...{ bytes: Buffer.of(0, 255), base64: "AP8=" },
	});
});

scenario("one stream has several channels, and resumes all of them by one id", async (scenario) => {
	const gateway = await startEach(scenario);
	const query = "?channel=s/1&channel=s/2";
	const events = await openEvents(scenario, gateway.port(), query);
	for (const name of ["s/1", "s/2"]) assert.equal((await events.expect("subscribed")).channel, name);
	await publish(gateway, "s/1", "a");
	const seen = await publish(gateway, "s/2", "b");
	assert.deepEqual(await events.texts(2), ["a", "b"]);
	events.peer.reset();
	await publish(gateway, "s/1", "c");
	await publish(gateway, "s/2", "d");
	// What a browser says goes before what the page wrote into its address.
	const back = await openEvents(scenario, gateway.port(), `${query}&after=1:1`, {
		fields: `Last-Event-ID: ${seen}\r\n`,
	});
	await back.until(() => back.messages().length === 2);
	assert.deepEqual(
		back.messages("s/1").map(({ data }) => data),
		["c"],
	);
	assert.deepEqual(
		back.messages("s/2").map(({ data }) => data),
		["d"],
	);
	assert.ok(!back.all.some(({ type }) => type === "too_old"));
	const old = await openEvents(scenario, gateway.port(), `s/1${query}&after=1:1`);
	await old.until(() => old.all.filter(({ type }) => type === "too_old").length === 2);
	assert.equal(old.messages().length, 0);
});

scenario(
	"curl -N shows a stream",
	async (scenario) => {
		const gateway = await startEach(scenario);
		await publish(gateway, "c/1", "hello");
		const url = `http://127.0.0.1:${gateway.port()}/channels/c/1?last=1`;
		const { stdout } = await run("curl", ["-sN", "--max-time", "0.5", url]);
		assert.match(stdout, /^event: subscribed\n/);
		assert.match(stdout, /\nid: [0-9a-z]+:[0-9a-z]+\ndata: \{"channel":"c\/1","data":"hello"\}\n\n/);
	},
	{ needs: ["curl"] },
);

scenario("a device says hello or nothing, and what it says wrong is answered", async (scenario) => {
	const gateway = await startEach(scenario);
	const device = await openFramed(scenario, gateway.port(1), { ref: 1 });
	await device.expect("subscribed");
	device.say({ type: "publish", channel: "devices", data: "x", ref: 2 });
	// In which order the two come to who publishes to his own channel is not promised.
	await device.heard(({ type }) => type === "ack");
	await device.heard(({ type }) => type === "message");
	assert.equal(device.messages().length, 1);
	device.say({ type: "hello", version: 2, ref: 3 });
	assert.equal((await device.heard(({ ref }) => ref === 3)).code, "bad_message");
	device.say({ type: "unsubscribe", channel: "devices", ref: 4 });
	await device.heard(({ type }) => type === "unsubscribed");
	const ends: readonly (readonly [number, (client: FramedClient) => void])[] = [
		[1002, (client) => client.socket.write(Buffer.of(0x80, 0, 0, 0))],
		[1008, (client) => client.frame(Buffer.from("[]"))],
		[1008, (client) => client.frame(Buffer.of(0, 0, 0, 9), 0x80000000)],
		[1008, (client) => client.frame(Buffer.of(0x7b, 0x22, 0xff, 0x22, 0x7d))],
		[1009, (client) => client.socket.write(Buffer.of(0x7f, 0xff, 0xff, 0xff))],
		[1009, (client) => client.socket.write(Buffer.of(0xff, 0xff, 0xff, 0xff))],
	];
	for (const [code, breakIt] of ends) {
		const client = await openFramed(scenario, gateway.port(1));
		await client.expect("subscribed");
		breakIt(client);
		const farewell = await client.over();
		assert.equal(typeof farewell === "object" ? farewell.code : farewell, code);
		assert.equal((await gateway.sessionOf(client)).reason, "bad_request");
	}
	// Its end is the end.
	device.socket.end();
	assert.equal(await device.over(), "ended");
	const line = await gateway.sessionOf(device);
	assert.deepEqual([line.reason, line.bytes_from_client], ["client_closed", device.socket.bytesWritten]);
});

scenario("frames may come in any pieces, and many in one", async (scenario) => {
	const gateway = await startEach(scenario);
	const device = await openFramed(scenario, gateway.port(1));
	const watcher: EventsClient = await openEvents(scenario, gateway.port(), "devices");
	for (const client of [device, watcher]) await client.expect("subscribed");
	const frames = Array.from({ length: 40 }, (_, index) => {
		const payload = Buffer.from(JSON.stringify({ type: "publish", channel: "devices", data: `${index}` }));
		const length = Buffer.alloc(4);
		length.writeUInt32BE(payload.length);
		return Buffer.concat([length, payload]);
	});
	device.socket.write(Buffer.concat(frames.slice(0, 30)));
	for (const byte of Buffer.concat(frames.slice(30))) await device.peer.send(Buffer.of(byte));
	assert.deepEqual(
		await watcher.texts(40),
		frames.map((_, index) => `${index}`),
	);
});

scenario("what is asked wrong is refused with a sentence and a code", async (scenario) => {
	const gateway = await startEach(scenario);
	const cases: readonly (readonly [number, string | undefined, string, string, string?])[] = [
		[404, "bad_channel", "/channels/a//b", EVENTS],
		[404, "bad_channel", "/channels/a%2", EVENTS],
		[404, "bad_channel", `/channels/${"x".repeat(129)}`, EVENTS],
		[404, "bad_channel", "/channels/%E4%BD%A0", EVENTS],
		[404, "bad_channel", "/channels/?channel=a&channel=b%20c", EVENTS],
		[400, "bad_channel", "/channels/", EVENTS],
		[400, "bad_message", "/channels/a?after=b", EVENTS],
		[406, "not_acceptable", "/channels/a", "Accept: application/json\r\n"],
		[405, "bad_method", "/channels/a", EVENTS, "POST"],
		[405, "bad_method", "/channels/a", EVENTS, "DELETE"],
		[404, undefined, "/other", EVENTS],
		[400, undefined, "/channels/a", `${EVENTS}Content-Length: 3\r\n`, "POST"],
		[400, undefined, "/channels/a", `${EVENTS}Transfer-Encoding: chunked\r\n`, "GET"],
		[
			426,
			undefined,
			"/channels/a",
			"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 12\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n",
		],
		[
			400,
			undefined,
			"/channels/a",
			"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAA\r\n",
		],
	];
	for (const [status, code, target, fields, method] of cases) {
		const answer = await answerTo(scenario, gateway.port(), target, {
			fields,
			...(method === undefined ? {} : { method }),
		});
		assert.deepEqual([answer.status, answer.code], [status, code], `${method} ${target} ${fields}`);
		if (status === 405) assert.match(answer.head, /\r\nAllow: GET, OPTIONS\r\n/);
	}
	// An answer to HEAD has no content.
	const answer = await answerTo(scenario, gateway.port(), "/channels/a", { fields: EVENTS, method: "HEAD" });
	assert.deepEqual([answer.status, answer.body], [405, ""]);
});

scenario("a request that names more channels than a connection may have is refused", async (scenario) => {
	const channels = ['{ match: "**", subscribe: public }'];
	const gateway = await startHub(scenario, { channels, hub: ["limits: { subscriptions: 2 }"] });
	const answer = await answerTo(scenario, gateway.port(), "/channels/a?channel=b&channel=c", {
		fields: EVENTS,
	});
	assert.deepEqual([answer.status, answer.code], [400, "limit_subscriptions"]);
	await openEvents(scenario, gateway.port(), "a?channel=b&channel=a");
});

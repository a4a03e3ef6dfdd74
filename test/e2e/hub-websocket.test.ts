/** Channels of the hub over WebSockets, from outside: what is said in both directions, and what ends a connection. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { WebSocket } from "ws";
import type { Gateway } from "../support/gateway.js";
import { publish, startHub, subscribers } from "../support/hub.js";
import { answerTo, openWebSocket, UPGRADE, type WebSocketClient } from "../support/hub-clients.js";
import { dial } from "../support/peers.js";
import { head } from "../support/requests.js";
import { type Scenario, scenario } from "../support/scenario.js";

const REPLAY = "outbox: { messages: 1000 }, replay: { messages: 100 }, subscribe: public";
const MESSAGE_BYTES = 4_096;
/** Of what a client says. */
const SAID_BYTES = 3 * MESSAGE_BYTES + 1_024;

function startChannels(scenario: Scenario): Promise<Gateway> {
	return startHub(scenario, {
		channels: [
			`{ match: "open/*", publish: public, presence: count, ${REPLAY} }`,
			`{ match: "told/*", ${REPLAY} }`,
			`{ match: "slow/*", publish: public, publish_per_second: 5, subscribe: public }`,
		],
		hub: [
			`limits: { subscriptions: 3, message: ${MESSAGE_BYTES}, subscribers_per_channel: 2, channels: 60 }`,
		],
	});
}

/** A message, as it has to be. */
function message(channel: string, id: string, data: string, more = {}) {
	return { type: "message", channel, id, data, ...more };
}

scenario(
	"a message goes to every subscriber of its channel, in order, and to nobody else",
	async (scenario) => {
		const gateway = await startChannels(scenario);
		const one = await openWebSocket(scenario, gateway.port(), "told/a");
		const other = await openWebSocket(scenario, gateway.port(), "told%2Fa");
		const stranger = await openWebSocket(scenario, gateway.port(), "told/b");
		const { id: from } = await one.expect("subscribed");
		assert.match(String(from), /^[0-9a-z]+:[0-9a-z]+$/);
		for (const client of [other, stranger]) await client.expect("subscribed");
		const texts = Array.from({ length: 300 }, (_, index) => `message ${index} é`);
		const last = await publish(gateway, "told/a", ...texts);
		for (const client of [one, other]) {
			assert.deepEqual(await client.texts(300), texts);
			assert.equal(client.all.at(-1)?.id, last);
		}
		const final = await publish(gateway, "told/b", { data: "x", key: "k" });
		assert.deepEqual(await stranger.next(), message("told/b", final, "x", { key: "k" }));
		assert.equal(one.all.length, 301);
	},
);

scenario(
	"one connection has several channels: it subscribes and unsubscribes by messages",
	async (scenario) => {
		const gateway = await startChannels(scenario);
		const client = await openWebSocket(scenario, gateway.port(), "");
		client.say({ type: "subscribe", channel: "told/c", ref: 1 });
		assert.equal((await client.expect("subscribed")).ref, 1);
		client.say({ type: "subscribe", channel: "told/d", ref: "two" });
		assert.equal((await client.expect("subscribed")).ref, "two");
		await publish(gateway, "told/c", "c1");
		await publish(gateway, "told/d", "d1");
		assert.deepEqual(await client.texts(2), ["c1", "d1"]);
		// Once more changes nothing, and it is told once.
		client.say({ type: "subscribe", channel: "told/c", ref: 3 });
		assert.equal((await client.expect("subscribed")).ref, 3);
		await publish(gateway, "told/c", "c2");
		assert.deepEqual(await client.texts(1), ["c2"]);
		client.say({ type: "unsubscribe", channel: "told/c", ref: 4 });
		assert.deepEqual(await client.next(), { type: "unsubscribed", channel: "told/c", ref: 4 });
		client.say({ type: "unsubscribe", channel: "told/c", ref: 5 });
		const { code, ref } = await client.expect("error");
		assert.deepEqual([code, ref], ["not_subscribed", 5]);
		await publish(gateway, "told/c", "c3");
		await publish(gateway, "told/d", "d2");
		assert.deepEqual(await client.texts(1), ["d2"]);
	},
);

scenario(
	"last=1 begins with the last message that there is; after= behind what was seen",
	async (scenario) => {
		const gateway = await startChannels(scenario);
		const empty = await openWebSocket(scenario, gateway.port(), "told/e?last=1");
		assert.equal((await empty.expect("subscribed"))["history"], undefined);
		const first = await publish(gateway, "told/e", "1");
		const third = await publish(gateway, "told/e", "2", "3");
		assert.deepEqual(await empty.texts(3), ["1", "2", "3"]);
		const late = await openWebSocket(scenario, gateway.port(), "told/e?last=1");
		assert.equal((await late.expect("subscribed"))["history"], 1);
		assert.deepEqual(await late.next(), message("told/e", third, "3"));
		empty.close();
		await empty.over();
		// Two may be there.
		await subscribers(gateway, "told/e", 1);
		const back = await openWebSocket(scenario, gateway.port(), `told/e?last=1&after=${first}`);
		const { history, id } = await back.expect("subscribed");
		assert.deepEqual([history, id], [2, first]);
		assert.deepEqual(await back.texts(2), ["2", "3"]);
		back.say({ type: "subscribe", channel: "told/f", last: true });
		await back.expect("subscribed");
		await publish(gateway, "told/e", "4");
		assert.deepEqual(await back.texts(1), ["4"]);
	},
);

scenario(
	"an id that the log does not reach back to is too old, and so is one of another start",
	async (scenario) => {
		const gateway = await startChannels(scenario);
		const first = await publish(gateway, "told/g", "1");
		const texts = Array.from({ length: 150 }, (_, index) => `${index}`);
		await publish(gateway, "told/g", ...texts);
		const back = await openWebSocket(scenario, gateway.port(), `told/g?after=${first}`);
		assert.equal((await back.expect("subscribed"))["history"], 100);
		const tooOld = await back.expect("too_old");
		assert.equal(tooOld["after"], first);
		assert.deepEqual(await back.texts(100), texts.slice(-100));
		const other = await openWebSocket(scenario, gateway.port(), "told/g?after=1:1");
		await other.expect("subscribed");
		assert.equal((await other.expect("too_old"))["after"], "1:1");
		await publish(gateway, "told/g", "new");
		assert.deepEqual(await other.texts(1), ["new"]);
		// One that has not been given yet.
		const [epoch] = first.split(":");
		other.say({ type: "unsubscribe", channel: "told/g" });
		await other.expect("unsubscribed");
		other.say({ type: "subscribe", channel: "told/g", after: `${epoch}:zzzzzz` });
		await other.expect("subscribed");
		await publish(gateway, "told/g", "newer");
		assert.deepEqual(await other.texts(1), ["newer"]);
	},
);

scenario("clients publish text and bytes, and are told the id", async (scenario) => {
	const gateway = await startChannels(scenario);
	const client = await openWebSocket(scenario, gateway.port(), "open/a");
	const other = await openWebSocket(scenario, gateway.port(), "open/a");
	for (const each of [client, other]) await each.expect("subscribed");
	client.say({ type: "publish", channel: "open/a", data: "grüße\n\u0000\ud83d\ude00", key: "k", ref: 7 });
	const told = await other.expect("message");
	assert.equal(told.data, "grüße\n\u0000\ud83d\ude00");
	const ack = await client.heard(({ type }) => type === "ack");
	assert.deepEqual(ack, { type: "ack", ref: 7, id: told.id });
	client.sayBytes({ type: "publish", channel: "open/a" }, Buffer.of(0, 255, 10, 13));
	const { bytes, data } = await other.expect("message");
	assert.deepEqual([bytes, data], [Buffer.of(0, 255, 10, 13), undefined]);
	client.sayBytes({ type: "publish", channel: "open/a", ref: "none" }, Buffer.alloc(0));
	assert.deepEqual((await other.expect("message")).bytes, Buffer.alloc(0));
	client.say({ type: "presence", channel: "open/a", ref: 1 });
	const presence = await client.heard(({ type }) => type === "presence");
	assert.deepEqual(presence, { type: "presence", channel: "open/a", count: 2, ref: 1 });
	client.say({ type: "publish", channel: "told/a", data: "x", ref: 8 });
	assert.equal((await client.heard(({ ref }) => ref === 8)).code, "forbidden");
	// Who is subscribed to nothing may publish as well.
	const publisher = await openWebSocket(scenario, gateway.port(), "");
	publisher.say({ type: "publish", channel: "open/a", data: "by the way", priority: "low", ref: 1 });
	await publisher.expect("ack");
	await other.heard(({ data }) => data === "by the way");
	// As long as a message may be, and written in ASCII alone.
	const longest = "é".repeat(MESSAGE_BYTES / 2);
	const said = JSON.stringify({ type: "publish", channel: "open/a", data: longest, ref: 2 });
	publisher.frame(1, Buffer.from(said.replaceAll("é", "\\u00e9")));
	await publisher.expect("ack");
	await other.heard(({ data }) => data === longest);
	publisher.say({ type: "publish", channel: "open/a", data: `${longest}x`, ref: 3 });
	assert.equal((await publisher.expect("error")).code, "too_large");
	publisher.sayBytes({ type: "publish", channel: "open/a", ref: 4 }, Buffer.alloc(MESSAGE_BYTES));
	await publisher.expect("ack");
	await other.heard(({ bytes }) => bytes?.length === MESSAGE_BYTES);
});

scenario("what cannot be done is an error with a code, and the connection goes on", async (scenario) => {
	const gateway = await startChannels(scenario);
	const client = await openWebSocket(scenario, gateway.port(), "open/b");
	await client.expect("subscribed");
	const cases: readonly (readonly [string, Record<string, unknown>])[] = [
		["bad_message", { type: "subscribe" }],
		["bad_message", { type: "subscribe", channel: 1 }],
		["bad_message", { type: "subscribe", channel: "told/a", after: "yesterday" }],
		["bad_message", { type: "publish", channel: "open/b" }],
		["bad_message", { type: "publish", channel: "open/b", data: "x", key: "" }],
		["bad_message", { type: "publish", channel: "open/b", data: "x", key: "k".repeat(257) }],
		["bad_message", { type: "publish", channel: "open/b", data: "x", priority: "high" }],
		["bad_message", { type: "hello", version: 2 }],
		["unknown_type", { type: "sing" }],
		["unknown_type", {}],
		["bad_channel", { type: "subscribe", channel: "a//b" }],
		["bad_channel", { type: "publish", channel: "*", data: "x" }],
		["bad_channel", { type: "publish", channel: "x".repeat(129), data: "x" }],
		["no_channel", { type: "subscribe", channel: "none" }],
		["no_channel", { type: "presence", channel: "none" }],
		["forbidden", { type: "presence", channel: "told/a" }],
		["not_subscribed", { type: "unsubscribe", channel: "none" }],
	];
	for (const [index, [expected, said]] of cases.entries()) {
		client.say({ ...said, ref: index });
		const { code, ref, message } = await client.expect("error");
		assert.deepEqual([code, ref], [expected, index], JSON.stringify(said));
		assert.notEqual(message, "");
	}
	client.say({ type: "publish", channel: "open/b", data: "x", ref: "r".repeat(65) });
	assert.equal((await client.expect("error")).code, "bad_message");
	await publish(gateway, "open/b", "still here");
	assert.deepEqual(await client.texts(1), ["still here"]);
});

scenario("a crowd of channels, of subscribers and of messages is refused by its limit", async (scenario) => {
	const gateway = await startChannels(scenario);
	const clients: WebSocketClient[] = [];
	for (let count = 0; count < 2; count++) {
		const client = await openWebSocket(scenario, gateway.port(), "open/many");
		await client.expect("subscribed");
		clients.push(client);
	}
	const [client, other] = clients as [WebSocketClient, WebSocketClient];
	const third = await openWebSocket(scenario, gateway.port(), "");
	third.say({ type: "subscribe", channel: "open/many", ref: 1 });
	assert.equal((await third.expect("error")).code, "limit_subscribers");
	other.say({ type: "unsubscribe", channel: "open/many" });
	await other.expect("unsubscribed");
	await subscribers(gateway, "open/many", 1);
	third.say({ type: "subscribe", channel: "open/many", ref: 2 });
	await third.expect("subscribed");
	for (const channel of ["open/m1", "open/m2"]) {
		client.say({ type: "subscribe", channel });
		await client.expect("subscribed");
	}
	client.say({ type: "subscribe", channel: "open/m3", ref: 3 });
	assert.equal((await client.expect("error")).code, "limit_subscriptions");
	client.say({ type: "unsubscribe", channel: "open/m2" });
	await client.expect("unsubscribed");
	client.say({ type: "subscribe", channel: "open/m3", ref: 4 });
	await client.expect("subscribed");
	// More than in a second may be, at once.
	for (let ref = 0; ref < 10; ref++) other.say({ type: "publish", channel: "slow/a", data: "x", ref });
	await other.until(() => other.all.filter(({ ref }) => typeof ref === "number").length === 10);
	const refused = other.all.filter(({ code }) => code === "limit_rate").length;
	assert.ok(refused > 0 && refused < 10, `${refused} of 10 were refused, at 5 a second`);
});

scenario("what is no message, or too large, ends the connection with the code for it", async (scenario) => {
	const gateway = await startChannels(scenario);
	const ends: readonly (readonly [number, (client: WebSocketClient) => void])[] = [
		[1000, (client) => client.close()],
		[1000, (client) => client.frame(8, Buffer.alloc(0))],
		[1002, (client) => client.frame(8, Buffer.of(3))],
		[1002, (client) => client.frame(3, Buffer.alloc(0))],
		[1002, (client) => client.frame(0, Buffer.of(1))],
		[1002, (client) => client.frame(9, Buffer.alloc(126))],
		[1002, (client) => client.frame(9, Buffer.of(1), false)],
		[1002, (client) => client.frame(0x41, Buffer.of(1))],
		[1002, (client) => client.socket.write(Buffer.of(0x81, 1, 65))],
		[1007, (client) => client.frame(1, Buffer.of(0xff))],
		[1007, (client) => client.frame(1, Buffer.of(0x22, 0xe2, 0x82), true)],
		[1008, (client) => client.frame(1, Buffer.from("hello"))],
		[1008, (client) => client.frame(1, Buffer.from("[1]"))],
		[1008, (client) => client.frame(1, Buffer.from("null"))],
		[1008, (client) => client.frame(2, Buffer.of(0, 0, 0))],
		[1008, (client) => client.frame(2, Buffer.of(0, 0, 0, 9, 1))],
		[1009, (client) => client.frame(1, Buffer.alloc(SAID_BYTES + 1, 32))],
		[
			1009,
			(client) => {
				client.frame(1, Buffer.alloc(SAID_BYTES, 32), false);
				client.frame(0, Buffer.of(32));
			},
		],
	];
	await Promise.all(
		ends.map(async ([code, breakIt], index) => {
			const client = await openWebSocket(scenario, gateway.port(), "");
			breakIt(client);
			const farewell = await client.over();
			assert.ok(typeof farewell === "object", `${index}: no close frame, but ${String(farewell)}`);
			assert.equal(farewell.code, code, `${index}: ${farewell.reason}`);
			const { reason } = await gateway.sessionOf(client);
			// Who says that it closes has closed, however badly it says so.
			const isClosed = code === 1000 || index === 2;
			assert.equal(reason, isClosed ? "client_closed" : "bad_request", `${index}: ${farewell.reason}`);
		}),
	);
});

scenario("fragments, pings amid them and frames that come byte by byte are one message", async (scenario) => {
	const gateway = await startChannels(scenario);
	const client = await openWebSocket(scenario, gateway.port(), "open/f");
	await client.expect("subscribed");
	const text = Buffer.from(JSON.stringify({ type: "publish", channel: "open/f", data: "ü".repeat(40) }));
	for (let at = 0; at < text.length; at++) {
		client.frame(at === 0 ? 1 : 0, text.subarray(at, at + 1), at === text.length - 1);
		if (at % 10 === 0) client.ping(`${at}`);
	}
	assert.deepEqual(await client.texts(1), ["ü".repeat(40)]);
	await client.until(() => client.pongs.length === Math.ceil(text.length / 10));
	assert.deepEqual(
		client.pongs.map(String),
		client.pongs.map((_, index) => `${index * 10}`),
	);
});

scenario(
	"the subprotocol is answered where it is offered, and no extension is agreed on",
	async (scenario) => {
		const gateway = await startChannels(scenario);
		const url = `ws://127.0.0.1:${gateway.port()}/channels/told/ws`;
		const socket = new WebSocket(url, ["sluice-hub.v2", "sluice-hub.v1"], { perMessageDeflate: true });
		scenario.defer(() => socket.terminate());
		const heard: unknown[] = [];
		socket.on("message", (data: Buffer) =>
			heard.push((JSON.parse(data.toString()) as { type: string }).type),
		);
		await once(socket, "open");
		assert.equal(socket.protocol, "sluice-hub.v1");
		assert.equal(socket.extensions, "");
		const pong = once(socket, "pong");
		socket.ping();
		await pong;
		const told = once(socket, "message");
		await publish(gateway, "told/ws", "x");
		await told;
		assert.deepEqual(heard, ["subscribed", "message"]);
		socket.close(1000);
		assert.deepEqual(await once(socket, "close"), [1000, Buffer.alloc(0)]);
		const other = await dial(scenario, gateway.port());
		await other.send(
			`GET /channels/told/ws HTTP/1.1\r\nHost: a.test\r\n${UPGRADE}Sec-WebSocket-Protocol: chat\r\n\r\n`,
		);
		assert.match(await head(other), /^HTTP\/1\.1 400 /);
	},
);

scenario("what a client says at once behind its handshake is heard", async (scenario) => {
	const gateway = await startChannels(scenario);
	const client = await openWebSocket(scenario, gateway.port(), "open/early");
	// A frame in the packet of the handshake.
	const peer = await dial(scenario, gateway.port());
	const request = `GET /channels/open/early HTTP/1.1\r\nHost: a.test\r\n${UPGRADE}\r\n`;
	const text = Buffer.from('{"type":"publish","channel":"open/early","data":"early"}');
	const frame = Buffer.concat([Buffer.of(0x81, 0x80 | text.length, 0, 0, 0, 0), text]);
	await peer.send(Buffer.concat([Buffer.from(request), frame]));
	assert.equal((await client.heard(({ type }) => type === "message")).data, "early");
});

// The last one: what has messages has a place for as long as they are there.
scenario("channels beyond their limit are refused, and those that are there go on", async (scenario) => {
	const gateway = await startChannels(scenario);
	const client = await openWebSocket(scenario, gateway.port(), "open/there");
	await client.expect("subscribed");
	for (let count = 0; count < 70; count++)
		client.say({ type: "publish", channel: `open/x${count}`, data: "x" });
	await client.heard(({ code }) => code === "limit_channels");
	assert.equal(
		(await answerTo(scenario, gateway.port(), "/channels/open/y", { fields: UPGRADE })).status,
		503,
	);
	await publish(gateway, "open/there", "x");
	await client.heard(({ type }) => type === "message");
});

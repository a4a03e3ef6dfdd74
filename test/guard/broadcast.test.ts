import assert from "node:assert/strict";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import WebSocket, { WebSocketServer } from "ws";
import { isTicking } from "../../src/guard/outbox/stall.js";
import { Broadcast, Message, Outbox, type OutboxOptions } from "../../src/guard/outbox.js";
import { descriptorsOf } from "../support/descriptors.js";
import { eventually } from "../support/waiting.js";
import { FakeWebSocket } from "./fake-websocket.js";

interface Subscriber {
	readonly fake: FakeWebSocket;
	readonly outbox: Outbox;
}

function subscriber(topic: Broadcast, options: OutboxOptions = {}): Subscriber {
	const fake = new FakeWebSocket();
	const outbox = new Outbox(fake, { messagesMax: 2, handedMax: 1, ...options });
	topic.add(outbox);
	return { fake, outbox };
}

test("a message is encoded once, and each member's fate is counted", () => {
	const topic = new Broadcast();
	const [fast, slow, slowest] = [
		subscriber(topic),
		subscriber(topic),
		subscriber(topic, { messagesMax: 1, policy: "drop-newest" }),
	];
	assert.deepEqual(topic.send("one"), { delivered: 3, queued: 0, dropped: 0 });
	fast.fake.takeAll();
	assert.deepEqual(topic.send("two"), { delivered: 1, queued: 1, dropped: 1 });
	assert.deepEqual(topic.counts, { delivered: 4, queued: 1, dropped: 1 });
	// "one" with two of them, "two" with two: each is there once.
	assert.deepEqual(Message.retained, { messages: 2, bytes: 6 });
	for (const { outbox } of [fast, slow, slowest]) outbox.close();
	assert.deepEqual([topic.size, Message.retained.bytes], [0, 0]);
});

test("who is closed leaves, who is removed stays open, and nobody is added twice or after the end", () => {
	const topic = new Broadcast();
	const first = subscriber(topic);
	const second = subscriber(topic);
	assert.equal(topic.add(first.outbox), false);
	first.fake.emit("close", 1000);
	assert.deepEqual([topic.size, topic.has(first.outbox), topic.add(first.outbox)], [1, false, false]);
	assert.equal(topic.delete(second.outbox), true);
	assert.equal(topic.delete(second.outbox), false);
	assert.equal(second.outbox.isClosed, false);
	topic.add(second.outbox);
	topic[Symbol.dispose]();
	assert.deepEqual([topic.size, second.outbox.isClosed], [0, false]);
	assert.deepEqual(topic.send("to nobody"), { delivered: 0, queued: 0, dropped: 0 });
});

test("one that is closed by the message itself is counted as dropped, and leaves", () => {
	const topic = new Broadcast();
	subscriber(topic, { messagesMax: 1, policy: "disconnect" });
	const other = subscriber(topic);
	topic.send("one");
	assert.deepEqual(topic.send("two"), { delivered: 0, queued: 1, dropped: 1 });
	assert.equal(topic.size, 1);
	other.outbox.close();
});

test("members that come, go and close during a send disturb nobody", () => {
	const topic = new Broadcast();
	let late: Subscriber | undefined;
	const act = (): void => {
		topic.delete(second.outbox);
		third.outbox.close();
		late = subscriber(topic);
		// Out and in again: it is new, and gets what is sent from now on.
		topic.delete(fourth.outbox);
		topic.add(fourth.outbox);
	};
	// It calls back within the send of "c": "b" was evicted, and the socket takes at once.
	const first = subscriber(topic, { messagesMax: 1, policy: "drop-newest", onGap: act });
	const second = subscriber(topic);
	const third = subscriber(topic);
	const fourth = subscriber(topic);
	const fifth = subscriber(topic);
	topic.send("a");
	for (const { fake } of [second, third, fourth, fifth]) fake.takeAll();
	topic.send("b");
	for (const { fake } of [first, second, third, fourth, fifth]) fake.takeAll();
	assert.deepEqual(topic.send("c"), { delivered: 2, queued: 0, dropped: 0 });
	assert.deepEqual(
		[first, second, third, fourth, fifth, late].map((one) => one?.fake.got.join("")),
		["ac", "ab", "ab", "ab", "abc", ""],
	);
	for (const { outbox } of [first, second, fourth, fifth]) outbox.close();
	late?.outbox.close();
	assert.equal(topic.size, 0);
});

test("a send from within a send comes after it, for every member", () => {
	const topic = new Broadcast();
	let inner: unknown;
	const first = subscriber(topic, {
		messagesMax: 1,
		policy: "drop-newest",
		onGap: () => {
			inner = topic.send("d");
		},
	});
	const second = subscriber(topic, { messagesMax: 9, handedMax: 100 });
	topic.send("a");
	topic.send("b");
	first.fake.takeAll();
	assert.deepEqual(topic.send("c"), { delivered: 2, queued: 0, dropped: 0 });
	// The first has room for one, which is "c".
	assert.deepEqual(inner, { delivered: 1, queued: 0, dropped: 1 });
	assert.deepEqual([first.fake.got.join(""), second.fake.got.join("")], ["ac", "abcd"]);
	first.outbox.close();
	second.outbox.close();
});

test("a member whose callback throws does not keep the message from the others", () => {
	const topic = new Broadcast();
	const first = subscriber(topic, {
		messagesMax: 1,
		policy: "drop-newest",
		onGap: () => {
			throw new Error("from the callback");
		},
	});
	const second = subscriber(topic, { handedMax: 100 });
	topic.send("a");
	topic.send("b");
	first.fake.takeAll();
	second.fake.takeAll();
	assert.throws(() => topic.send("c"), /from the callback/);
	assert.deepEqual([first.fake.got.join(""), second.fake.got.join("")], ["ac", "abc"]);
	first.outbox.close();
	second.outbox.close();
});

test("what a member throws reaches whoever sent that message, and no message that is sent within it is lost", () => {
	const topic = new Broadcast();
	const text = ({ data }: Message): string => Buffer.from(data).toString();
	const within: unknown[] = [];
	const first = subscriber(topic, {
		policy: "conflate",
		key: (message) => {
			if (text(message) === "one") within.push(topic.send("two").dropped);
			return undefined;
		},
	});
	const second = subscriber(topic, {
		policy: "conflate",
		key: (message) => {
			if (text(message) === "one") throw new Error("of the second");
			return undefined;
		},
	});
	const third = subscriber(topic, { handedMax: 100 });
	assert.throws(() => topic.send("one"), /of the second/);
	first.fake.takeAll();
	assert.deepEqual([within, first.fake.got.sort(), third.fake.got], [[0], ["one", "two"], ["one", "two"]]);
	topic.clear();
	for (const { outbox } of [first, second, third]) outbox.close();
});

test("real WebSockets: the one that does not read drops within its bound, the others get everything in order", async () => {
	const before = descriptorsOf(process.pid);
	const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
	await once(server, "listening");
	const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
	const topic = new Broadcast();
	const outboxes: Outbox[] = [];
	server.on("connection", (socket) => {
		const outbox = new Outbox(socket, { bytesMax: "256KiB" });
		outboxes.push(outbox);
		topic.add(outbox);
	});
	const clients = [];
	for (let i = 0; i < 5; i++) {
		const client = new WebSocket(url);
		await once(client, "open");
		clients.push(client);
	}
	await eventually(
		() => topic.size === 5 || undefined,
		() => "all five",
	);
	const [stopped, ...readers] = clients;
	const [slow, ...healthy] = outboxes;
	assert.ok(stopped !== undefined && slow !== undefined);
	stopped.pause();
	const got = readers.map((reader) => {
		const numbers: number[] = [];
		reader.on("message", (data: Buffer) => numbers.push(data.readUInt32BE(0)));
		return numbers;
	});
	let sent = 0;
	while (slow.dropped.messages < 100) {
		const message = Buffer.alloc(16 * 1024);
		message.writeUInt32BE(sent++);
		topic.send(message);
		assert.ok(slow.bytes <= 256 * 1024);
		// The bound of one, and what is on its way to the others: not five times as much.
		assert.ok(Message.retained.bytes <= 2 * 256 * 1024);
		await Promise.all(healthy.map((outbox) => outbox.flushed()));
	}
	await eventually(
		() => got.every(({ length }) => length === sent) || undefined,
		() => `all ${sent} messages`,
	);
	const all = Array.from({ length: sent }, (_, i) => i);
	for (const numbers of got) assert.deepEqual(numbers, all);
	for (const outbox of healthy) assert.equal(outbox.dropped.messages, 0);
	for (const client of clients) client.terminate();
	slow.close();
	await eventually(
		() => topic.size === 0 || undefined,
		() => "that all have left",
	);
	server.close();
	assert.deepEqual([Message.retained.bytes, isTicking()], [0, false]);
	await eventually(
		() => descriptorsOf(process.pid).length === before.length || undefined,
		() => "the end of all descriptors",
	);
});

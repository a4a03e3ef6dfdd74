import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { ECONNRESET } from "../../src/kernel/constants.js";
import { LinuxKernel } from "../../src/kernel/linux.js";
import { connect, loopback } from "../../src/rig/connect.js";
import { Helper } from "../../src/rig/helper.js";
import { issue } from "../../src/rig/issue.js";
import { installCleanup } from "../../src/rig/processes.js";
import { SUBSCRIBERS_ARENA_BYTES } from "../../src/rig/subscribers/arena.js";
import type { SubscribersDoor } from "../../src/rig/subscribers/doors.js";
import type { Meeting } from "../../src/rig/subscribers/meeting.js";
import { numbered } from "../../src/rig/subscribers/numbered.js";
import { Publisher } from "../../src/rig/subscribers/publisher.js";
import { Subscribers } from "../../src/rig/subscribers/subscribers.js";
import { TimedWire } from "../../src/rig/subscribers/timed-wire.js";
import { turn } from "../../src/rig/turn.js";
import { TlsWire } from "../../src/rig/wire.js";
import { PATIENCE_MS } from "../support/waiting.js";
import { COMES, CONFIRMED, CUT, HALF, PING_ALL, REFUSED, SAID, SAYS, SEND_AWAY } from "./channel-words.js";

installCleanup();

const NAME = "channel.test";
const BYTES = 200;

interface Scene {
	readonly kernel: LinuxKernel;
	readonly wire: TimedWire;
	readonly publisher: Publisher;
	readonly door: SubscribersDoor;
	/** Those who come and stay. */
	subscribe(count: number, more?: Partial<SubscribersDoor>): Subscribers;
}

async function start(t: TestContext): Promise<Scene> {
	const port = await startServer(t, []);
	const kernel = new LinuxKernel(SUBSCRIBERS_ARENA_BYTES);
	t.after(() => kernel.dispose());
	const wire = new TimedWire(kernel);
	const publisher = new Publisher(kernel, { port, path: "/", fields: {}, before: "", after: "" });
	t.after(() => publisher.close());
	const door = { port, path: COMES, says: null, confirms: null };
	const subscribe = (count: number, more: Partial<SubscribersDoor> = {}): Subscribers => {
		const subscribers = new Subscribers(kernel, wire, count, { ...door, ...more });
		t.after(() => subscribers.close());
		subscribers.open();
		return subscribers;
	};
	return { kernel, wire, publisher, door, subscribe };
}

function startServer(t: TestContext, args: readonly string[]): Promise<number> {
	const server = new Helper<never, number>(new URL("channel-server.js", import.meta.url), { args });
	t.after(() => server.stop());
	return server.next();
}

/** The kernel begins to note times for the first socket that asks for them a little later, by a thread of its own that may have to wait for a core. */
async function notesTimes(t: TestContext, kernel: LinuxKernel, wire: TimedWire): Promise<void> {
	const { server, port } = await listen(t);
	const fd = connect(kernel, loopback(port));
	t.after(() => kernel.close(fd));
	const [socket] = (await once(server, "connection")) as [Socket];
	t.after(() => socket.destroy());
	assert.equal(wire.shake(1, fd), 0);
	const giveUpAtMs = performance.now() + PATIENCE_MS;
	while (Number.isNaN(wire.arrivedUs)) {
		assert.ok(performance.now() < giveUpAtMs, "no time is noted");
		await new Promise((resolve) => socket.write("x", resolve));
		while (wire.receive(1, fd, 0, 1) < 0) await setImmediate();
	}
}

async function listen(t: TestContext): Promise<{ server: Server; port: number }> {
	const server = createServer().listen(0, "127.0.0.1");
	t.after(() => server.close());
	await once(server, "listening");
	return { server, port: (server.address() as AddressInfo).port };
}

/** Looks until so many numbers have been heard, each with who heard it. */
function hear(subscribers: Subscribers, count: number): [place: number, number: number][] {
	const heard: [number, number][] = [];
	const giveUpAtMs = performance.now() + PATIENCE_MS;
	while (heard.length < count) {
		assert.ok(performance.now() < giveUpAtMs, `${heard.length} of ${count} messages have come`);
		subscribers.sweep((place, number) => heard.push([place, number]));
	}
	return heard;
}

function publish(publisher: Publisher, ...texts: string[]): void {
	for (const text of texts) {
		publisher.publish(text);
		publisher.awaitAnswer();
	}
}

test("each subscriber hears each message, in order, and the kernel knows when it came", async (t) => {
	const { kernel, wire, publisher, subscribe } = await start(t);
	await notesTimes(t, kernel, wire);
	const subscribers = subscribe(3);
	publisher.open();
	const beforeUs = wire.nowUs();
	publish(publisher, ...[1, 2, 3].map((number) => numbered(number, BYTES)));
	const afterUs = wire.nowUs();
	const heard = hear(subscribers, 9);
	for (const place of [0, 1, 2])
		assert.deepEqual(
			heard.filter(([at]) => at === place).map(([, number]) => number),
			[1, 2, 3],
		);
	assert.ok(wire.arrivedUs > beforeUs && wire.arrivedUs < afterUs, "it came before the server had answered");
});

test("who must say something first has subscribed when that is confirmed", async (t) => {
	const { publisher, subscribe } = await start(t);
	const subscribers = subscribe(200, { path: SAYS, says: SAID, confirms: CONFIRMED });
	publisher.open();
	publish(publisher, numbered(7, 400));
	assert.ok(hear(subscribers, 200).every(([, number]) => number === 7));
});

test("a message that comes in two pieces is heard when it is whole", async (t) => {
	const { publisher, subscribe } = await start(t);
	const subscribers = subscribe(1);
	publisher.open();
	publish(publisher, HALF + numbered(1, BYTES));
	subscribers.sweep(() => assert.fail("it is not whole"));
	publish(publisher, numbered(2, BYTES));
	assert.deepEqual(hear(subscribers, 2), [
		[0, 1],
		[0, 2],
	]);
});

test("pings are answered when somebody looks", async (t) => {
	const { publisher, subscribe } = await start(t);
	const subscribers = subscribe(2);
	publisher.open();
	publisher.publish(PING_ALL);
	const giveUpAtMs = performance.now() + PATIENCE_MS;
	let isAnswered = false;
	while (!isAnswered) {
		assert.ok(performance.now() < giveUpAtMs);
		subscribers.sweep(() => assert.fail("a ping is no message"));
		isAnswered = publisher.hasAnswer(5);
	}
});

test("who is sent away or cut off is no subscriber any more: it is said why", async (t) => {
	for (const [body, why] of [
		[SEND_AWAY, /a subscriber was sent away: 4409 too slow/],
		[CUT, /a subscriber's connection ended: /],
	] as const) {
		const { publisher, subscribe } = await start(t);
		const subscribers = subscribe(1);
		publisher.open();
		publish(publisher, body);
		assert.throws(() => hear(subscribers, 1), why);
	}
});

test("whoever expects it is told of other texts, of who is sent away and why, and of ends", async (t) => {
	const { kernel, wire, publisher, door } = await start(t);
	const met: unknown[] = [];
	const meeting: Meeting = {
		said: (...what) => met.push(["said", ...what]),
		sentAway: (...what) => met.push(["sent away", ...what]),
		ended: (...what) => met.push(["ended", ...what]),
	};
	const subscribers = new Subscribers(kernel, wire, 2, door, { meeting });
	t.after(() => subscribers.close());
	subscribers.open();
	publisher.open();
	publish(publisher, "a notice", SEND_AWAY);
	const giveUpAtMs = performance.now() + PATIENCE_MS;
	while (subscribers.alive === 2 || met.length < 4) {
		assert.ok(performance.now() < giveUpAtMs, JSON.stringify(met));
		subscribers.sweep(() => assert.fail("nothing has a number"));
	}
	assert.deepEqual([subscribers.isAlive(0), subscribers.isAlive(1)], [false, true]);
	assert.deepEqual(
		met.filter((what) => Array.isArray(what) && what[1] === 0),
		[
			["said", 0, "a notice"],
			["sent away", 0, 4409, "too slow"],
			["ended", 0, null],
		],
	);
});

test("an end is news of the kernel where that is wished, and what had come before is there", async (t) => {
	const { kernel, wire, publisher, door } = await start(t);
	const ended: number[] = [];
	const meeting: Meeting = { said() {}, sentAway() {}, ended: (place) => ended.push(place) };
	const subscribers = new Subscribers(kernel, wire, 2, door, { meeting, watchesEnds: true });
	t.after(() => subscribers.close());
	subscribers.open();
	const elsewhere = new LinuxKernel(SUBSCRIBERS_ARENA_BYTES);
	t.after(() => elsewhere.dispose());
	const other = new Publisher(elsewhere, { port: door.port, path: "/", fields: {}, before: "", after: "" });
	t.after(() => other.close());
	other.open();
	publish(other, numbered(1, BYTES));
	assert.equal(
		turn(kernel, 0, subscribers.row, () => {}),
		0,
		"a delivery is no news",
	);
	publish(other, CUT);
	const heard: number[] = [];
	const giveUpAtMs = performance.now() + PATIENCE_MS;
	while (ended.length === 0) {
		assert.ok(performance.now() < giveUpAtMs);
		turn(kernel, 20, subscribers.row, (place) =>
			subscribers.sweepOne(place, (_, number) => heard.push(number)),
		);
	}
	assert.deepEqual([ended, heard], [[0], [1]]);
	publisher.close();
});

test("what had come before a reset is received before it, with its time", async (t) => {
	const { server, port } = await listen(t);
	const kernel = new LinuxKernel(SUBSCRIBERS_ARENA_BYTES);
	t.after(() => kernel.dispose());
	const wire = new TimedWire(kernel);
	await notesTimes(t, kernel, wire);
	const fd = connect(kernel, loopback(port));
	t.after(() => kernel.close(fd));
	const [socket] = (await once(server, "connection")) as [Socket];
	assert.equal(wire.shake(0, fd), 0);
	const beforeUs = wire.nowUs();
	await new Promise((resolve) => socket.write("some words", resolve));
	socket.resetAndDestroy();
	await once(socket, "close");
	assert.equal(wire.receive(0, fd, 0, 100), 10);
	assert.ok(wire.arrivedUs > beforeUs);
	assert.equal(wire.receive(0, fd, 0, 100), -ECONNRESET);
});

test("who takes little has the rest later", async (t) => {
	const { publisher, subscribe } = await start(t);
	const subscribers = subscribe(1);
	publisher.open();
	publish(publisher, numbered(1, BYTES), numbered(2, BYTES));
	const heard: number[] = [];
	const sip = (): void => subscribers.sip(0, 40, (_, number) => heard.push(number));
	for (let sips = 0; sips < 4; sips++) sip();
	assert.deepEqual(heard, []);
	const giveUpAtMs = performance.now() + PATIENCE_MS;
	for (let sips = 4; heard.length < 2; sips++) {
		assert.ok(performance.now() < giveUpAtMs);
		sip();
		assert.ok(heard.length <= (40 * sips) / BYTES);
	}
	assert.deepEqual(heard, [1, 2]);
});

test("a WebSocket that is not granted, and a message that is refused, are errors with what was answered", async (t) => {
	const { publisher, subscribe } = await start(t);
	assert.throws(() => subscribe(1, { path: "/nowhere" }), /no WebSocket was granted: HTTP\/1\.1 404/);
	publisher.open();
	publisher.publish(REFUSED);
	assert.throws(() => publisher.awaitAnswer(), /a message was refused: HTTP\/1\.1 400/);
});

test("subscribers may come through TLS", async (t) => {
	const { cert, key } = issue({ commonName: NAME });
	const port = await startServer(t, [JSON.stringify({ cert: cert.text, key: key.text })]);
	const kernel = new LinuxKernel(SUBSCRIBERS_ARENA_BYTES);
	t.after(() => kernel.dispose());
	const door = { port, path: SAYS, says: SAID, confirms: CONFIRMED };
	const subscribers = new Subscribers(kernel, new TlsWire(kernel, 3, NAME), 3, door);
	t.after(() => subscribers.close());
	subscribers.open();
	subscribers.sweep(() => assert.fail("nothing was published"));
});

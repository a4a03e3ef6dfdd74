/** `/api/hub`, over a hub in memory: what is published, asked and refused, and followers who are bounded. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage, request } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { type TestContext, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { FOLLOWERS_MAX, Followers } from "../../src/admin/followers.js";
import type { ChannelDetails } from "../../src/admin/hub-view.js";
import { openAdmin } from "../../src/admin/server.js";
import type { AdminTokens, AdminView } from "../../src/admin/view.js";
import { MemoryHub, type MemoryHubOptions } from "../support/memory-hub.js";
import { eventually } from "../support/waiting.js";
import { EventStream } from "./events.js";
import { viewOf } from "./view.js";

const OPERATOR = { "sluice-operator": "test" };

interface Stand {
	readonly hub: MemoryHub;
	readonly port: number;
	readonly audited: Readonly<Record<string, unknown>>[];
	close(): Promise<void>;
}

async function stand(
	t: TestContext,
	options: MemoryHubOptions = {},
	changes: Partial<AdminView> = {},
): Promise<Stand> {
	const hub = new MemoryHub(options);
	const audited: Readonly<Record<string, unknown>>[] = [];
	const view = viewOf({ hub: () => hub, audit: (facts) => void audited.push(facts), ...changes });
	const admin = await openAdmin({ host: "127.0.0.1", port: 0 }, view);
	t.after(() => admin.close());
	return {
		...{ hub, audited, close: () => admin.close() },
		port: (admin.server.address() as AddressInfo).port,
	};
}

interface Asked {
	readonly status: number;
	readonly value: Record<string, unknown>;
}

async function ask(
	port: number,
	method: string,
	path: string,
	body?: string | Uint8Array,
	headers: Readonly<Record<string, string>> = {},
): Promise<Asked> {
	const sent = request({
		...{ host: "127.0.0.1", port, path, method, agent: false, headers: { ...OPERATOR, ...headers } },
	});
	sent.end(body);
	const [response] = (await once(sent, "response")) as [IncomingMessage];
	let text = "";
	for await (const part of response.setEncoding("utf8")) text += part;
	return { status: response.statusCode ?? 0, value: JSON.parse(text) as Record<string, unknown> };
}

const BYTES = { "content-type": "application/octet-stream" };
const LINES = { "content-type": "application/x-ndjson" };

test("what is posted is published, as text or as bytes, and is in the channel's history", async (t) => {
	const { port, hub } = await stand(t);
	const first = await ask(port, "POST", "/api/hub/rooms/42?key=a&priority=low", "grüße");
	assert.deepEqual(first, { status: 200, value: { id: "1:1", published: 1 } });
	assert.equal((await ask(port, "POST", "/api/hub/rooms/42", Buffer.of(0, 255), BYTES)).status, 200);
	hub.subscribe("rooms/42", 7, "alice");
	hub.subscribe("rooms/42", 8, "alice");
	const { status, value } = await ask(port, "GET", "/api/hub/rooms%2F42?history=5");
	const { history, ...channel } = value as unknown as ChannelDetails;
	assert.equal(status, 200);
	assert.deepEqual(channel, {
		...{ name: "rooms/42", match: "**", policy: "drop-oldest", subscribers: 2, published: 2, replayable: 2 },
		...{ last_id: "1:2", presence: { count: 2, who: ["alice"] }, too_old: false },
	});
	assert.deepEqual(
		history?.map(({ id, key, data, base64 }) => ({ id, key, data, base64 })),
		[
			{ id: "1:1", key: "a", data: "grüße", base64: undefined },
			{ id: "1:2", key: undefined, data: undefined, base64: "AP8=" },
		],
	);
	const after = await ask(port, "GET", "/api/hub/rooms/42?after=1:1");
	assert.deepEqual(
		(after.value as unknown as ChannelDetails).history?.map(({ id }) => id),
		["1:2"],
	);
	const all = await ask(port, "GET", "/api/hub");
	assert.deepEqual(
		(all.value["channels"] as { name: string }[]).map(({ name }) => name),
		["rooms/42"],
	);
	assert.equal((await ask(port, "GET", "/api/hub/rooms/42")).value["history"], null);
});

test("lines are messages, published in order up to the first that is refused", async (t) => {
	const { port, hub } = await stand(t, { quota: 3 });
	const lines = '{"data":"a","key":"k"}\n{"base64":"AP8="}\n';
	assert.deepEqual((await ask(port, "POST", "/api/hub/a", lines, LINES)).value, { id: "1:2", published: 2 });
	assert.deepEqual(await ask(port, "POST", "/api/hub/a", '{"data":"c"}\n{"data":"d"}\n{"data":"e"}', LINES), {
		status: 429,
		value: { error: "message 2: a has had as many messages as it may", code: "limit_rate", published: 1 },
	});
	assert.deepEqual(
		hub.history("a", { limit: 9 }).messages.map(({ data, base64 }) => data ?? base64),
		["a", "AP8=", "c"],
	);
	for (const [wrong, why] of [
		['{"data":"a"}\n{"data":1}', /line 2: data: /],
		['{"data":"a","base64":""}', /line 1: expected either data or base64/],
		["{}", /line 1: expected either/],
		["hello", /line 1: .*JSON/],
		['{"data":"a","keys":"k"}', /line 1: .*keys/],
		["", /there is no message/],
	] as const) {
		const { status, value } = await ask(port, "POST", "/api/hub/a", wrong, LINES);
		assert.deepEqual([status, value["code"]], [400, "bad_message"], wrong);
		assert.match(String(value["error"]), why);
	}
	assert.equal(hub.channel("a")?.published, 3, "of bad lines none is published");
});

test("what the hub refuses has its status, a sentence and a code", async (t) => {
	const { port } = await stand(t, { match: ["rooms/*"], messageBytesMax: 10 });
	for (const [method, path, body, status, code] of [
		["POST", "/api/hub/prices", "1", 404, "no_channel"],
		["GET", "/api/hub/prices", undefined, 404, "no_channel"],
		["GET", "/api/hub/prices?follow=1", undefined, 404, "no_channel"],
		["GET", "/api/hub/prices?follow=1&history=3", undefined, 404, "no_channel"],
		["GET", "/api/hub/rooms//1", undefined, 400, "bad_channel"],
		["GET", "/api/hub/rooms/%zz", undefined, 400, "bad_channel"],
		["GET", "/api/hub/rooms/1?follow=1&after=x", undefined, 400, "bad_message"],
		["POST", "/api/hub/rooms/1", "12345678901", 413, "too_large"],
		["POST", "/api/hub/rooms/1", "x".repeat(100_000), 413, "too_large"],
		["POST", "/api/hub/rooms/1", Buffer.of(0xff), 400, "bad_message"],
	] as const) {
		const { status: found, value } = await ask(port, method, path, body);
		assert.deepEqual([found, value["code"]], [status, code], `${method} ${path}`);
		assert.notEqual(value["error"], "");
	}
	const unknown = await ask(port, "POST", "/api/hub/rooms/1", "x", { "content-type": "image/png" });
	assert.equal(unknown.status, 415);
	const latin = await ask(port, "POST", "/api/hub/rooms/1", "x", {
		"content-type": "text/plain; charset=latin1",
	});
	assert.equal(latin.status, 415);
	const typeless = await ask(port, "POST", "/api/hub/rooms/1", "x", {
		"content-type": "application/x-www-form-urlencoded",
	});
	assert.equal(typeless.status, 200, "what curl says of --data");
	for (const path of ["?follow=2", "?history=many", "?history=1001", "?priority=low"])
		assert.equal((await ask(port, "GET", `/api/hub/rooms/1${path}`)).status, 400, path);
	assert.equal((await ask(port, "PUT", "/api/hub/rooms/1")).status, 405);
});

test("a gateway without a hub says so to every question", async (t) => {
	const { port } = await stand(t, {}, { hub: () => undefined });
	for (const [method, path] of [
		["GET", "/api/hub"],
		["GET", "/api/hub/a"],
		["GET", "/api/hub/a?follow=1"],
		["POST", "/api/hub/a"],
		["DELETE", "/api/hub/a?session=1"],
	] as const) {
		const { status, value } = await ask(port, method, path);
		assert.equal(status, 404);
		assert.match(String(value["error"]), /^this gateway has no hub: its configuration has no "hub"$/);
	}
});

test("publishing needs what every change needs, and following what every question does", async (t) => {
	const { port, hub } = await stand(
		t,
		{},
		{ adminTokens: () => ({ full: "full-token", read: "read-token" }) },
	);
	const as = (token: string) => ({ authorization: `Bearer ${token}` });
	assert.equal((await ask(port, "POST", "/api/hub/a", "x")).status, 401);
	assert.equal((await ask(port, "POST", "/api/hub/a", "x", as("read-token"))).status, 403);
	assert.equal((await ask(port, "DELETE", "/api/hub/a?session=1", "", as("read-token"))).status, 403);
	const elsewhere = { ...as("full-token"), origin: "https://other.example" };
	assert.equal((await ask(port, "POST", "/api/hub/a", "x", elsewhere)).status, 403);
	assert.equal(hub.channel("a"), undefined);
	assert.equal((await ask(port, "POST", "/api/hub/a", "x", as("full-token"))).status, 200);
	assert.equal((await ask(port, "GET", "/api/hub/a?follow=1")).status, 401);
	const stream = await EventStream.open(port, "/api/hub/a?follow=1", as("read-token"));
	assert.deepEqual((await stream.next()).type, "subscribed");
	stream.close();
});

test("a subscription is taken away, and the log tells who did it", async (t) => {
	const { port, hub, audited } = await stand(t);
	hub.subscribe("a", 7, "alice");
	assert.deepEqual(await ask(port, "DELETE", "/api/hub/a?session=7"), {
		...{ status: 200, value: { unsubscribed: true } },
	});
	const [{ operator, ...facts } = { operator: "" }] = audited;
	assert.deepEqual(facts, { session: 7, channel: "a" });
	assert.match(String(operator), /^test \(/);
	assert.equal((await ask(port, "DELETE", "/api/hub/a?session=7")).status, 404);
	assert.equal((await ask(port, "DELETE", "/api/hub/a")).status, 400);
});

test("a follower is told what is published from now on, as the wire has it", async (t) => {
	const { port, hub } = await stand(t);
	hub.publish("a/b", { data: "before" });
	const stream = await EventStream.open(port, "/api/hub/a/b?follow=1");
	assert.equal(stream.type, "text/event-stream; charset=utf-8");
	assert.deepEqual(await stream.next(), { type: "subscribed", data: { channel: "a/b", id: "1:1" } });
	await ask(port, "POST", "/api/hub/a/b?key=k", "one\ntwo");
	hub.publish("a/b", { data: Buffer.of(1) });
	assert.deepEqual(await stream.next(), {
		...{ type: "message", id: "1:2", data: { channel: "a/b", key: "k", data: "one\ntwo" } },
	});
	assert.deepEqual(await stream.next(), {
		...{ type: "message", id: "1:3", data: { channel: "a/b", base64: "AQ==" } },
	});
	stream.close();
	await eventually(
		() => hub.followersOf("a/b") === 0 || undefined,
		() => "whoever has gone is heard of",
	);
});

test("what the log has comes first: the last messages, or those behind an id, and then what is published meanwhile", async (t) => {
	const { port, hub } = await stand(t, { replay: 5_000 });
	for (let number = 1; number <= 2_000; number++) hub.publish("a", { data: String(number) });
	const numbersOf = async (query: string, headers = {}): Promise<number[]> => {
		const stream = await EventStream.open(port, `/api/hub/a?follow=1${query}`, headers);
		await stream.next();
		// While it is behind.
		hub.publish("a", { data: "end" });
		const numbers: number[] = [];
		for (;;) {
			const { type, data } = await stream.next();
			assert.equal(type, "message");
			const text = String(data["data"]);
			if (text === "end" && numbers.length > 0) break;
			if (text !== "end") numbers.push(Number(text));
		}
		stream.close();
		return numbers;
	};
	assert.deepEqual(await numbersOf("&history=3"), [1_998, 1_999, 2_000]);
	const rest = Array.from({ length: 1_500 }, (_, index) => 501 + index);
	assert.deepEqual(await numbersOf("&after=1:dw"), rest, "dw is 500 in base 36");
	assert.deepEqual(await numbersOf("&after=1:1", { "last-event-id": "1:dw" }), rest);
});

test("who asks behind what the log has is told so, and goes on with what there is", async (t) => {
	const { port, hub } = await stand(t, { replay: 2 });
	for (const data of ["a", "b", "c", "d"]) hub.publish("a", { data });
	const stream = await EventStream.open(port, "/api/hub/a?follow=1&after=1:1");
	await stream.next();
	assert.deepEqual(await stream.next(), {
		...{ type: "too_old", data: { channel: "a", after: "1:1", id: "1:3" } },
	});
	assert.equal((await stream.next()).id, "1:3");
	assert.equal((await stream.next()).id, "1:4");
	stream.close();
	const other = await EventStream.open(port, "/api/hub/a?follow=1&after=0:7");
	await other.next();
	assert.deepEqual(await other.next(), { type: "too_old", data: { channel: "a", after: "0:7", id: null } });
	hub.publish("a", { data: "e" });
	assert.equal((await other.next()).id, "1:5", "of another start: from now on");
	other.close();
	const { value } = await ask(port, "GET", "/api/hub/a?after=1:1");
	assert.equal(value["too_old"], true);
});

test("a follower that does not read hears nothing more at its bound; the others have everything", async (t) => {
	const { port, hub, audited } = await stand(t);
	const deaf = connect(port, "127.0.0.1");
	t.after(() => deaf.destroy());
	deaf.write("GET /api/hub/a?follow=1 HTTP/1.1\r\nHost: localhost\r\n\r\n");
	deaf.pause();
	deaf.on("error", () => {});
	const healthy = await EventStream.open(port, "/api/hub/a?follow=1");
	await eventually(
		() => hub.followersOf("a") === 2 || undefined,
		() => "both follow",
	);
	await healthy.next();
	const data = "x".repeat(60_000);
	let sent = 0;
	// The kernel has buffers of its own, of some megabytes.
	for (; hub.followersOf("a") === 2 && sent < 2_000; sent++) {
		hub.publish("a", { data });
		assert.equal((await healthy.next()).type, "message");
	}
	assert.equal(hub.followersOf("a"), 1, `after ${sent} messages`);
	hub.publish("a", { data });
	assert.equal((await healthy.next()).type, "message");
	assert.deepEqual(
		audited.map(({ channel, reason }) => [channel, reason]),
		[["a", "outbox_full"]],
	);
	healthy.close();
});

test("one that reads again has all that waited, is told why there is no more, and goes on behind that", async (t) => {
	const { port, hub } = await stand(t);
	const slow = await EventStream.open(port, "/api/hub/a?follow=1");
	await slow.next();
	slow.pause();
	const data = "x".repeat(60_000);
	let sent = 0;
	for (; hub.followersOf("a") === 1 && sent < 2_000; sent++) {
		hub.publish("a", { data });
		// What the kernel takes, it takes between two of them.
		await setImmediate();
	}
	assert.equal(hub.followersOf("a"), 0, `after ${sent} messages`);
	slow.resume();
	let last = "";
	let had = 0;
	for (;;) {
		const { type, id = "", data: told } = await slow.next();
		if (type === "end") {
			assert.equal(told["code"], 4_409);
			break;
		}
		last = id;
		had++;
	}
	await slow.ended;
	assert.equal(had, sent - 1, "all but the one for which there was no room");
	const again = await EventStream.open(port, `/api/hub/a?follow=1&after=${last}`);
	await again.next();
	assert.equal((await again.next()).id, hub.channel("a")?.lastId);
	again.close();
});

test("so many may follow, the next one is told so, and who goes makes room", async (t) => {
	const { port, hub } = await stand(t);
	const streams: EventStream[] = [];
	for (let number = 0; number < FOLLOWERS_MAX; number++)
		streams.push(await EventStream.open(port, "/api/hub/a?follow=1"));
	const { status, value } = await ask(port, "GET", "/api/hub/a?follow=1");
	assert.equal(status, 503);
	assert.match(String(value["error"]), /follow channels here already/);
	assert.equal((await ask(port, "GET", "/api/hub")).status, 200, "questions have places of their own");
	assert.equal((await ask(port, "POST", "/api/hub/a", "x")).status, 200);
	streams.pop()?.close();
	await eventually(
		() => hub.followersOf("a") === FOLLOWERS_MAX - 1 || undefined,
		() => "one has gone",
	);
	streams.push(await EventStream.open(port, "/api/hub/a?follow=1"));
	for (const stream of streams) stream.close();
});

test("followers are told why the hub ends them, and so they are when the admin port closes", async (t) => {
	const { port, hub, close } = await stand(t);
	const first = await EventStream.open(port, "/api/hub/a?follow=1");
	await first.next();
	hub.end("the gateway drains");
	const { type, data } = await first.next();
	assert.equal(type, "end");
	assert.deepEqual([data["code"], data["reason"]], [1_001, "the gateway drains"]);
	await first.ended;
	const second = await EventStream.open(port, "/api/hub/a?follow=1");
	await second.next();
	await close();
	assert.equal((await second.next()).data["reason"], "the gateway stops");
	await second.ended;
	assert.equal(hub.followersOf("a"), 0);
});

test("bodies that do not come are few, and those that are there at once need no place", async (t) => {
	const { port, hub } = await stand(t);
	const halves = [];
	for (let number = 0; number < 8; number++) {
		const socket = connect(port, "127.0.0.1");
		t.after(() => socket.destroy());
		socket.on("error", () => {});
		socket.write(
			"POST /api/hub/a HTTP/1.1\r\nHost: localhost\r\nSluice-Operator: t\r\nContent-Length: 4\r\n\r\nha",
		);
		halves.push(socket);
	}
	const slow = async (): Promise<number> => {
		const sent = request({
			...{ host: "127.0.0.1", port, path: "/api/hub/a", method: "POST", agent: false },
			headers: { ...OPERATOR, "content-length": 4 },
		});
		sent.on("error", () => {});
		sent.write("ha");
		const [response] = (await once(sent, "response")) as [IncomingMessage];
		sent.destroy();
		return response.statusCode ?? 0;
	};
	assert.equal(await slow(), 503);
	assert.equal((await ask(port, "POST", "/api/hub/a", "whole")).status, 200);
	const [half] = halves;
	assert.ok(half);
	half.write("lf");
	const [answer] = (await once(half, "data")) as [Buffer];
	assert.match(answer.toString(), /^HTTP\/1\.1 200 /);
	assert.deepEqual(
		hub.history("a", { limit: 9 }).messages.map(({ data }) => data),
		["whole", "half"],
	);
});

async function startFollowers(
	t: TestContext,
	hub: MemoryHub,
	tokens: () => AdminTokens,
): Promise<{ followers: Followers; port: number }> {
	const followers = new Followers(() => {}, tokens, 10);
	const server = createServer((_, response) =>
		followers.begin(response, {}, { desk: hub, channel: "a", history: 0, after: undefined, operator: "" }),
	).listen(0, "127.0.0.1");
	t.after(() => server.close());
	await once(server, "listening");
	return { followers, port: (server.address() as AddressInfo).port };
}

test("whoever follows a channel by a token that a reload has replaced is told, and hears no more", async (t) => {
	const hub = new MemoryHub();
	let full = "of-yesterday-0123";
	const { followers, port } = await startFollowers(t, hub, () => ({ full, read: null }));
	const stream = await EventStream.open(port, "/");
	assert.equal((await stream.next()).type, "subscribed");
	full = "of-today-01234567";
	const { type, data } = await stream.next();
	assert.equal(type, "end");
	assert.match(String(data["reason"]), /tokens of the admin port are others/);
	await stream.ended;
	assert.equal(followers.size, 0);
	assert.equal(hub.followersOf("a"), 0);
});

test("a follower hears a comment again and again while nothing is published, and none when it has gone", async (t) => {
	const hub = new MemoryHub();
	const { followers, port } = await startFollowers(t, hub, () => ({ full: null, read: null }));
	const stream = await EventStream.open(port, "/");
	await stream.commented(3);
	stream.close();
	await eventually(
		() => followers.size === 0 || undefined,
		() => "it has gone",
	);
	assert.equal(hub.followersOf("a"), 0);
});

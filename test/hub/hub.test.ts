/** The hub without any reactor: what it publishes, tells and refuses. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { loadConfigText } from "../../src/config/load.js";
import type { HistoryMessage } from "../../src/hub/desk.js";
import { HubRefusal } from "../../src/hub/desk.js";
import { Hub } from "../../src/hub/hub.js";

interface World {
	readonly hub: Hub;
	nowMs: number;
	readonly woken: number[];
}

function start(context: TestContext, channels: string, more = ""): World {
	const { hub: config } = loadConfigText(
		`listeners: [{ listen: ":1", routes: [{ path: /c/, to: hub }] }]\nhub: { ${more}channels: ${channels} }`,
	);
	assert.ok(config !== null);
	const world = { nowMs: 1_000, woken: [] as number[] } as { hub: Hub; nowMs: number; woken: number[] };
	world.hub = new Hub({
		...{ config, reactors: 2, now: () => world.nowMs, unixNow: () => 1_700_000_000_000 + world.nowMs },
		wake: (reactor) => void world.woken.push(reactor),
		unsubscribe: () => Promise.resolve(false),
	});
	context.after(() => world.hub.close("the test is over"));
	return world;
}

const refuses = (code: string) => (error: unknown) => error instanceof HubRefusal && error.code === code;

test("messages have ascending ids of one epoch, and followers hear each as it is published", (context) => {
	const { hub } = start(context, "[{ match: a, subscribe: public }]");
	const heard: HistoryMessage[] = [];
	const end = hub.follow("a", { heard: (message) => void heard.push(message) });
	const ids = ["x", "y"].map((data) => hub.publish("a", { data, key: "k" }).id);
	assert.deepEqual(
		heard.map(({ id, data, key }) => [id, data, key]),
		[
			[ids[0], "x", "k"],
			[ids[1], "y", "k"],
		],
	);
	const [first, second] = ids.map((id) => id.split(":"));
	assert.equal(first?.[0], second?.[0]);
	assert.deepEqual([first?.[1], second?.[1]], ["1", "2"]);
	end();
	end();
	hub.publish("a", { data: "z" });
	assert.equal(heard.length, 2);
});

test("only reactors that have subscribers are woken, and once until they look", (context) => {
	const { hub, woken } = start(context, "[{ match: a, subscribe: public }]");
	hub.publish("a", { data: "nobody hears it" });
	assert.deepEqual(woken, []);
	hub.channelsThere.open("a").subscribers[1] = 3;
	hub.publish("a", { data: "x" });
	hub.publish("a", { data: "y" });
	assert.deepEqual(woken, [1]);
	assert.equal(hub.log.wasWoken(1), true);
	hub.publish("a", { data: "z" });
	assert.deepEqual(woken, [1, 1]);
});

test("what cannot be published is refused with what to do, and changes nothing", (context) => {
	const { hub } = start(
		context,
		'[{ match: a, subscribe: public, publish_per_second: 1 }, { match: "r/*", subscribe: public }]',
		"limits: { message: 1KiB, channels: 2 }, ",
	);
	assert.throws(() => hub.publish("a b", { data: "" }), refuses("bad_channel"));
	assert.throws(() => hub.publish("other", { data: "" }), refuses("no_channel"));
	assert.throws(() => hub.publish("a", { data: "x".repeat(1_025) }), refuses("too_large"));
	assert.throws(() => hub.publish("a", { data: "x", key: "" }), refuses("bad_message"));
	assert.equal(hub.channels().length, 0);
	const { id } = hub.publish("a", { data: "x" });
	assert.throws(() => hub.publish("a", { data: "x" }), refuses("limit_rate"));
	assert.equal(hub.channel("a")?.lastId, id);
	hub.publish("r/1", { data: "x" });
	assert.throws(() => hub.publish("r/2", { data: "x" }), refuses("limit_channels"));
});

test("history tells what the channel keeps, and where it begins too late", (context) => {
	const world = start(
		context,
		"[{ match: a, subscribe: public, replay: { messages: 3, age: 1m } }, { match: b, subscribe: public }]",
	);
	const { hub } = world;
	const ids = ["1", "2", "3", "4"].map((data) => hub.publish("a", { data }).id);
	hub.publish("b", { data: Uint8Array.of(0, 255) });
	const told = (limit: number, after?: string) => {
		const { messages, tooOld } = hub.history("a", { limit, ...(after === undefined ? {} : { after }) });
		return [messages.map(({ data }) => data).join(""), tooOld];
	};
	assert.deepEqual(told(10), ["234", false]);
	assert.deepEqual(told(2), ["34", false]);
	assert.deepEqual(told(10, ids[2]), ["4", false]);
	assert.deepEqual(told(1, ids[0]), ["2", false]);
	assert.deepEqual(told(10, `${ids[0]?.split(":")[0]}:0`), ["234", true]);
	assert.deepEqual(told(10, "zzz:1"), ["", true]);
	assert.throws(() => hub.history("a", { limit: 1, after: "nonsense" }), refuses("bad_message"));
	assert.deepEqual(hub.history("b", { limit: 9 }), { messages: [], tooOld: false });
	world.nowMs += 60_001;
	assert.deepEqual(told(10), ["", false]);
});

test("a reload changes what holds for channels, and says which are no more", (context) => {
	const { hub } = start(context, "[{ match: a, subscribe: public }, { match: b, subscribe: public }]");
	let ended = "";
	const isEnded = (reason: string): void => {
		ended = reason;
	};
	hub.follow("b", { heard: () => {}, ended: isEnded });
	hub.publish("a", { data: "x" });
	const gone = hub.use({ ...hub.config, channels: hub.config.channels.slice(0, 1) });
	assert.deepEqual(
		gone.map(({ name }) => name),
		["b"],
	);
	assert.notEqual(ended, "");
	assert.throws(() => hub.publish("b", { data: "x" }), refuses("no_channel"));
	assert.throws(() => hub.history("b", { limit: 1 }), refuses("no_channel"));
	hub.publish("a", { data: "y" });
});

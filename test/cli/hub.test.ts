/** `sluice publish | subscribe | channels | unsubscribe`, against an admin port whose hub is in memory. */
import assert from "node:assert/strict";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { type AdminPort, openAdmin } from "../../src/admin/server.js";
import { channels, channelTable, channelText, unsubscribe } from "../../src/cli/operate/channels.js";
import { eventsOf, type StreamedEvent } from "../../src/cli/operate/event-stream.js";
import { publish } from "../../src/cli/operate/publish.js";
import { MAIN } from "../../src/rig/gateway.js";
import { viewOf } from "../admin/view.js";
import { MemoryHub, type MemoryHubOptions } from "../support/memory-hub.js";
import { type Child, type Outcome, run, start } from "../support/processes.js";
import { type Scenario, scenario } from "../support/scenario.js";
import { eventually } from "../support/waiting.js";

/** An admin port that can be closed and opened again, with another hub behind it. */
class Stand {
	hub: MemoryHub;
	port = 0;
	#admin: AdminPort | undefined;

	static async open(scenario: Scenario, options: MemoryHubOptions = {}): Promise<Stand> {
		const stand = new Stand(new MemoryHub(options));
		await stand.open();
		scenario.defer(() => stand.close());
		return stand;
	}

	private constructor(hub: MemoryHub) {
		this.hub = hub;
	}

	async open(): Promise<void> {
		this.#admin = await openAdmin({ host: "127.0.0.1", port: this.port }, viewOf({ hub: () => this.hub }));
		this.port = (this.#admin.server.address() as AddressInfo).port;
	}

	async close(): Promise<void> {
		await this.#admin?.close();
	}

	args(...args: string[]): string[] {
		return [MAIN, ...args, "--admin", `127.0.0.1:${this.port}`];
	}

	sluice(args: readonly string[], input = ""): Promise<Outcome> {
		return run({ path: process.execPath }, this.args(...args), { input });
	}

	/** Where commands ask that run in this process, which costs less. */
	get where(): { readonly admin: string } {
		return { admin: `127.0.0.1:${this.port}` };
	}

	/** Lines that come in pieces of some length. */
	publishLines(channel: string, text: string): Promise<string> {
		const bytes = Buffer.from(text);
		async function* input(): AsyncGenerator<Buffer> {
			for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536);
		}
		return publish(channel, undefined, this.where, input);
	}

	dataOf(channel: string): unknown[] {
		return this.hub
			.history(channel, { limit: 100_000 })
			.messages.map(({ data, base64 }) => data ?? { base64 });
	}

	/** One that follows already. */
	async subscriber(scenario: Scenario, ...args: string[]): Promise<Child> {
		const child = start(scenario, { path: process.execPath }, this.args("subscribe", ...args));
		await this.isFollowed(args[0] ?? "");
		return child;
	}

	async isFollowed(channel: string): Promise<void> {
		await eventually(
			() => this.hub.followersOf(channel) > 0 || undefined,
			() => `somebody follows ${channel}`,
		);
	}
}

scenario("a message is published as text or as bytes, with its key, and its id is told", async (scenario) => {
	const stand = await Stand.open(scenario);
	const text = await stand.sluice(["publish", "rooms/42", "grüße", "--key", "a", "--low"]);
	assert.deepEqual([text.status, text.stdout, text.stderr], [0, "1:1\n", ""]);
	const bytes = await stand.sluice(["publish", "rooms/42", "--bytes", "--json"], "two\nlines\n");
	assert.deepEqual(JSON.parse(bytes.stdout), { id: "1:2", published: 1 });
	assert.deepEqual(stand.dataOf("rooms/42"), [
		"grüße",
		{ base64: Buffer.from("two\nlines\n").toString("base64") },
	]);
	assert.equal(stand.hub.history("rooms/42", { limit: 2 }).messages[0]?.key, "a");
});

scenario("each line is a message: in order, however many, long or empty", async (scenario) => {
	const stand = await Stand.open(scenario, { messageBytesMax: 200_000, replay: 100_000 });
	const lines = Array.from({ length: 20_000 }, (_, index) => `line ${index}`);
	lines[7] = "";
	lines[8] = "x".repeat(150_000);
	lines[9] = '"\u0001\\';
	assert.equal(await stand.publishLines("a", lines.join("\n")), "20000 messages, the last one 1:ffk\n");
	assert.deepEqual(stand.dataOf("a"), lines);
	assert.equal(await stand.publishLines("a", ""), "0 messages\n");
	assert.equal(await stand.publishLines("a", "\n"), "1 message, the last one 1:ffl\n");
});

scenario("a line is published when it comes, not when the input ends", async (scenario) => {
	const stand = await Stand.open(scenario);
	const child = start(scenario, { path: process.execPath }, stand.args("publish", "a"));
	for (const line of ["one", "two"]) {
		child.process.stdin?.write(`${line}\n`);
		await eventually(
			() => stand.dataOf("a").at(-1) === line || undefined,
			() => `${line} is published`,
		);
	}
	child.process.stdin?.end("three");
	assert.equal(await child.exited, 0);
	assert.deepEqual(stand.dataOf("a"), ["one", "two", "three"]);
});

scenario("the first refusal ends it, and tells which line it was", async (scenario) => {
	const stand = await Stand.open(scenario, { quota: 7, messageBytesMax: 100_000 });
	const many = await stand.sluice(["publish", "a"], "1\n2\n3\n4\n5\n6\n7\n8\n9\n");
	assert.equal(many.status, 1);
	assert.match(many.stderr, /^sluice: line 8: .*as many messages as it may\n$/);
	assert.deepEqual(stand.dataOf("a"), ["1", "2", "3", "4", "5", "6", "7"]);
	const fails = (work: Promise<string>, message: RegExp | string) =>
		assert.rejects(work, { name: "OperateError", message });
	await fails(
		stand.publishLines("b", `${"x".repeat(100_001)}\n`),
		/^line 1: a message may have 100000 bytes/,
	);
	await fails(stand.publishLines("b", `\n${"x".repeat(1_200_000)}`), /^line 1: .*as many/);
	await fails(stand.publishLines("b", "x".repeat(1_200_000)), /^line 1 has more than 1048576 bytes/);
	await fails(
		publish("a//b", "hello", stand.where, () => assert.fail("nothing is read")),
		'"a//b" is no name of a channel',
	);
	await stand.close();
	await fails(
		stand.publishLines("a", "1\n2\n"),
		/^lines 1 to 2 may have been published, or not: cannot ask .*refused/,
	);
});

test("what is no UTF-8 is no text", async () => {
	async function* input(): AsyncGenerator<Buffer> {
		yield Buffer.from([0xff, 0x0a]);
	}
	await assert.rejects(publish("a", undefined, { admin: "127.0.0.1:1" }, input), {
		name: "OperateError",
		message: /^line 1 is no UTF-8: --bytes /,
	});
});

scenario("what is published is printed, an object a line, until so many have come", async (scenario) => {
	const stand = await Stand.open(scenario);
	for (const data of ["a", "b", "c"]) stand.hub.publish("rooms/42", { data });
	const child = await stand.subscriber(scenario, "rooms/42", "--history", "2", "--count", "4");
	stand.hub.publish("rooms/42", { data: "d", key: "k" });
	stand.hub.publish("rooms/42", { data: Buffer.of(0) });
	assert.equal(await child.exited, 0);
	assert.deepEqual(child.stdout.split("\n"), [
		'{"channel":"rooms/42","id":"1:2","data":"b"}',
		'{"channel":"rooms/42","id":"1:3","data":"c"}',
		'{"channel":"rooms/42","id":"1:4","key":"k","data":"d"}',
		'{"channel":"rooms/42","id":"1:5","base64":"AA=="}',
		"",
	]);
	assert.equal(child.stderr, "");
});

scenario("a subscriber comes back behind what it has had, whoever ended it", async (scenario) => {
	const stand = await Stand.open(scenario);
	const child = await stand.subscriber(scenario, "a", "--count", "6");
	// Nothing has come so far, and nothing is missed for that.
	stand.hub.end("the gateway drains");
	stand.hub.publish("a", { data: "1" });
	await child.printed(/"1"/);
	await stand.isFollowed("a");
	stand.hub.publish("a", { data: "2" });
	await child.printed(/"2"/);
	await stand.close();
	stand.hub.publish("a", { data: "3" });
	stand.hub.publish("a", { data: "4" });
	await child.printed(/cannot ask/);
	await stand.open();
	await stand.isFollowed("a");
	stand.hub.publish("a", { data: "5" });
	stand.hub.publish("a", { data: "6" });
	assert.equal(await child.exited, 0);
	const printed = child.stdout.split("\n").slice(0, -1);
	assert.deepEqual(
		printed.map((line) => (JSON.parse(line) as { data: string }).data),
		["1", "2", "3", "4", "5", "6"],
	);
	assert.match(child.stderr, /^sluice: the gateway ended the stream: the gateway drains; trying again\n/);
});

scenario("a gateway that has begun anew tells of what may be missing, once", async (scenario) => {
	const stand = await Stand.open(scenario);
	const child = await stand.subscriber(scenario, "a", "--count", "2");
	stand.hub.publish("a", { data: "1" });
	await child.printed(/"1"/);
	await stand.close();
	stand.hub = new MemoryHub({ epoch: 2 });
	await stand.open();
	await stand.isFollowed("a");
	stand.hub.end("for once");
	await stand.isFollowed("a");
	stand.hub.publish("a", { data: "2" });
	assert.equal(await child.exited, 0);
	assert.match(child.stdout, /"2:1"/);
	const missing = child.stderr.match(/^sluice: messages of a may be missing between 1:1 and .*$/gm);
	assert.equal(missing?.length, 1, child.stderr);
});

scenario(
	"it ends well at Ctrl-C, and when its reader leaves; and badly where there is nothing to hear",
	async (scenario) => {
		const stand = await Stand.open(scenario, { match: ["a", "b"] });
		const interrupted = await stand.subscriber(scenario, "a");
		interrupted.signal("SIGINT");
		assert.deepEqual([await interrupted.exited, interrupted.output], [0, ""]);
		const left = await stand.subscriber(scenario, "b");
		left.process.stdout?.destroy();
		await eventually(
			() => {
				stand.hub.publish("b", { data: "x".repeat(10_000) });
				return left.ended || undefined;
			},
			() => "it ends",
		);
		assert.deepEqual([await left.exited, left.stderr], [0, ""]);
		const nothing = await stand.sluice(["subscribe", "c"]);
		assert.deepEqual(
			[nothing.status, nothing.stderr],
			[1, "sluice: no channel of the configuration matches c\n"],
		);
		const count = await stand.sluice(["subscribe", "a", "--count", "none"]);
		assert.deepEqual([count.status, count.stderr], [1, "sluice: --count none: expected a whole number\n"]);
		stand.hub = new MemoryHub({ match: ["c"] });
		assert.equal((await stand.sluice(["subscribe", "a"])).status, 1);
	},
);

scenario("channels are listed, one is told, and a subscription is taken away", async (scenario) => {
	const stand = await Stand.open(scenario);
	const { where } = stand;
	stand.hub.subscribe("rooms/42", 7, "alice");
	const listed = await stand.sluice(["channels"]);
	assert.deepEqual([listed.status, listed.stdout], [0, channelTable(statusesOf(stand.hub))]);
	const one = JSON.parse(await channels("rooms/42", { ...where, json: true })) as { presence: unknown };
	assert.deepEqual(one.presence, { count: 1, who: ["alice"] });
	assert.match(await channels("rooms/42", where), /^subscribers +1: alice$/m);
	assert.equal(
		await unsubscribe("rooms/42", "7", where),
		"session 7 does not subscribe to rooms/42 any more\n",
	);
	await assert.rejects(unsubscribe("rooms/42", "7", where), /session 7 does not live, or does not subscribe/);
	await assert.rejects(channels("rooms/42", where), /neither subscribers nor messages/);
	await assert.rejects(channels("", where), /a channel has a name/);
});

function statusesOf(hub: MemoryHub) {
	return hub.channels().map(({ lastId, ...rest }) => ({ ...rest, last_id: lastId }));
}

test("tables of channels have what there is to know", () => {
	const channel = {
		...{
			name: "rooms/42",
			match: "rooms/*",
			policy: "conflate",
			subscribers: 12,
			published: 3,
			replayable: 2,
		},
		last_id: "1:2",
	};
	assert.equal(
		channelTable([channel, { ...channel, name: "prices", last_id: null }]),
		[
			"CHANNEL   MATCH    POLICY    SUBSCRIBERS  PUBLISHED  REPLAYABLE  LAST",
			"rooms/42  rooms/*  conflate  12           3          2           1:2",
			"prices    rooms/*  conflate  12           3          2           -",
			"",
		].join("\n"),
	);
	const rest = { history: null, too_old: false };
	assert.equal(
		channelText({ ...channel, ...rest, presence: { count: 12, who: ["alice", "bob"] } }),
		[
			"channel      rooms/42, as rooms/* says",
			"policy       conflate",
			"subscribers  12: alice, bob",
			"published    3, of which 2 can be had again",
			"last         1:2",
			"",
		].join("\n"),
	);
});

test("events are read wherever the stream is cut", async () => {
	const text = ':\n\nretry: 1\nevent: gap\ndata: {"missed":1}\n\nid: 1:1\ndata: {"a":":"}\n\ndata: {}\n\n';
	for (let size = 1; size <= text.length; size++) {
		const found: StreamedEvent[] = [];
		for await (const events of eventsOf(cut(text, size))) found.push(...events);
		assert.deepEqual(
			found,
			[
				{ type: "gap", id: undefined, data: { missed: 1 } },
				{ type: "message", id: "1:1", data: { a: ":" } },
				{ type: "message", id: undefined, data: {} },
			],
			`${size} at a time`,
		);
	}
});

async function* cut(text: string, size: number): AsyncGenerator<string> {
	for (let at = 0; at < text.length; at += size) yield text.slice(at, at + size);
}

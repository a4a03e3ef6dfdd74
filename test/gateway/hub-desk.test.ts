/** `gateway.hub`, as a program has it that imports the library. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Gateway, type HistoryMessage, HubRefusal, loadConfigText } from "../../src/index.js";
import { TEST_MS } from "../support/waiting.js";

const BEFORE = "reactors: 1\nlimits: { connections: 10 }\nlog: { level: silent }\n";

test("a program publishes, hears, and is refused with a code; with the gateway its hearing ends", {
	timeout: TEST_MS,
}, async (t) => {
	const gateway = await Gateway.start(
		loadConfigText(`${BEFORE}
hub:
  channels: [{ match: "rooms/*", subscribe: public, replay: { messages: 10, age: 1h } }]
listeners: [{ listen: "127.0.0.1:0", routes: [{ path: /channels/, to: hub }] }]
`),
	);
	t.after(() => gateway.stop());
	const { hub } = gateway;
	assert.ok(hub);
	const heard: HistoryMessage[] = [];
	const reasons: string[] = [];
	const stop = hub.follow("rooms/42", { heard: (message) => heard.push(message) });
	hub.follow("rooms/42", { heard: () => {}, ended: (reason) => reasons.push(reason) });
	const first = hub.publish("rooms/42", { data: "one", key: "k" });
	const second = hub.publish("rooms/42", { data: Buffer.of(0, 255) });
	stop();
	hub.publish("rooms/42", { data: "unheard", priority: "low" });
	assert.deepEqual(
		heard.map(({ id, key, data, base64 }) => [id, key, data, base64]),
		[
			[first.id, "k", "one", undefined],
			[second.id, undefined, undefined, "AP8="],
		],
	);
	const { messages, tooOld } = hub.history("rooms/42", { limit: 5, after: first.id });
	assert.deepEqual(
		[messages.map(({ data, base64 }) => data ?? base64), tooOld],
		[["AP8=", "unheard"], false],
	);
	assert.deepEqual(
		hub.channels().map(({ name, published }) => [name, published]),
		[["rooms/42", 3]],
	);
	const refused = (code: string) => (error: unknown) => error instanceof HubRefusal && error.code === code;
	assert.throws(() => hub.publish("prices", { data: "" }), refused("no_channel"));
	assert.throws(() => hub.publish("rooms/4/2", { data: "" }), refused("no_channel"));
	assert.throws(() => hub.publish("rooms//", { data: "" }), refused("bad_channel"));
	assert.throws(() => hub.publish("rooms/1", { data: "x".repeat(65_537) }), refused("too_large"));
	assert.throws(() => hub.history("rooms/42", { limit: 1, after: "?" }), refused("bad_message"));
	await gateway.stop();
	assert.equal(reasons.length, 1);
});

test("without a hub in its configuration a gateway has none", { timeout: TEST_MS }, async (t) => {
	const gateway = await Gateway.start(
		loadConfigText(`${BEFORE}listeners: [{ listen: "127.0.0.1:0", routes: [{ to: reject }] }]\n`),
	);
	t.after(() => gateway.stop());
	assert.equal(gateway.hub, undefined);
});

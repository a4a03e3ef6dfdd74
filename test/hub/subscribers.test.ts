/** What the main thread keeps of subscribers while their tokens are being verified. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import type { HubNews, HubOrder } from "../../src/channels/orders.js";
import { loadConfigText } from "../../src/config/load.js";
import { Hub } from "../../src/hub/hub.js";
import type { HubRights } from "../../src/hub/rights.js";
import { Subscribers } from "../../src/hub/subscribers.js";

const RIGHTS: HubRights = {
	...{ who: "alice", key: "k", expiresMs: 60_000 },
	...{ maySubscribe: () => true, mayPublish: () => false },
};

function start(context: TestContext) {
	const { hub: config } = loadConfigText(
		`listeners: [{ listen: ":1", routes: [{ path: /c/, to: hub }] }]
hub: { keys: keys.json, channels: [{ match: a, presence: who }] }`,
	);
	assert.ok(config !== null);
	const hub = new Hub({
		...{ config, reactors: 1, now: () => 0, unixNow: () => 0, wake: () => {} },
		unsubscribe: () => Promise.resolve(false),
	});
	context.after(() => hub.close("the test is over"));
	const verdicts: ((rights: HubRights) => void)[] = [];
	const orders: HubOrder[] = [];
	const known = new Set(["k"]);
	const subscribers = new Subscribers({
		...{ hub, unixNow: () => 0, handshakeMs: () => 1_000, find: () => undefined },
		tell: (_, told) => orders.push(...told),
		verifier: () => ({
			verify: () => new Promise((resolve) => verdicts.push(resolve)),
			knows: (key) => known.has(key),
		}),
		fault: (error) => assert.fail(String(error)),
	});
	context.after(() => subscribers.close());
	return { subscribers, orders, known, verdicts };
}

const token = (number: number): HubNews => ({
	...{ kind: "says", row: 1, number, isText: true },
	bytes: Buffer.from(JSON.stringify({ type: "token", token: "a.b.c" })),
});

test("of who ends while his token is verified nothing is kept, nor of what he said behind it", async (context) => {
	const { subscribers, orders, verdicts } = start(context);
	subscribers.heard(0, [token(7), token(7)]);
	assert.equal(verdicts.length, 1, "the second waits for the first");
	subscribers.heard(0, [{ kind: "left", number: 7, channels: [] }]);
	verdicts[0]?.(RIGHTS);
	await setImmediate();
	assert.deepEqual([subscribers.count, verdicts.length, orders], [0, 1, []]);
	subscribers.heard(0, [token(8)]);
	verdicts[1]?.(RIGHTS);
	await setImmediate();
	assert.equal(subscribers.count, 1);
	subscribers.heard(0, [{ kind: "left", number: 8, channels: [] }]);
	assert.equal(subscribers.count, 0);
});

test("a key that is taken away while a token of it is verified is no key any more", async (context) => {
	const { subscribers, orders, known, verdicts } = start(context);
	subscribers.heard(0, [token(7)]);
	known.clear();
	assert.equal(subscribers.keysChanged(), 0);
	verdicts[0]?.(RIGHTS);
	await setImmediate();
	assert.equal(subscribers.count, 0);
	const [order] = orders;
	assert.ok(order?.kind === "end" && order.code === 4401 && /no longer taken/.test(order.reason));
});

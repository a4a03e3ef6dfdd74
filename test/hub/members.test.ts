/** Who is there, by his token, however he goes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { loadConfigText } from "../../src/config/load.js";
import { Hub } from "../../src/hub/hub.js";
import { Members } from "../../src/hub/members.js";

test("who ends before his reactor has subscribed him is there no more", (context) => {
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
	const members = new Members({
		...{ hub, tell: () => {}, verifier: () => undefined, unixNow: () => 0, handshakeMs: () => 1_000 },
	});
	const rights = {
		who: "alice",
		key: "k",
		expiresMs: 60_000,
		maySubscribe: () => true,
		mayPublish: () => false,
	};
	const channel = hub.channelsThere.open("a");
	for (const number of [1, 2])
		members.join({ reactor: 0, row: number, number, protocol: 0 }, rights, [channel]);
	members.leaves(1, channel);
	members.forget(1);
	assert.deepEqual(hub.presence("a").who, ["alice"]);
	// Of this one nobody says that it is unsubscribed before it ends.
	members.forget(2);
	assert.deepEqual([hub.presence("a").who, members.count], [[], 0]);
});

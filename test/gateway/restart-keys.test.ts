import assert from "node:assert/strict";
import { test } from "node:test";
import { loadConfigText } from "../../src/config/load.js";
import { restartKeys } from "../../src/gateway/restart-keys.js";

const config = (...lines: readonly string[]) =>
	loadConfigText(["listeners: [{ listen: ':1', routes: [{ to: reject }] }]", ...lines].join("\n"));

const hub = (keys = "") => `hub: { ${keys}channels: [{ match: a, subscribe: public }] }`;

test("settings that size or open something at the start wait for a restart, and are named as in the file", () => {
	const started = config("admin: 127.0.0.1:9", "watch: off");
	assert.deepEqual(restartKeys(config("admin: 127.0.0.1:9"), started, undefined), []);
	assert.deepEqual(
		restartKeys(
			config("admin: 127.0.0.1:8", "watch: on", "limits: { buffered_bytes: 1MiB }"),
			started,
			undefined,
		),
		["limits.buffered_bytes", "admin", "watch"],
	);
});

test("of the hub that is so for its log and the places in it, once there is one", () => {
	const started = config(hub());
	const log = started.hub ?? undefined;
	const changed = "memory: 64MiB, limits: { channels: 5, subscriptions: 6 }, retry: 1s, ";
	assert.deepEqual(restartKeys(config(hub(changed)), started, log), ["hub.memory", "hub.limits.channels"]);
	assert.deepEqual(restartKeys(config(hub("retry: 1s, ")), started, log), []);
	assert.deepEqual(restartKeys(config(hub()), config(), undefined), []);
	assert.deepEqual(restartKeys(config(), started, log), []);
});

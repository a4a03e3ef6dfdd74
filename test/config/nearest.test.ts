import assert from "node:assert/strict";
import { test } from "node:test";
import { nearest } from "../../src/config/nearest.js";

test("the nearest name is the one that was meant", () => {
	const names = ["routes", "listen", "backlog", "trusted", "proxy_protocol"];
	for (const [name, meant] of [
		["rotues", "routes"],
		["route", "routes"],
		["Routes", "routes"],
		["listn", "listen"],
		["proxyprotocol", "proxy_protocol"],
		["upstreams", null],
		["x", null],
		["", null],
	] as const) {
		assert.equal(nearest(name, names), meant, name);
	}
});

test("of two equally near names the first is taken", () => {
	assert.equal(nearest("cat", ["bat", "hat"]), "bat");
});

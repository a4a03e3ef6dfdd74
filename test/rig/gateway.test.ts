import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { MAIN, portIn } from "../../src/rig/gateway.js";

test("the port is the one that was given, where any free one was asked for", () => {
	assert.equal(portIn("127.0.0.1:0 (port 40123)"), 40_123);
	assert.equal(portIn("[::1]:443"), 443);
	assert.equal(portIn("unix:/run/sluice.sock"), Number.NaN);
});

test("the command is there", () => {
	assert.ok(existsSync(MAIN));
});

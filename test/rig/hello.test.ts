import assert from "node:assert/strict";
import { test } from "node:test";
import { captureHello } from "../../src/rig/hello.js";

test("the captured ClientHello is one whole TLS record with the name in it", async () => {
	const hello = Buffer.from(await captureHello("a.bench.test"));
	assert.equal(hello[0], 22);
	assert.equal(hello.length, 5 + hello.readUInt16BE(3));
	assert.ok(hello.includes("a.bench.test"));
});

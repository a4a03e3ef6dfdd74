import assert from "node:assert/strict";
import { test } from "node:test";
import {
	bulkBytes,
	bulkRequest,
	REQUEST_BYTES,
	RESPONSE_BYTES,
	request,
	response,
} from "../../bench/load/wire.js";
import { captureHello } from "../../src/drill/hello.js";

test("requests and responses have the fixed lengths that both ends count in", () => {
	assert.equal(request("/").length, REQUEST_BYTES);
	assert.equal(request("/ready").length, REQUEST_BYTES);
	assert.equal(response().length, RESPONSE_BYTES);
	assert.throws(() => request(`/${"x".repeat(100)}`), RangeError);
});

test("a bulk request says how many bytes it wants", () => {
	assert.equal(bulkRequest(1e9).length, REQUEST_BYTES);
	assert.equal(bulkBytes(bulkRequest(1e9)), 1e9);
	assert.throws(() => bulkBytes(request("/")));
});

test("the captured ClientHello is one whole TLS record with the name in it", async () => {
	const hello = Buffer.from(await captureHello("a.bench.test"));
	assert.equal(hello[0], 22);
	assert.equal(hello.length, 5 + hello.readUInt16BE(3));
	assert.ok(hello.includes("a.bench.test"));
});

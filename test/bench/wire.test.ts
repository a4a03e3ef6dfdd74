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

import assert from "node:assert/strict";
import { test } from "node:test";
import { readSeconds } from "../../src/drill/slow-http-test.js";

test("what slowhttptest writes about its seconds is read", () => {
	const csv = "Seconds,Closed,Pending,Connected,Service Available\n0,0,1,0,50\n1,3,0,47,0\n";
	assert.deepEqual(readSeconds(csv), [
		{ closed: 0, connected: 0, available: true },
		{ closed: 3, connected: 47, available: false },
	]);
});

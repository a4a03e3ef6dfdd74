import assert from "node:assert/strict";
import { test } from "node:test";
import { merge } from "../../src/drill/together.js";
import { recording } from "./recordings.js";

test("of several attacks the ends are added, and the latest is the latest of all", () => {
	const one = recording().assault.attackers;
	const other = {
		...one,
		alivePeak: 7,
		ends: { "closed by the target": 3, "given up": 4 },
		overdueMs: { count: 3, p50: 1, p99: 50, max: 60 },
	} as const;
	const both = merge([one, other, { ...one, overdueMs: null }]);
	assert.equal(both.alivePeak, 207);
	assert.deepEqual(both.ends, { "closed by the target": 203, "given up": 4 });
	assert.deepEqual(both.overdueMs, { count: 103, p50: 10, p99: 50, max: 60 });
	assert.equal(merge([{ ...one, overdueMs: null }]).overdueMs, null);
});

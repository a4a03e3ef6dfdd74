import assert from "node:assert/strict";
import { test } from "node:test";
import { median, percentile, spread } from "../../src/rig/percentile.js";

test("a percentile is a value that occurred, the smallest that the share does not exceed", () => {
	const hundred = Array.from({ length: 100 }, (_, index) => index + 1);
	assert.equal(percentile(hundred, 0.5), 50);
	assert.equal(percentile(hundred, 0.99), 99);
	assert.equal(percentile(hundred, 1), 100);
	assert.equal(percentile([7], 0.01), 7);
});

test("of nothing there is no percentile and no spread", () => {
	assert.equal(percentile([], 0.5), null);
	assert.equal(spread([]), null);
});

test("a spread sorts by size and not by spelling, and leaves its input as it was", () => {
	const values = [100, 9, -3, 20];
	assert.deepEqual(spread(values), { count: 4, p50: 9, p99: 100, max: 100 });
	assert.deepEqual(values, [100, 9, -3, 20]);
});

test("the median of an even number of values lies between the middle two", () => {
	assert.equal(median([4, 1, 3, 2]), 2.5);
	assert.equal(median([9, 1, 2]), 2);
	assert.equal(median([]), null);
});

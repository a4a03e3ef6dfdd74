import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { estimate, intervalRank, medianInterval } from "../../bench/statistics.js";

test("the ranks of the interval are those of the tables of the sign test", () => {
	// Conover, Practical Nonparametric Statistics: two-sided, 5 %.
	const ranks = { 5: 0, 6: 1, 8: 1, 9: 2, 12: 3, 15: 4, 20: 6, 25: 8 };
	for (const [count, rank] of Object.entries(ranks)) assert.equal(intervalRank(Number(count)), rank, count);
});

test("of fifteen rounds the interval is from the fourth smallest to the fourth largest, in whatever order they came", () => {
	const values = [15, 1, 14, 2, 13, 3, 12, 4, 11, 5, 10, 6, 9, 7, 8];
	assert.deepEqual(medianInterval(values), { low: 4, high: 12 });
});

test("five rounds have a median and no interval", () => {
	assert.deepEqual(estimate([1, 2, 3, 4, 5]), { median: 3, interval: null, count: 5 });
	assert.equal(estimate([]), null);
});

test("three rounds gone wild move neither bound of fifteen beyond the other values", () => {
	const calm = Array.from({ length: 12 }, (_, i) => 1 + i / 100);
	const interval = medianInterval([...calm, 50, 60, 70]);
	assert.ok(interval !== null && interval.high <= 1.11, JSON.stringify(interval));
});

test("an interval misses the true median in one case of twenty at most", () => {
	// Of all ways in which each of `count` values falls on one side of the median, those in which the interval has it.
	for (let count = 6; count <= 18; count++) {
		const rank = intervalRank(count);
		let held = 0;
		for (let sides = 0; sides < 2 ** count; sides++) {
			let below = 0;
			for (let bits = sides; bits !== 0; bits &= bits - 1) below++;
			if (below >= rank && count - below >= rank) held++;
		}
		assert.ok(held / 2 ** count >= 0.95, `${count} values: ${held / 2 ** count}`);
	}
});

test("the median lies within its interval, and scaling values scales both", () => {
	fc.assert(
		fc.property(fc.array(fc.integer({ min: 1, max: 1_000 }), { minLength: 6, maxLength: 40 }), (values) => {
			const one = estimate(values);
			const double = estimate(values.map((value) => 2 * value));
			assert.ok(one?.interval && double?.interval);
			assert.ok(one.interval.low <= one.median && one.median <= one.interval.high);
			assert.deepEqual(double.interval, { low: 2 * one.interval.low, high: 2 * one.interval.high });
		}),
	);
});

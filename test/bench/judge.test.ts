import assert from "node:assert/strict";
import { test } from "node:test";
import { judgeChange, judgeTarget } from "../../bench/judge.js";
import type { Estimate } from "../../bench/statistics.js";

const of = (low: number, median: number, high: number): Estimate => ({
	median,
	interval: { low, high },
	count: 15,
});
const QUIET = of(0.98, 1, 1.03);
const ratio = (atMost: number) => ({ kind: "ratio", atMost }) as const;
const value = (atMost: number) => ({ kind: "value", atMost }) as const;

test("a target is met or missed by the median, and clearly so when the whole interval is on its side", () => {
	const met = { judged: true, met: true, by: 0.25 };
	assert.deepEqual(judgeTarget(ratio(1), of(0.5, 0.75, 1), QUIET), { ...met, clear: true });
	assert.deepEqual(judgeTarget(ratio(1), of(0.5, 0.75, 1.01), QUIET), { ...met, clear: false });
	const missed = { judged: true, met: false, by: 0.25 };
	assert.deepEqual(judgeTarget(ratio(1), of(1.1, 1.25, 2), QUIET), { ...missed, clear: true });
	assert.deepEqual(judgeTarget(ratio(1), of(0.9, 1.25, 2), QUIET), { ...missed, clear: false });
});

test("nothing is judged where the reference beside itself may differ by more than a tenth, to either side", () => {
	for (const self of [of(0.95, 1, 1.11), of(0.9, 1, 1.02)]) {
		for (const target of [ratio(1), value(250)]) {
			const verdict = judgeTarget(target, of(0.1, 0.1, 0.1), self);
			assert.equal(verdict.judged, false);
			assert.match(verdict.judged ? "" : verdict.why, /beside itself: 1\.00× \(0\.9/);
		}
		assert.equal(judgeChange(of(1.5, 1.6, 1.7), self, false).judged, false);
	}
	assert.equal(judgeTarget(ratio(1), of(0.1, 0.1, 0.1), of(1 / 1.1, 1, 1.1)).judged, true);
});

test("nothing is judged by rounds that are too few for an interval", () => {
	const few: Estimate = { median: 0.5, interval: null, count: 5 };
	assert.deepEqual(judgeTarget(ratio(1), few, QUIET), {
		judged: false,
		why: "too few rounds for an interval of 95 %: 5",
	});
	assert.equal(judgeTarget(ratio(1), of(0.1, 0.1, 0.1), few).judged, false);
	assert.equal(judgeTarget(value(1), null, null).judged, false);
	assert.equal(judgeChange(few, QUIET, false).judged, false);
});

test("a ratio needs a reference that was measured twice, and a value of its own does not", () => {
	assert.equal(judgeTarget(ratio(1), of(0.1, 0.1, 0.1), null).judged, false);
	assert.deepEqual(judgeTarget(value(256), of(190, 200, 210), null), {
		...{ judged: true, met: true, by: 56, clear: true },
	});
});

test("a bound from below is met above it", () => {
	const judged = (low: number, median: number, high: number): (boolean | null)[] => {
		const verdict = judgeTarget({ kind: "ratio", atLeast: 1.2 }, of(low, median, high), QUIET);
		return verdict.judged ? [verdict.met, verdict.clear] : [null];
	};
	assert.deepEqual(judged(1.2, 1.3, 1.4), [true, true]);
	assert.deepEqual(judged(1.1, 1.3, 1.4), [true, false]);
	assert.deepEqual(judged(1, 1.1, 1.15), [false, true]);
});

test("an exact value is met within its tolerance", () => {
	const two = { kind: "value", exactly: 2, tolerance: 0.001 } as const;
	const judged = (low: number, median: number, high: number): (boolean | null)[] => {
		const verdict = judgeTarget(two, of(low, median, high), null);
		return verdict.judged ? [verdict.met, verdict.clear] : [null];
	};
	assert.deepEqual(judged(2, 2.001, 2.001), [true, true]);
	assert.deepEqual(judged(2, 2, 3), [true, false]);
	assert.deepEqual(judged(2.1, 2.2, 2.3), [false, true]);
	assert.deepEqual(judgeTarget({ kind: "value", exactly: 0 }, of(0, 0, 0), null), {
		...{ judged: true, met: true, by: 0, clear: true },
	});
});

test("slower than an older version is what lies above 1 with its whole interval", () => {
	const change = (low: number, high: number, moreIsBetter = false) =>
		judgeChange(of(low, (low + high) / 2, high), QUIET, moreIsBetter);
	assert.deepEqual(change(1.001, 1.1), { judged: true, change: "worse" });
	assert.deepEqual(change(1, 1.5), { judged: true, change: "same" });
	assert.deepEqual(change(0.9, 1.01), { judged: true, change: "same" });
	assert.deepEqual(change(0.8, 0.99), { judged: true, change: "better" });
	assert.deepEqual(change(0.8, 0.99, true), { judged: true, change: "worse" });
	assert.deepEqual(change(1.01, 1.2, true), { judged: true, change: "better" });
});

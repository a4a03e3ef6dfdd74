/** What a thread publishes of itself, in a thread that has no event loop to wait for. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Counters, scalarIndex } from "../../src/reactor/records/counters.js";
import { ThreadFigures } from "../../src/reactor/thread-figures.js";

let kept: unknown;

/** Leaves so much behind that some of it is collected before this returns. */
function litter(): void {
	for (let count = 0; count < 3_000_000; count++) kept = { count, kept: null };
	assert.ok(kept !== undefined);
}

test("what was collected since the last look is added to it, without a turn of the event loop", () => {
	const counters = new Counters();
	const figures = new ThreadFigures(counters);
	const beganMs = performance.now();
	let before = 0;
	for (const nowMs of [1_000, 1_100, 1_200]) {
		litter();
		figures.look(nowMs);
		const after = counters.get("collectedMs");
		assert.ok(after > before && after < performance.now() - beganMs, `${before}, then ${after} ms`);
		before = after;
	}
	assert.ok(counters.get("heapBytes") > 1_000_000);
	assert.ok(counters.get("externalBytes") > 0);
});

test("it looks when a tenth of a second has passed, and not before", () => {
	const counters = new Counters();
	const figures = new ThreadFigures(counters);
	const looks = (nowMs: number): boolean => {
		counters.set(scalarIndex("heapBytes"), -1);
		figures.look(nowMs);
		return counters.get("heapBytes") > 0;
	};
	assert.deepEqual([5_000, 5_001, 5_099.9, 5_100, 5_150, 9_000].map(looks), [
		...[true, false, false, true, false, true],
	]);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { offset, stamp, timeAfter, timeOf } from "../../src/reactor/table/times.js";

const DAY_MS = 86_400_000;
const WRAP_MS = 2 ** 32;

/** Of a machine that has been up for anything from no time to ten years, many of them around where 32 bits end. */
const clock = fc.oneof(
	fc.double({ min: 0, max: 3_650 * DAY_MS, noNaN: true }),
	fc.integer({ min: 0, max: 3_650 * DAY_MS }),
	fc
		.tuple(fc.integer({ min: 0, max: 70 }), fc.double({ min: -3, max: 3, noNaN: true }))
		.map(([turns, ms]) => Math.max(0, turns * WRAP_MS + ms)),
);
const asCell = (value: number): number => new Uint32Array([value])[0] ?? Number.NaN;

test("a stamp of the last 49 days is told to the millisecond, and never before its time", () => {
	fc.assert(
		fc.property(clock, fc.double({ min: 0, max: 49 * DAY_MS, noNaN: true }), (ms, passedMs) => {
			const cell = asCell(stamp(ms));
			assert.notEqual(cell, 0, "that is where there is none");
			const told = timeOf(cell, ms + passedMs);
			assert.ok(told >= ms && told < ms + 2, `${told} for ${ms}`);
			// One millisecond in 49.7 days is told as the next, because its stamp would be 0.
			if (Math.ceil(ms) % WRAP_MS !== 0) assert.equal(told, Math.ceil(ms));
		}),
		{ numRuns: 2_000 },
	);
});

test("a stamp of this millisecond is not one of 49 days ago, whatever the clock says", () => {
	fc.assert(
		fc.property(clock, fc.double({ min: 0, max: 1_000, noNaN: true }), (ms, aheadMs) => {
			const told = timeOf(asCell(stamp(ms + aheadMs)), ms);
			assert.ok(told >= ms && told < ms + aheadMs + 2, `${told} for ${ms + aheadMs} at ${ms}`);
		}),
	);
});

test("stamps are told in the order in which they were made", () => {
	const passed = fc.double({ min: 0, max: 24 * DAY_MS, noNaN: true });
	fc.assert(
		fc.property(clock, passed, passed, (ms, laterMs, nowMs) => {
			const now = ms + laterMs + nowMs;
			assert.ok(timeOf(asCell(stamp(ms)), now) <= timeOf(asCell(stamp(ms + laterMs)), now));
		}),
	);
});

test("the longest deadline is measured from a stamp whenever it was made, and fires in the millisecond in which it passes", () => {
	const LONGEST_MS = 2 ** 31 - 1;
	fc.assert(
		fc.property(clock, fc.integer({ min: 1, max: LONGEST_MS }), (ms, forMs) => {
			const cell = asCell(stamp(ms));
			const passesAt = (nowMs: number): boolean => timeOf(cell, nowMs) + forMs <= nowMs;
			assert.ok(!passesAt(ms) && !passesAt(ms + forMs - 0.001), "too soon");
			assert.ok(passesAt(ms + forMs + 2) && passesAt(ms + forMs + DAY_MS), "too late");
		}),
	);
});

test("an offset is a 64th of a millisecond exact for nine hours, 16 ms for a year, never later than it was, and in order", () => {
	const since = fc.double({ min: 0, max: 3_650 * DAY_MS, noNaN: true });
	const passed = fc.oneof(
		fc.double({ min: 0, max: 390 * DAY_MS, noNaN: true }),
		fc.double({ min: 0, max: 60_000, noNaN: true }),
		fc.double({ min: 2 ** 25 - 64, max: 2 ** 25 + 64, noNaN: true }),
	);
	fc.assert(
		fc.property(since, passed, passed, (sinceMs, oneMs, otherMs) => {
			const told = (passedMs: number): number => {
				const cell = asCell(offset(sinceMs, sinceMs + passedMs));
				assert.notEqual(cell, 0, "that is where there is none");
				return timeAfter(sinceMs, cell);
			};
			const step = oneMs < 9 * 3_600_000 ? 1 / 64 : 16;
			const late = sinceMs + oneMs - told(oneMs);
			assert.ok(late >= 0 && late < step + 1e-3, `${late} ms of ${oneMs} are missing`);
			if (oneMs <= otherMs) assert.ok(told(oneMs) <= told(otherMs));
		}),
		{ numRuns: 2_000 },
	);
});

test("an offset of more than a year is the latest that can be told, and does not begin again", () => {
	assert.equal(asCell(offset(1_000, 1_000 + 800 * DAY_MS)), 2 ** 32 - 1);
	assert.ok(timeAfter(1_000, 2 ** 32 - 1) > 396 * DAY_MS);
});

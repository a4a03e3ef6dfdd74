import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Depth } from "../../../src/tunnel/registry/depth.js";

const LIMITS = { lines: 4, linesMax: 16 };

/** All that is asked for comes, at once. */
function settle(depth: Depth, now: number): number {
	const asked = depth.ask(now);
	for (let count = asked; count > 0; count--) {
		depth.proved();
		depth.isParked();
	}
	return asked;
}

test("at first as many are asked for as there are to be parked, and then one for each that is taken", () => {
	const depth = new Depth(LIMITS, 0);
	assert.equal(settle(depth, 0), 4);
	assert.equal(depth.ask(0), 0);
	for (let visitor = 0; visitor < 1_000; visitor++) {
		depth.taken();
		assert.equal(settle(depth, 0), 1);
	}
	assert.deepEqual([depth.parked, depth.used, depth.target], [4, 1_000, 4]);
});

test("a crowd raises the depth at once up to its bound, and a quiet time lowers it slowly", () => {
	const depth = new Depth(LIMITS, 0);
	settle(depth, 0);
	for (let visitor = 0; visitor < 4; visitor++) depth.taken();
	assert.equal(depth.target, 8);
	depth.wait(100);
	assert.equal(depth.ask(0), 16);
	depth.wait(0);
	assert.equal(depth.target, 16);
	for (let line = 0; line < 16; line++) {
		depth.proved();
		depth.isParked();
	}
	const targets: number[] = [];
	for (let now = 10_000; now <= 140_000; now += 10_000) {
		depth.shrink(now);
		targets.push(depth.target);
	}
	assert.deepEqual(targets, [16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 4]);
	assert.equal(depth.ask(200_000), 0, "more are parked than are needed: they are not replaced");
});

test("of a great depth an eighth is asked for together, at once where visitors wait or half is gone, and what is missing sooner or later", () => {
	const deep = (): Depth => {
		const depth = new Depth({ lines: 64, linesMax: 64 }, 0);
		assert.equal(settle(depth, 0), 64);
		return depth;
	};
	const few = deep();
	for (let visitor = 1; visitor < 8; visitor++) {
		few.taken();
		assert.equal(few.ask(0), 0);
	}
	few.taken();
	assert.equal(few.ask(0), 8);
	const awaited = deep();
	awaited.taken();
	awaited.wait(1);
	assert.equal(awaited.ask(0), 1);
	const rest = deep();
	rest.taken();
	assert.equal(rest.ask(0), 0);
	assert.equal(rest.ask(0, true), 1);
});

test("in a quiet time in which half of the depth was used it stays", () => {
	const depth = new Depth(LIMITS, 0);
	depth.wait(1);
	settle(depth, 0);
	depth.wait(0);
	const before = depth.target;
	depth.shrink(10_000);
	for (let visitor = 0; visitor < 6; visitor++) depth.taken();
	depth.shrink(20_000);
	assert.equal(depth.target, before);
});

test("an agent whose lines fail is asked again at the pace of its least depth, and not as fast as messages travel", () => {
	const depth = new Depth(LIMITS, 0);
	let asked = 0;
	for (let now = 0; now < 60_000; now += 10) {
		const count = depth.ask(now);
		asked += count;
		for (let line = 0; line < count; line++) depth.lost();
	}
	assert.ok(asked <= 2 * LIMITS.linesMax + 60 * LIMITS.lines, String(asked));
	assert.ok(asked >= 60 * LIMITS.lines - 4, String(asked));
	assert.equal(depth.failed, asked);
});

test("an old line's successor is asked for while it still lives", () => {
	const depth = new Depth(LIMITS, 0);
	settle(depth, 0);
	depth.retire("parked");
	assert.equal(settle(depth, 0), 1);
	assert.deepEqual([depth.parked, depth.retiring, depth.lines], [4, 1, 5]);
	assert.equal(depth.ended("retiring"), true);
	assert.equal(depth.ended("retiring"), false);
	assert.equal(depth.ask(0), 0);
});

test("a line that comes back takes the place of the one that was asked for instead", () => {
	const depth = new Depth(LIMITS, 0);
	settle(depth, 0);
	depth.taken();
	depth.returned();
	assert.equal(depth.ask(0), 0);
	assert.deepEqual([depth.parked, depth.used], [4, 0]);
});

test("lines that are lent and come back earn no repetitions for those that fail", () => {
	const depth = new Depth(LIMITS, 0);
	let asked = settle(depth, 0);
	for (let request = 0; request < 100; request++) {
		depth.taken();
		depth.returned();
	}
	for (let line = 0; line < 4; line++) depth.ended("parked");
	for (let count = depth.ask(0); count > 0; count = depth.ask(0)) {
		asked += count;
		for (let line = 0; line < count; line++) depth.lost();
	}
	assert.equal(asked, 2 * LIMITS.linesMax);
});

test("whatever lines do, no figure is below zero, and never more are on their way or parked than lines_max", () => {
	const does = fc.constantFrom(
		...(["ask", "lost", "proved", "park", "take", "return", "retire", "retireUsed"] as const),
		...([
			"endProving",
			"endParked",
			"endUsed",
			"endRetiring",
			"crowd",
			"calm",
			"wait",
			"less",
			"more",
		] as const),
	);
	fc.assert(
		fc.property(fc.array(does, { maxLength: 300 }), (steps) => {
			let now = 0;
			let limits = LIMITS;
			const depth = new Depth(limits, now);
			const acts: Readonly<Record<(typeof steps)[number], () => unknown>> = {
				ask: () => {
					const before = depth.asked + depth.proving + depth.parked;
					const count = depth.ask(now);
					assert.ok(count >= 0);
					if (count > 0) assert.ok(before + count <= limits.linesMax);
				},
				lost: () => depth.asked > 0 && depth.lost(),
				proved: () => depth.asked > 0 && depth.proved(),
				park: () => depth.isParked(),
				take: () => depth.taken(),
				return: () => depth.returned(),
				retire: () => depth.retire("parked"),
				retireUsed: () => depth.retire("used"),
				endProving: () => depth.ended("proving"),
				endParked: () => depth.ended("parked"),
				endUsed: () => depth.ended("used"),
				endRetiring: () => depth.ended("retiring"),
				crowd: () => depth.wait(50),
				calm: () => depth.wait(0),
				wait: () => {
					now += 7_000;
					depth.shrink(now);
				},
				less: () => {
					limits = { lines: 2, linesMax: 8 };
					depth.configure(limits, now);
				},
				more: () => {
					limits = LIMITS;
					depth.configure(limits, now);
				},
			};
			for (const step of steps) {
				acts[step]();
				const { asked, proving, parked, used, retiring, target } = depth;
				for (const figure of [asked, proving, parked, used, retiring]) assert.ok(figure >= 0, step);
				assert.ok(target >= limits.lines && target <= limits.linesMax, step);
			}
		}),
	);
});

test("a line that retires has another asked for in its place, once, whoever takes it meanwhile", () => {
	const depth = new Depth(LIMITS, 0);
	for (let count = depth.ask(0); count > 0; count--) {
		depth.proved();
		depth.isParked();
	}
	depth.retire("parked");
	assert.equal(depth.ask(0), 1);
	depth.taken("retiring");
	assert.equal(depth.ask(0), 0);
	assert.deepEqual([depth.parked, depth.used, depth.retiring], [LIMITS.lines - 1, 1, 0]);
	// It comes back, and goes once the other is there.
	depth.retire("used");
	assert.equal(depth.ask(0), 0);
	depth.proved();
	depth.isParked();
	assert.ok(depth.ended("retiring"));
	assert.equal(depth.ask(0), 0);
	assert.deepEqual(
		[depth.parked, depth.used, depth.retiring, depth.target],
		[LIMITS.lines, 0, 0, LIMITS.lines],
	);
});

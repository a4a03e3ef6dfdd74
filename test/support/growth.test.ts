import assert from "node:assert/strict";
import { test } from "node:test";
import { growth } from "./growth.js";

const ROUNDS = 19;
const LEAK = 0.4;

/** A heap that grows by 1 a round until its collector takes `period` rounds' worth; `leak` stays. */
function heap(period: number, phase: number, leak: number): number[] {
	return Array.from({ length: ROUNDS }, (_, round) => 12 + ((round + phase) % period) + leak * round);
}

function* phases(periodMax: number): Generator<[period: number, phase: number]> {
	for (let period = 1; period <= periodMax; period++)
		for (let phase = 0; phase < period; phase++) yield [period, phase];
}

test("what does not leak does not grow, in whichever half its collector has its turn", () => {
	for (const [period, phase] of phases(12))
		assert.ok(growth(heap(period, phase, 0)) <= 0, `period ${period}, phase ${phase}`);
});

test("what leaks grows, through what its collector does", () => {
	for (const [period, phase] of phases(4))
		assert.ok(growth(heap(period, phase, LEAK)) > 3, `period ${period}, phase ${phase}`);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { RARE_LINE_MUTANTS, RARE_MUTANTS } from "./rare-mutants.js";
import { simulate } from "./simulate.js";

const SEEDS = 500;
const TURNS = 3_000;

/** Seeds that a mutant may survive before the checker is called blind. */
const MUTANT_SEEDS = 3_000;

test("the reactor holds on a kernel that misbehaves, with many fixed seeds", () => {
	for (let seed = 1; seed <= SEEDS; seed++) {
		const { failure } = simulate({ seed, turns: TURNS });
		assert.equal(failure, undefined, failure);
	}
});

test("and with many seeds that nobody has chosen", (t) => {
	const first = Date.now() % 1_000_000_000;
	t.diagnostic(`seeds from ${first} on`);
	for (let seed = first; seed < first + SEEDS / 5; seed++) {
		const { failure } = simulate({ seed, turns: TURNS });
		assert.equal(failure, undefined, failure);
	}
});

for (const mutant of RARE_MUTANTS)
	test(`the checker notices: ${mutant.replaceAll("_", " ")}`, () => {
		for (let seed = 1; seed <= MUTANT_SEEDS; seed++)
			if (simulate({ seed, turns: TURNS, mutant, lines: false }).failure !== undefined) return;
		assert.fail(`${MUTANT_SEEDS} seeds have not noticed it`);
	});

for (const mutant of RARE_LINE_MUTANTS)
	test(`the checker notices, of lines: ${mutant.replaceAll("_", " ")}`, () => {
		for (let seed = 1; seed <= MUTANT_SEEDS; seed++)
			if (simulate({ seed, turns: TURNS, mutant, lines: true }).failure !== undefined) return;
		assert.fail(`${MUTANT_SEEDS} seeds have not noticed it`);
	});

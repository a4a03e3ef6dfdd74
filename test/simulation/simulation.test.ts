import assert from "node:assert/strict";
import { test } from "node:test";
import { DATAGRAM_MUTANTS, LINE_MUTANTS, MUTANTS, OWN_LINE_MUTANTS } from "./faults.js";
import { RARE_LINE_MUTANTS, RARE_MUTANTS } from "./rare-mutants.js";
import { simulate } from "./simulate.js";

/** A share that ends in seconds. simulation.long.test.ts goes on; `npm run simulate` runs as much as it is told to. */
const SEEDS = 60;
const TURNS = 3_000;

/** Seeds that a mutant may survive before the checker is called blind. */
const MUTANT_SEEDS = 500;

test("the reactor holds on a kernel that misbehaves, with fixed seeds", () => {
	for (let seed = 1; seed <= SEEDS; seed++) {
		const { failure } = simulate({ seed, turns: TURNS });
		assert.equal(failure, undefined, failure);
	}
});

test("and with seeds that nobody has chosen", (t) => {
	const first = Date.now() % 1_000_000_000;
	t.diagnostic(`seeds from ${first} on`);
	for (let seed = first; seed < first + SEEDS / 5; seed++) {
		const { failure } = simulate({ seed, turns: TURNS });
		assert.equal(failure, undefined, failure);
	}
});

test("a failure replays exactly from its seed", () => {
	let seed = 1;
	const run = () => simulate({ seed, turns: TURNS, mutant: "changed_byte" });
	while (run().failure === undefined) seed++;
	assert.deepEqual(run(), run());
});

for (const mutant of MUTANTS) {
	if (RARE_MUTANTS.includes(mutant)) continue;
	test(`the checker notices: ${mutant.replaceAll("_", " ")}`, () => {
		for (let seed = 1; seed <= MUTANT_SEEDS; seed++)
			if (simulate({ seed, turns: TURNS, mutant, lines: false }).failure !== undefined) return;
		assert.fail(`${MUTANT_SEEDS} seeds have not noticed it`);
	});
}

for (const mutant of LINE_MUTANTS) {
	if (RARE_LINE_MUTANTS.includes(mutant)) continue;
	test(`the checker notices, of lines: ${mutant.replaceAll("_", " ")}`, () => {
		for (let seed = 1; seed <= MUTANT_SEEDS; seed++)
			if (simulate({ seed, turns: TURNS, mutant, lines: true }).failure !== undefined) return;
		assert.fail(`${MUTANT_SEEDS} seeds have not noticed it`);
	});
}

for (const mutant of OWN_LINE_MUTANTS)
	test(`the checker notices, of an agent's own lines: ${mutant.replaceAll("_", " ")}`, () => {
		for (let seed = 1; seed <= MUTANT_SEEDS; seed++)
			if (simulate({ seed, turns: TURNS, mutant, agent: true }).failure !== undefined) return;
		assert.fail(`${MUTANT_SEEDS} seeds have not noticed it`);
	});

for (const mutant of DATAGRAM_MUTANTS)
	test(`the checker notices, of datagrams: ${mutant.replaceAll("_", " ")}`, () => {
		for (let seed = 1; seed <= MUTANT_SEEDS; seed++)
			if (simulate({ seed, turns: TURNS, mutant, datagrams: true }).failure !== undefined) return;
		assert.fail(`${MUTANT_SEEDS} seeds have not noticed it`);
	});

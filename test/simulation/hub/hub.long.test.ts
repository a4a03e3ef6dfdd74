import assert from "node:assert/strict";
import { test } from "node:test";
import { HUB_MUTANTS, withMutant } from "./hub-mutants.js";
import { simulateHub } from "./hub-simulate.js";

const SEEDS = 60;
const TURNS = 2_000;

/** Seeds that a mutant may survive before the checker is called blind. */
const MUTANT_SEEDS = 60;

test("subscribers of the hub are sent what their channels had, with many fixed seeds", async () => {
	for (let seed = 1; seed <= SEEDS; seed++) {
		const { failure } = await simulateHub({ seed, turns: TURNS });
		assert.equal(failure, undefined, failure);
	}
});

for (const mutant of Object.keys(HUB_MUTANTS))
	test(`the checker notices, of the hub: ${mutant.replaceAll("_", " ")}`, async (t) => {
		for (let seed = 1; seed <= MUTANT_SEEDS; seed++) {
			const { failure } = await withMutant(mutant, () => simulateHub({ seed, turns: TURNS }));
			if (failure === undefined) continue;
			t.diagnostic(`seed ${seed}: ${failure.slice(0, 120)}`);
			return;
		}
		assert.fail(`${MUTANT_SEEDS} seeds have not noticed it`);
	});

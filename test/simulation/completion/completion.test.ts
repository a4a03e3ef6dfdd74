import assert from "node:assert/strict";
import { test } from "node:test";
import { COMPLETION_MUTANTS } from "../faults.js";
import { simulate } from "../simulate.js";

/** A share that ends in seconds, with fixed seeds; `npm run simulate -- --completes` runs as much as it is told to, with any. */
const SEEDS = 60;
const TURNS = 300;

/** Seeds that a mutant may survive before the checker is called blind. */
const MUTANT_SEEDS = 200;

test("the wire relays over completions as it does over readiness: bytes, ends, buffers and descriptors hold", () => {
	for (let seed = 1; seed <= SEEDS; seed++) {
		const { failure } = simulate({ seed, turns: TURNS, completes: true });
		assert.equal(failure, undefined, failure);
	}
});

test("over completions, too, a failure replays exactly from its seed", () => {
	let seed = 1;
	const run = () => {
		const { turns, sessions, message } = simulate({
			seed,
			turns: TURNS,
			mutant: "reused_buffer",
			completes: true,
		});
		return { turns, sessions, message };
	};
	while (run().message === "") seed++;
	assert.deepEqual(run(), run());
});

for (const mutant of COMPLETION_MUTANTS)
	test(`the checker notices, over completions: ${mutant.replaceAll("_", " ")}`, () => {
		for (let seed = 1; seed <= MUTANT_SEEDS; seed++)
			if (simulate({ seed, turns: TURNS, mutant, completes: true }).failure !== undefined) return;
		assert.fail(`${MUTANT_SEEDS} seeds have not noticed it`);
	});

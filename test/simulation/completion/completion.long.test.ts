import assert from "node:assert/strict";
import { test } from "node:test";
import { simulate } from "../simulate.js";

/** Some hundred thousand turns. */
const SEEDS = 150;
const TURNS = 2_000;

test("the wire relays over completions for hundreds of thousands of turns", () => {
	const first = 100;
	for (let seed = first; seed < first + SEEDS; seed++) {
		const { failure } = simulate({ seed, turns: TURNS, completes: true });
		assert.equal(failure, undefined, failure);
	}
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { simulateHub } from "./hub-simulate.js";

/** A share that ends in seconds. hub.long.test.ts goes on; `npm run simulate -- --hub` runs as much as it is told to. */
const SEEDS = 10;
const TURNS = 1_000;

test("subscribers of the hub are sent what their channels had, with exactly the gaps that they are told of, on a kernel that misbehaves", async () => {
	for (let seed = 1; seed <= SEEDS; seed++) {
		const { failure } = await simulateHub({ seed, turns: TURNS });
		assert.equal(failure, undefined, failure);
	}
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { Random } from "../../src/rig/random.js";

test("the same seed gives the same numbers, and another seed gives others", () => {
	const words = (seed: number): number[] => {
		const random = new Random(seed);
		return Array.from({ length: 8 }, () => random.word());
	};
	assert.deepEqual(words(7), words(7));
	assert.notDeepEqual(words(7), words(8));
	// Seeds above 32 bits differ as well.
	assert.notDeepEqual(words(7), words(7 + 2 ** 32));
});

test("numbers stay within their limits, and reach both ends", () => {
	const random = new Random(1);
	const below = new Set<number>();
	const between = new Set<number>();
	const picked = new Set<string>();
	for (let i = 0; i < 1_000; i++) {
		const fraction = random.fraction();
		assert.ok(fraction >= 0 && fraction < 1);
		const magnitude = random.magnitude(1_000);
		assert.ok(magnitude >= 1 && magnitude <= 1_000, String(magnitude));
		below.add(random.below(3));
		between.add(random.between(-1, 1));
		picked.add(random.pick(["a", "b"]));
	}
	assert.deepEqual([...below].sort(), [0, 1, 2]);
	assert.deepEqual([...between].sort(), [-1, 0, 1]);
	assert.deepEqual([...picked].sort(), ["a", "b"]);
});

test("what has no chance never happens, and what is certain always does", () => {
	const random = new Random(2);
	for (let i = 0; i < 1_000; i++) {
		assert.equal(random.chance(0), false);
		assert.equal(random.chance(1), true);
	}
});

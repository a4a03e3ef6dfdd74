import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Chunks } from "../../src/parts/chunks.js";
import { NONE } from "../../src/parts/none.js";

const COUNT = 7;
const BYTES = 4096;
const OFFSET = 1_000;

test("chunks lie one behind the other in the arena", () => {
	const chunks = new Chunks(OFFSET, BYTES, COUNT);
	const offsets = Array.from({ length: COUNT }, () => chunks.offsetOf(chunks.take())).sort((a, b) => a - b);
	assert.deepEqual(
		offsets,
		Array.from({ length: COUNT }, (_, index) => OFFSET + index * BYTES),
	);
});

test("memory of a chunk is touched only when all that were used before are lent", () => {
	const chunks = new Chunks(OFFSET, BYTES, COUNT);
	for (let round = 0; round < 100; round++) {
		const lent = [chunks.take(), chunks.take(), chunks.take()];
		for (const chunk of lent) assert.ok(chunk < 3);
		for (const chunk of lent) chunks.give(chunk);
	}
});

test("what was never lent cannot be given back", () => {
	const chunks = new Chunks(OFFSET, BYTES, COUNT);
	assert.throws(() => chunks.give(0), /was not lent/);
	const chunk = chunks.take();
	assert.throws(() => chunks.give(-1), /was not lent/);
	assert.throws(() => chunks.give(COUNT), /was not lent/);
	chunks.give(chunk);
	assert.throws(() => chunks.give(chunk), /was not lent/);
});

test("a chunk given back twice is a fault that shows at once, also while others are lent", () => {
	const chunks = new Chunks(OFFSET, BYTES, COUNT);
	const [first, other] = [chunks.take(), chunks.take()];
	chunks.give(first);
	assert.throws(() => chunks.give(first), /was not lent/);
	chunks.give(other);
	assert.notEqual(chunks.take(), chunks.take(), "two borrowers of one chunk would mix two sessions' bytes");
});

test("whatever is taken and given back, no chunk has two borrowers and the counts are right", () => {
	fc.assert(
		fc.property(fc.array(fc.option(fc.nat(COUNT - 1)), { maxLength: 200 }), (steps) => {
			const chunks = new Chunks(OFFSET, BYTES, COUNT);
			const lent = new Set<number>();
			for (const give of steps) {
				if (give !== null) {
					if (lent.delete(give)) chunks.give(give);
				} else {
					const chunk = chunks.take();
					if (lent.size === COUNT) assert.equal(chunk, NONE);
					else {
						assert.ok(chunk >= 0 && chunk < COUNT && !lent.has(chunk));
						lent.add(chunk);
					}
				}
				assert.equal(chunks.lent, lent.size);
				assert.equal(chunks.available, COUNT - lent.size);
			}
		}),
	);
});

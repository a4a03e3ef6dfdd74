import assert from "node:assert/strict";
import { test } from "node:test";
import { fillRandom, takeRandom } from "../../src/parts/random-pool.js";

test("no two pieces are the same, also where the pool ends between them", () => {
	const pieces = Array.from({ length: 1_000 }, () => Buffer.from(takeRandom(17)).toString("hex"));
	assert.equal(new Set(pieces).size, pieces.length);
	assert.ok(pieces.every((piece) => piece.length === 34 && !/^0+$/.test(piece)));
});

test("only what is asked for is filled, and more than there is at once is refused", () => {
	const bytes = new Uint8Array(64);
	fillRandom(bytes, 16, 32);
	assert.ok(bytes.subarray(0, 16).every((byte) => byte === 0));
	assert.ok(bytes.subarray(16, 48).some((byte) => byte !== 0));
	assert.ok(bytes.subarray(48).every((byte) => byte === 0));
	assert.throws(() => takeRandom(5_000), RangeError);
});

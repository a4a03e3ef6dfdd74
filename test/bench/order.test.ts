import assert from "node:assert/strict";
import { test } from "node:test";
import { inOrder } from "../../bench/order.js";

const rounds = (items: string, count: number): string[] =>
	Array.from({ length: count }, (_, round) => inOrder([...items], round).join(""));

test("two go AB BA BA AB, so that neither always runs in the wake of the other", () => {
	assert.deepEqual(rounds("AB", 4), ["AB", "BA", "BA", "AB"]);
});

test("of three, each of the six orders comes once in six rounds", () => {
	assert.equal(new Set(rounds("ABC", 6)).size, 6);
});

test("nobody, and one alone, are in order", () => {
	assert.deepEqual(inOrder([], 3), []);
	assert.deepEqual(rounds("A", 3), ["A", "A", "A"]);
});

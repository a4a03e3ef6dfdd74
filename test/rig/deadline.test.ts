import assert from "node:assert/strict";
import { test } from "node:test";
import { Deadline } from "../../src/rig/deadline.js";

test("a deadline says what was waited for and how far it got, and nothing before its time", () => {
	const deadline = new Deadline("a hundred answers", 60_000);
	deadline.check("three are there");
	assert.ok(deadline.leftMs > 0 && deadline.leftMs <= 60_000);
	const past = new Deadline("a hundred answers", -1);
	assert.equal(past.leftMs, 0);
	assert.throws(
		() => past.check("three are there"),
		/^Error: a hundred answers: no end in sight \(three are there\)$/,
	);
});

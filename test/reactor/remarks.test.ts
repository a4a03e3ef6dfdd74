import assert from "node:assert/strict";
import { test } from "node:test";
import type { Notice } from "../../src/reactor/plan/plan.js";
import { Remarks } from "../../src/reactor/records/remarks.js";

test("a flood of remarks passes ten a second, and the next one says how many were left out", () => {
	const notices: Notice[] = [];
	const remarks = new Remarks((notice) => notices.push(notice));
	for (let i = 0; i < 1_000; i++) remarks.say("error", `remark ${i}`, 5_000 + i / 10);
	assert.equal(notices.length, 10);
	assert.deepEqual(notices[9], { kind: "log", level: "error", message: "remark 9" });
	remarks.say("warn", "the next second's", 6_000);
	remarks.say("warn", "another", 6_001);
	assert.deepEqual(notices.slice(10), [
		{
			kind: "log",
			level: "warn",
			message: "the next second's (and 990 more such lines, left out since the last one)",
		},
		{ kind: "log", level: "warn", message: "another" },
	]);
});

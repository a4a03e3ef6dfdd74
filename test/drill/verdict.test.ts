import assert from "node:assert/strict";
import { test } from "node:test";
import type { Threshold } from "../../src/drill/drill.js";
import { DRILLS } from "../../src/drill/drills/index.js";
import { type Measures, measure } from "../../src/drill/measures.js";
import { judge, type Outcome, outcomeOf } from "../../src/drill/verdict.js";
import { recording } from "./recordings.js";

function held(threshold: Partial<Threshold>, value: number | null, kind: "gateway" | "given" = "gateway") {
	const whole: Threshold = {
		measure: "m",
		title: "a measure",
		unit: "count",
		bound: { atMost: 3 },
		...threshold,
	};
	return judge([whole], { m: value }, kind)[0]?.held;
}

test("a bound holds at its very value", () => {
	assert.equal(held({ bound: { atMost: 3 } }, 3), true);
	assert.equal(held({ bound: { atMost: 3 } }, 3.001), false);
	assert.equal(held({ bound: { atLeast: 3 } }, 3), true);
	assert.equal(held({ bound: { atLeast: 3 } }, 2.999), false);
	assert.equal(held({ bound: { exactly: 0 } }, 0), true);
	assert.equal(held({ bound: { exactly: 0 } }, -1), false);
});

test("never is later than any deadline", () => {
	assert.equal(held({}, Number.POSITIVE_INFINITY), false);
});

test("a number that is missing has not held, unless this target cannot say it", () => {
	assert.equal(held({}, null), false);
	assert.equal(held({ optional: true }, null), null);
	assert.equal(held({}, null, "given"), null);
});

test("a verdict in which nothing was judged is no pass", () => {
	const nothing = judge([{ measure: "m", title: "", unit: "count", bound: { atMost: 1 } }], {}, "given");
	assert.equal(outcomeOf(nothing), "not held");
});

const LATENCY: Threshold = {
	measure: "ratio",
	title: "",
	unit: "times",
	bound: { atMost: 3 },
	byClock: true,
};
const SERVED: Threshold = {
	measure: "served",
	title: "",
	unit: "share",
	bound: { exactly: 1 },
	byClock: { unless: "wrong" },
};
const LEFT: Threshold = { measure: "left", title: "", unit: "count", bound: { exactly: 0 } };

function outcome(measures: Measures, noise: string | null): Outcome {
	return outcomeOf(judge([LATENCY, SERVED, LEFT], measures, "gateway", noise), noise);
}

test("where calm was noisy the clock decides nothing, neither for nor against", () => {
	const late = { ratio: 10, served: 0.9, wrong: 0, left: 0 };
	assert.equal(outcome(late, null), "not held");
	assert.equal(outcome(late, "noise"), "too busy to judge");
	assert.equal(outcome({ ratio: 1, served: 1, wrong: 0, left: 0 }, "noise"), "too busy to judge");
	assert.equal(outcome({ ratio: 1, served: 1, wrong: 0, left: 0 }, null), "held");
});

test("what is wrong by more than the clock has failed on a busy machine as well", () => {
	assert.equal(outcome({ ratio: 1, served: 1, wrong: 0, left: 1 }, "noise"), "not held");
	assert.equal(outcome({ ratio: 1, served: 0.9, wrong: 3, left: 0 }, "noise"), "not held");
});

test("every threshold of every drill is about a measure that some run has", () => {
	const common = measure(recording());
	for (const { name, thresholds } of DRILLS)
		for (const { measure: wanted, byClock } of thresholds) {
			if (typeof byClock === "object") assert.ok(byClock.unless in common, byClock.unless);
			assert.ok(
				wanted in common ||
					/^(kernel|relay|link|group|halves|readers|headers|body|range|read|flood|alone|company|hub|nobody)\.|^(waiting|unestablished|heldShare)$/.test(
						wanted,
					),
				`${name}: ${wanted}`,
			);
		}
});

test("the defaults of the drills are those that were asked for", () => {
	const connections = Object.fromEntries(DRILLS.map(({ name, defaults }) => [name, defaults.connections]));
	assert.equal(connections["slowloris"], 8000);
	assert.equal(connections["hold"], 8000);
	assert.equal(connections["slow-reader"], 2000);
	assert.equal(connections["burst"], 5000);
	assert.equal(connections["churn"], 1_000_000);
	assert.equal(connections["udp-flood"], 8000);
	assert.equal(connections["udp-expire"], 1000);
	assert.equal(connections["slow-subscriber"], 5000);
});

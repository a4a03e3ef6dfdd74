import assert from "node:assert/strict";
import { test } from "node:test";
import { Figure, type Target } from "../../bench/figure.js";

function figure(target: Target | null, values: Record<string, number[]>): Figure {
	const made = new Figure({ id: "f", title: "a figure", unit: "µs", digits: 2, target });
	for (const [system, rounds] of Object.entries(values))
		for (const value of rounds) made.record(system, value);
	return made;
}

test("ratios pair values of the same round, so that a slow round of the machine cancels out", () => {
	const made = figure(null, { sluice: [1, 10, 2], haproxy: [2, 20, 4] });
	assert.deepEqual(made.ratios("sluice", "haproxy"), [0.5, 0.5, 0.5]);
});

test("a round in which the reference has nothing to divide by gives no ratio", () => {
	const made = figure(null, { sluice: [1, 1], haproxy: [0, 2] });
	assert.deepEqual(made.ratios("sluice", "haproxy"), [0.5]);
});

test("a target on the ratio is judged by the median of the ratios", () => {
	const target: Target = { kind: "ratio", atMost: 0.95 };
	assert.equal(
		figure(target, { sluice: [9, 9.5, 30], haproxy: [10, 10, 10] }).isMet("sluice", "haproxy"),
		true,
	);
	assert.equal(
		figure(target, { sluice: [9, 9.6, 30], haproxy: [10, 10, 10] }).isMet("sluice", "haproxy"),
		false,
	);
	assert.equal(figure(target, { sluice: [9] }).isMet("sluice", "haproxy"), null);
});

test("a target on the value needs no reference", () => {
	assert.equal(figure({ kind: "value", atMost: 512 }, { sluice: [512] }).isMet("sluice", "haproxy"), true);
	assert.equal(figure({ kind: "value", exactly: 2 }, { sluice: [2.001] }).isMet("sluice", "haproxy"), true);
	assert.equal(figure({ kind: "value", exactly: 2 }, { sluice: [2.01] }).isMet("sluice", "haproxy"), false);
});

test("a system that fails in a later round has no numbers at all, because its pairs would not match", () => {
	const made = figure(null, { nginx: [1, 2] });
	made.markAbsent("nginx", "it lost a byte");
	assert.deepEqual(made.valuesOf("nginx"), []);
	assert.equal(made.absences.get("nginx"), "it lost a byte");
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { Figure } from "../../bench/figure.js";
import { reportFigure } from "../../bench/report.js";

function figure(values: Record<string, number[]>): Figure {
	const made = new Figure({ id: "f", title: "a figure", unit: "µs", digits: 2, target: null });
	for (const [system, rounds] of Object.entries(values))
		for (const value of rounds) made.record(system, value);
	return made;
}

test("ratios pair values of the same round, so that a slow round of the machine cancels out", () => {
	const made = figure({ sluice: [1, 10, 2], haproxy: [2, 20, 4] });
	assert.deepEqual(made.ratios("sluice", "haproxy"), [0.5, 0.5, 0.5]);
});

test("a system of the first rounds only is paired with those rounds", () => {
	const made = figure({ nginx: [1, 2], haproxy: [2, 4, 100] });
	assert.deepEqual(made.ratios("nginx", "haproxy"), [0.5, 0.5]);
});

test("a round in which the reference has nothing to divide by gives no ratio", () => {
	const made = figure({ sluice: [1, 1], haproxy: [0, 2] });
	assert.deepEqual(made.ratios("sluice", "haproxy"), [0.5]);
});

test("a system that fails in a later round has no numbers at all, because its pairs would not match", () => {
	const made = figure({ nginx: [1, 2] });
	made.markAbsent("nginx", "it lost a byte");
	assert.deepEqual(made.valuesOf("nginx"), []);
	assert.equal(made.absences.get("nginx"), "it lost a byte");
});

test("a report judges the figure's subject, beside its own older version and by the reference's two instances", () => {
	const rounds = (value: number): number[] => Array.from({ length: 15 }, () => value);
	const made = new Figure({
		...{ id: "f", title: "a figure", unit: "µs", digits: 2, subject: "sluice-logged" },
		target: { kind: "ratio", atMost: 0.95 },
	});
	const values = {
		sluice: 100,
		"sluice-logged": 9,
		"sluice-before-logged": 8,
		haproxy: 10,
		"haproxy-again": 10,
	};
	for (const [system, value] of Object.entries(values))
		for (const one of rounds(value)) made.record(system, one);
	const { judgedBy, self, verdict, against } = reportFigure(made, {
		subject: "sluice",
		reference: "haproxy",
		again: "haproxy-again",
	});
	assert.equal(judgedBy?.median, 0.9);
	assert.equal(self?.median, 1);
	assert.equal(verdict?.judged && verdict.met, true);
	assert.deepEqual(against?.change, { judged: true, change: "worse" });
});

test("of several references the one with the best median is the reference", () => {
	const reported = (moreIsBetter: boolean) => {
		const made = new Figure({
			...{ id: "f", title: "a figure", unit: "1/s", digits: 0, target: { kind: "ratio", atLeast: 1.2 } },
			...{ reference: ["a", "b", "missing"], ...(moreIsBetter ? { moreIsBetter } : {}) },
		});
		for (const [system, values] of Object.entries({ sluice: [12, 12], a: [1, 99, 6], b: [10, 10, 10] }))
			for (const value of values) made.record(system, value);
		return reportFigure(made, { subject: "sluice", reference: "haproxy", again: "haproxy-again" });
	};
	assert.equal(reported(true).reference, "b");
	assert.equal(reported(false).reference, "a");
	assert.equal(reported(true).judgedBy?.median, 1.2);
});

test("a figure whose reference is not the bench's own says which is that once more, and is judged by those two", () => {
	const made = new Figure({
		...{ id: "f", title: "a figure", unit: "ms", digits: 2, target: { kind: "ratio", atMost: 1.2 } },
		...{ subject: "sluice-deaf", reference: "sluice", again: "sluice-again" },
	});
	const values = { sluice: 10, "sluice-again": 12, "sluice-deaf": 11, ws: 1, "ws-again": 1 };
	for (const [system, value] of Object.entries(values))
		for (let round = 0; round < 15; round++) made.record(system, value);
	const { judgedBy, self, verdict } = reportFigure(made, {
		subject: "sluice",
		reference: "ws",
		again: "ws-again",
	});
	assert.equal(judgedBy?.median, 1.1);
	assert.equal(self?.median, 1.2);
	assert.equal(verdict?.judged, false);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { clientFigures, goodAgain, measure } from "../../src/drill/measures.js";
import type { Attempt } from "../../src/drill/messages.js";
import type { Phase } from "../../src/drill/run.js";
import { recording, sample } from "./recordings.js";

const AFTER: Phase = { name: "after", fromMs: 1000, toMs: 2000 };

test("an attempt belongs to the phase in which it began, whenever it ended", () => {
	const figures = clientFigures(
		[
			[999, 500, null],
			[1000, 5000, null],
			[1999, 1, "refused"],
			[2000, 1, null],
		],
		AFTER,
	);
	assert.deepEqual(figures, {
		attempts: 2,
		succeeded: 1,
		failures: { refused: 1 },
		latencyMs: { count: 1, p50: 5000, p99: 5000, max: 5000 },
	});
});

test("attempts of one kind count as many", () => {
	const figures = clientFigures(
		[
			[1000, 2, null, 3],
			[1100, 8, null],
			[1200, 3000, "refused", 2],
		],
		AFTER,
	);
	assert.deepEqual(figures, {
		attempts: 6,
		succeeded: 4,
		failures: { refused: 2 },
		latencyMs: { count: 4, p50: 2, p99: 8, max: 8 },
	});
});

test("good again is the first success that no failure follows", () => {
	const attempts: Attempt[] = [
		[990, 50, null],
		[1010, 5, null],
		[1030, 3000, "no answer in time"],
		[1050, 400, null],
		[1070, 10, null],
	];
	// 1070 + 10 is sooner than 1050 + 400; the success at 1010 came before a failure.
	assert.equal(goodAgain(attempts, AFTER), 80);
});

test("a client that only fails is never good again", () => {
	assert.equal(goodAgain([[1010, 5, "refused"]], AFTER), null);
	assert.equal(goodAgain([], AFTER), null);
});

test("the good client's p99 under attack is compared with its p99 in calm", () => {
	const attempts = recording().attempts.map(
		([at, took]): Attempt => [at, at < 11_000 ? took : 4 * took, null],
	);
	assert.equal(measure(recording({ attempts }))["p99Ratio"], 4);
});

test("without attempts there is no success rate, rather than one of 100 %", () => {
	assert.equal(measure(recording({ attempts: [] }))["attack.success"], null);
});

test("CPU while full is that of the second half of the attack", () => {
	// 250 ms a sample; in the first half of the attack all of it is used, then a tenth.
	const samples = Array.from({ length: 16 }, (_, index) => {
		const atMs = 10_000 + index * 250;
		return sample(atMs, { cpuMs: atMs < 12_000 ? atMs : 12_000 + (atMs - 12_000) / 10 });
	});
	assert.equal(measure(recording({ samples }))["cpuWhileFullCores"], 0.1);
});

test("what is left is counted against what was there before the first phase", () => {
	const measures = measure(
		recording({ rest: sample(15_000, { descriptors: 43, residentBytes: 101_000_000 }) }),
	);
	assert.equal(measures["descriptorsLeft"], 3);
	assert.equal(measures["memoryKeptBytes"], 1_000_000);
});

test("a process that cannot be seen leaves its measures open", () => {
	const blind = { descriptors: null, residentBytes: null, cpuMs: null };
	const samples = recording().samples.map((each) => ({ ...each, ...blind }));
	const measures = measure(recording({ samples, before: sample(9000, blind), rest: sample(15_000, blind) }));
	for (const name of ["descriptorsLeft", "memoryKeptBytes", "cpuWhileFullCores", "memoryDriftBytes"])
		assert.equal(measures[name], null, name);
});

test("memory drifts from its value amid the sessions, not from that of a process just started", () => {
	const during = [
		[10, 90e6],
		[300_000, 90e6],
		[410_000, 98e6],
		[500_000, 93e6],
		[590_000, 98.5e6],
		[900_000, 105e6],
	].map(([attackersEnded = 0, residentBytes = 0], index) =>
		sample(11_000 + index * 250, { attackersEnded, residentBytes }),
	);
	// The collector was at work in one of them.
	const after = [99.5e6, 80e6, 99.5e6].map((residentBytes, index) =>
		sample(13_000 + index * 250, { attackersEnded: 1_000_000, residentBytes }),
	);
	const base = recording();
	const attackers = { ...base.assault.attackers, opened: 1_000_000 };
	const measures = measure(
		recording({ samples: [...during, ...after], assault: { ...base.assault, attackers } }),
	);
	assert.equal(measures["memoryDriftBytes"], 1.5e6);
});

test("sessions of a burst that were not answered are unserved, whatever became of them", () => {
	const base = recording();
	const attackers = {
		...base.assault.attackers,
		opened: 100,
		ends: { answered: 90, "reset by the target": 7, "cut short": 3 },
	} as const;
	const measures = measure(recording({ assault: { ...base.assault, attackers } }));
	assert.equal(measures["unserved"], 10);
	assert.equal(measures["resetByTarget"], 7);
});

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { UsageError } from "../../bench/command-line.js";
import { type Claim, findingOf, type Round, standingOf } from "../../bench/library/claims.js";
import { readLibraryOptions } from "../../bench/library/options.js";
import type { LibraryReport } from "../../bench/library/report.js";
import { roundsOf } from "../../bench/library/row.js";
import { LIBRARY_ROWS } from "../../bench/library/rows.js";
import type { Estimate } from "../../bench/statistics.js";

const CLAIM: Claim = {
	...{ id: "c", title: "a claim", unit: "µs", digits: 2, metric: "cpuUs", of: "with", beside: "without" },
	...{ how: "ratio", atMost: 1.05 },
};

/** Pairs of `without` and `with`. */
const roundsOfPairs = (...pairs: [number, number][]): Round[] =>
	pairs.map(([without, value]) => ({ without: { cpuUs: without }, with: { cpuUs: value } }));

test("a bound is held or not where the whole interval lies on one side of it, and too noisy to judge in between", () => {
	const of = (low: number, high: number): Estimate => ({ median: low, interval: { low, high }, count: 15 });
	assert.equal(standingOf(1.05, of(1.01, 1.05)), "held");
	assert.equal(standingOf(1.05, of(1.01, 1.06)), "too noisy to judge");
	assert.equal(standingOf(1.05, of(1.06, 1.07)), "not held");
	assert.equal(standingOf(1.05, { median: 1, interval: null, count: 5 }), "too few rounds to judge");
	assert.equal(standingOf(1.05, null), "too few rounds to judge");
});

test("ratios and differences are those within a round, so that a slow round of the machine cancels out", () => {
	const rounds = roundsOfPairs([1, 2], [10, 20], [2, 4]);
	const ratio = findingOf(CLAIM, rounds);
	assert.equal(ratio.judged?.median, 2);
	assert.deepEqual([ratio.medianBeside, ratio.medianOf], [2, 4]);
	assert.equal(findingOf({ ...CLAIM, how: "difference" }, rounds).judged?.median, 2);
	const { beside: _, ...alone } = CLAIM;
	assert.equal(findingOf({ ...alone, how: "value" }, rounds).judged?.median, 4);
});

test("a round in which a variant has no number, or nothing to divide by, counts for nothing", () => {
	const rounds = [...roundsOfPairs([0, 1], [1, 3]), { without: { cpuUs: 1 } }];
	assert.equal(findingOf(CLAIM, rounds).judged?.count, 1);
	assert.equal(findingOf(CLAIM, []).judged, null);
});

test("what has no bound is shown and not judged", () => {
	assert.equal(findingOf({ ...CLAIM, atMost: null }, roundsOfPairs([1, 1])).standing, null);
});

test("fifteen pairs are the default, of rows whose rounds are long six, which is the fewest that judge", () => {
	const { rounds, rows } = readLibraryOptions([]);
	assert.equal(rounds, 15);
	assert.deepEqual([...new Set(rows.map((row) => roundsOf(row, rounds)))], [15, 6]);
});

test("an unknown row of the library is an error that names those there are", () => {
	assert.deepEqual(
		readLibraryOptions(["--only", "idle-heap"]).rows.map(({ id }) => id),
		["idle-heap"],
	);
	assert.throws(
		() => readLibraryOptions(["--only", "idle"]),
		/unknown row "idle"; there are: http, websocket/,
	);
	assert.throws(() => readLibraryOptions(["--systems", "haproxy"]), UsageError);
});

/** It waits more than it works, so it runs beside the others. */
const WAITING_ROW = "broadcast";

async function quickRun(ids: readonly string[]): Promise<LibraryReport> {
	const main = fileURLToPath(new URL("../../bench/main.js", import.meta.url));
	const args = ["library", "--quick", "--rounds", "1", "--only", ids.join(","), "--json", "-"];
	const child = spawn(process.execPath, [main, ...args]);
	const [output, errors] = await Promise.all([text(child.stdout), text(child.stderr)]);
	assert.notEqual(output, "", errors);
	return JSON.parse(output) as LibraryReport;
}

test("a quick run goes through every row, and has a number for each of its claims", async () => {
	const ids = LIBRARY_ROWS.map(({ id }) => id);
	const parts = [ids.filter((id) => id !== WAITING_ROW), [WAITING_ROW]];
	const reports = await Promise.all(parts.map(quickRun));
	for (const [index, asked] of parts.entries())
		assert.deepEqual(
			reports[index]?.rows.map(({ id }) => id),
			asked,
		);
	const rows = reports.flatMap(({ rows }) => rows);
	assert.equal(rows.length, ids.length);
	for (const { id, findings, failure } of rows) {
		assert.equal(failure, null, id);
		assert.ok(findings.length > 0, id);
		for (const { id, medianOf, standing } of findings) {
			assert.equal(Number.isFinite(medianOf), true, id);
			assert.ok(standing === null || standing === "too few rounds to judge", id);
		}
	}
});

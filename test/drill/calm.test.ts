import assert from "node:assert/strict";
import { test } from "node:test";
import { noiseInCalm } from "../../src/drill/calm.js";
import type { Attempt } from "../../src/drill/messages.js";
import { readOptions } from "../../src/drill/options.js";
import { toText } from "../../src/drill/report.js";
import { conclude } from "../../src/drill/result.js";
import { readMachineCpu } from "../../src/rig/proc.js";
import { recording } from "./recordings.js";

/** Calm lasts from 10,000 to 11,000 ms, with 50 attempts. */
function withCalm(change: (attempt: Attempt, index: number) => Attempt | null) {
	const attempts = recording().attempts.flatMap((attempt, index) => {
		const changed = index < 50 ? change(attempt, index) : attempt;
		return changed === null ? [] : [changed];
	});
	return recording({ attempts });
}

test("a calm in which the good client is answered at once has no noise", () => {
	assert.equal(noiseInCalm(recording()), null);
	assert.equal(noiseInCalm(withCalm(([at]) => [at, 50, null])), null);
});

test("a good client that waits before anybody attacks means a busy machine", () => {
	assert.match(noiseInCalm(withCalm(([at]) => [at, 51, null])) ?? "", /p99 was 51 ms/);
	const once = withCalm(([at, took], index) => [at, index === 7 ? 501 : took, null]);
	assert.match(noiseInCalm(once) ?? "", /once waited 501 ms/);
	const late = withCalm(([at, took], index) => [at, took, index === 7 ? "no answer in time" : null]);
	assert.match(noiseInCalm(late) ?? "", /1 of the good client's 50 attempts had no answer in time/);
});

test("a good client that hardly came to ask means a busy machine", () => {
	const starved = withCalm((attempt, index) => (index % 3 === 0 ? attempt : null));
	assert.match(noiseInCalm(starved) ?? "", /17 times where 50 were due/);
});

test("a machine whose CPU others use means a busy machine, and what makes way for others does not", () => {
	const used = (busy: number) =>
		recording({
			samples: recording().samples.map((each) => ({
				...each,
				machineCpu: { busy: busy * each.atMs, all: each.atMs },
			})),
		});
	assert.equal(noiseInCalm(used(0.5)), null);
	assert.match(noiseInCalm(used(0.83)) ?? "", /83 % of its CPU were in use/);
	const { busy, all } = readMachineCpu();
	assert.ok(busy > 0 && busy <= all);
});

test("wrong answers in calm are the target's fault and no noise", () => {
	const wrong = withCalm(([at, took], index) => [at, took, index === 7 ? "answered with 503" : null]);
	assert.equal(noiseInCalm(wrong), null);
});

test("a report of a machine that is too busy has no verdict, and says why", () => {
	const machine = { descriptors: 20_000, ephemeralPorts: { first: 32_768, last: 60_999 } };
	const options = readOptions("hold", {}, machine);
	const result = conclude(options, machine, [withCalm(([at]) => [at, 200, null])]);
	assert.equal(result.outcome, "too busy to judge");
	const [target] = result.targets;
	assert.match(target?.noise ?? "", /p99 was 200 ms/);
	const latency = target?.verdict.find(({ measure }) => measure === "p99Ratio");
	assert.deepEqual([latency?.held, latency?.byClock], [null, true]);
	assert.match(toText(result), /gateway: no verdict\. This machine is too busy to judge: before the attack/);
});

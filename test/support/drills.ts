/** What a drill's result must say on any machine, also on one that stands still now and then. */
import assert from "node:assert/strict";
import type { TargetResult } from "../../src/drill/result.js";

/** Judged by the clock, which a busy machine does not keep. */
const BUSY = new Set([
	"p99Ratio",
	"overdueMaxMs",
	"relay.overdueMaxMs",
	"link.overdueMs",
	"goodAgainMs",
	"heldShare",
	"cpuWhileFullCores",
	"memoryDriftBytes",
	"calm.success",
	"attack.success",
	"after.success",
	...["headers", "body", "range", "read"].map((mode) => `${mode}.unavailableSeconds`),
]);

/** Failures of the good client that only say that it was late. */
const LATE = new Set(["connect timed out", "no handshake in time", "no answer in time"]);

/** Everything held but what only the clock says. */
export function assertHeld({ verdict, phases }: TargetResult): void {
	for (const { measure, held, value } of verdict)
		if (!BUSY.has(measure)) assert.notEqual(held, false, `${measure} is ${String(value)}`);
	assert.ok(
		phases.some(({ client }) => client.succeeded > 0),
		"the good client was never answered",
	);
}

/** The good client met no failure but lateness. */
export function assertOnlyLate({ phases }: TargetResult): void {
	const failures = phases.flatMap(({ client }) => Object.entries(client.failures));
	assert.deepEqual(
		failures.filter(([failure, count]) => count > 0 && !LATE.has(failure)),
		[],
	);
}

/** What a drill's result must say on any machine, also on one that stands still now and then. */
import assert from "node:assert/strict";
import { countLate } from "../../src/drill/lateness.js";
import type { TargetResult } from "../../src/drill/result.js";

/** Everything held but what only the clock says. */
export function assertHeld({ verdict, phases }: TargetResult): void {
	for (const { measure, held, value, byClock } of verdict)
		if (!byClock) assert.notEqual(held, false, `${measure} is ${String(value)}`);
	assert.ok(
		phases.some(({ client }) => client.succeeded > 0),
		"the good client was never answered",
	);
}

/** The good client met no failure but lateness. */
export function assertOnlyLate({ phases }: TargetResult): void {
	for (const { name, client } of phases) {
		const failed = Object.values(client.failures).reduce((sum, count) => sum + count, 0);
		assert.equal(failed, countLate(client.failures), `${name}: ${JSON.stringify(client.failures)}`);
	}
}

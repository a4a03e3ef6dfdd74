/** How long connections wait to be accepted is measured of the first in each millisecond, by listener. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { HISTOGRAM_CELLS } from "../../src/reactor/records/counters.js";
import { Harness, PEEKING } from "./harness.js";

/** A harness whose clock the test moves, and which notes what its kernel says of each connection that is measured. */
function start(t: TestContext): { harness: Harness; said: number[]; measured: () => number } {
	const harness = new Harness(t, { sessions: 64, routes: [PEEKING] });
	const { kernel, counters } = harness;
	const said: number[] = [];
	kernel.stopClock();
	const ask = kernel.readyForMs.bind(kernel);
	kernel.readyForMs = (fd) => {
		const ms = ask(fd);
		said.push(ms);
		return ms;
	};
	const measured = () =>
		counters
			.acceptWaits(0)
			.subarray(0, HISTOGRAM_CELLS - 1)
			.reduce((total, count) => total + count, 0);
	return { harness, said, measured };
}

test("of many that wait one is measured in each millisecond, the first, and its time is counted", (t) => {
	const { harness, said, measured } = start(t);
	const { counters } = harness;
	const CLIENTS = 40;
	for (let count = 0; count < CLIENTS; count++) harness.client();
	harness.turnUntil(() => counters.accepted(0) === CLIENTS, "all are accepted");
	assert.equal(measured(), 1, "the clock stood still");
	for (const expected of [2, 3]) {
		harness.pass(1);
		harness.client();
		harness.client();
		harness.turnUntil(() => counters.accepted(0) === CLIENTS + 2 * (expected - 1), "two more are accepted");
		assert.equal(measured(), expected);
	}
	const sum = counters.acceptWaits(0)[HISTOGRAM_CELLS - 1];
	assert.equal(
		sum,
		said.reduce((total, ms) => total + ms / 1_000, 0),
	);
});

test("where the kernel does not know it, nothing is counted", (t) => {
	const { harness, measured } = start(t);
	harness.kernel.readyForMs = () => -95;
	harness.client();
	harness.turnUntil(() => harness.counters.accepted(0) === 1, "it is accepted");
	assert.equal(measured(), 0);
});

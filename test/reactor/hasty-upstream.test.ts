/** A Unix upstream that has answered and gone by the time its connect is looked at. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { EAGAIN } from "../../src/kernel/constants.js";
import { Harness, reasonOf } from "./harness.js";
import { listenUnix } from "./unix-upstream.js";

test("an answer that came with the hang-up arrives, and the address is not to blame", (t) => {
	const harness = new Harness(t, { sessions: 4, routes: [{}] });
	const fd = listenUnix(t, harness);
	const client = harness.client();
	// The connect is done within its call, in the turn that accepts; news of it is read in a later one.
	let upstream = -EAGAIN;
	harness.turnUntil(() => {
		upstream = harness.outside.accept(fd, 0);
		return upstream >= 0;
	}, "the dial");
	harness.send(upstream, "answer");
	harness.outside.close(upstream);

	let received: string | number = "";
	harness.turnUntil(() => {
		received = harness.receive(client);
		return received !== -EAGAIN;
	}, "the answer");
	assert.equal(received, "answer");
	harness.turnUntil(() => harness.receive(client) === "", "the end");
	harness.outside.shutdownWrite(client);
	harness.turnUntil(() => harness.live === 0, "the end of the session");
	assert.deepEqual(harness.records().map(reasonOf), ["upstream_closed"]);
	assert.equal(harness.counters.get("dialRetries"), 0);
	assert.equal(harness.counters.get("ejections"), 0);
	assert.equal(harness.board.isEjected(0, harness.outside.now()), false);
});

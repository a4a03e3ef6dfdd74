/** What becomes of descriptors when connections of different kinds end. */

import assert from "node:assert/strict";
import { fstatSync } from "node:fs";
import { test } from "node:test";
import { EAGAIN } from "../../src/kernel/constants.js";
import { i32 } from "../../src/parts/at.js";
import { FLOW, PARKED, SOCKET } from "../../src/reactor/table/fields.js";
import type { Session } from "../../src/reactor/table/numbers.js";
import { RELAY } from "../../src/reactor/table/states.js";
import { hangUp } from "../../src/reactor/wire/hang-up.js";
import { Harness } from "./harness.js";

for (const reset of [false, true]) {
	const how = reset ? "a reset" : "an end";
	test(`${how} of a flow or of a parked line gives back what it holds, and leaves the descriptor that it names to its socket`, (t) => {
		const upstreams = new Harness(t, { sessions: 1, routes: [{}] });
		const listening = upstreams.upstream();
		const harness = new Harness(t, { sessions: 8, routes: [{}], upstreamPorts: [listening.port] });
		const { core } = harness.reactor;
		const { table, chunks, budget, wheel } = core;
		const client = harness.client();
		let upstream = -EAGAIN;
		harness.turnUntil(() => {
			if (upstream < 0) upstream = harness.outside.accept(listening.fd, 0);
			return upstream >= 0 && table.state.includes(RELAY);
		}, "the upstream");
		const socket = i32(table.fd, table.linkOf(0 as Session));
		for (const kind of [FLOW, PARKED]) {
			const row = table.takeLink();
			table.fd[row] = socket;
			table.state[row] = RELAY;
			table.flags[row] = kind;
			table.holdChunk(row, chunks.take(), 0, 100);
			budget.buffered(100);
			wheel.arm(row, core.nowMs + 1_000);
			const armed = wheel.armed;
			hangUp(core, row, reset);
			table.release(row);
			assert.deepEqual([chunks.lent, harness.counters.get("bufferedBytes")], [0, 0]);
			assert.equal(wheel.armed, armed - 1);
		}
		harness.send(client, "still here");
		harness.turnUntil(() => harness.receive(upstream) === "still here", "bytes over that descriptor");
		// The same row with no kind written is a socket, and closes it.
		assert.equal(SOCKET, 0);
		harness.reset(client);
		harness.turnUntil(() => harness.live === 0, "the end");
		assert.throws(() => fstatSync(socket), /EBADF/);
	});
}

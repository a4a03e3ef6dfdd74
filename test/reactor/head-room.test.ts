/** Chunks for heads that come in pieces: who gives one up, and how often all rows are looked through for that. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { i32, u8 } from "../../src/parts/at.js";
import { NONE } from "../../src/parts/none.js";
import { makeHeadRoom } from "../../src/reactor/admission/head-room.js";
import { AHEAD } from "../../src/reactor/table/marks.js";
import type { Slot } from "../../src/reactor/table/numbers.js";
import { SNIFF } from "../../src/reactor/table/states.js";
import { Harness, PEEKING, reasonOf } from "./harness.js";

const CLIENTS = 20;

/** Clients that keep a chunk each, and their rows in the order in which they came. */
function holders(harness: Harness): number[] {
	const { core } = harness.reactor;
	for (let count = 0; count < CLIENTS; count++) harness.client(2 + count);
	harness.turnUntil(() => harness.live === CLIENTS, "all clients");
	const rows = Array.from({ length: core.table.sessions }, (_, slot) => slot).filter(
		(slot) => u8(core.table.state, slot) === SNIFF,
	);
	for (const [index, slot] of rows.entries()) {
		const chunk = core.chunks.take();
		assert.notEqual(chunk, NONE);
		core.inboxes.open(slot as Slot, chunk, core.nowMs - 5_000 + index);
		core.table.flags[slot] = i32(core.table.flags, slot) | AHEAD;
		core.table.acceptedMs[slot] = core.nowMs - 5_000 + index;
	}
	return rows;
}

/** Rows of which it is asked whether they keep a chunk, from now on. */
function countLooks(harness: Harness): () => number {
	const { inboxes } = harness.reactor.core;
	const has = inboxes.has.bind(inboxes);
	let asked = 0;
	Object.assign(inboxes, {
		has: (slot: number) => {
			asked++;
			return has(slot as Slot);
		},
	});
	return () => asked;
}

test("heads that are oldest go first, all that are old, and one look is enough for many", (t) => {
	const harness = new Harness(t, { sessions: 1_000, routes: [PEEKING], upstreamPorts: [1] });
	const { core } = harness.reactor;
	const rows = holders(harness);
	const looks = countLooks(harness);
	for (const slot of rows) {
		if (slot === rows[7]) continue;
		assert.equal(makeHeadRoom(core, rows[7] ?? NONE), true);
		assert.notEqual(u8(core.table.state, slot), SNIFF, `row ${slot} is the oldest`);
	}
	assert.ok(looks() < 4 * core.table.sessions, `${looks()} rows were looked at`);
	assert.equal(makeHeadRoom(core, rows[7] ?? NONE), false);
	assert.equal(u8(core.table.state, rows[7] ?? NONE), SNIFF);
	harness.turn();
	assert.deepEqual(new Set(harness.records().map(reasonOf)), new Set(["memory_pressure"]));
});

test("where nobody's head is old, a crowd that wants chunks buys one look per wait", (t) => {
	const harness = new Harness(t, { sessions: 1_000, routes: [PEEKING], upstreamPorts: [1] });
	const { core } = harness.reactor;
	for (const slot of holders(harness)) core.inboxes.sinceMs[slot] = core.nowMs;
	const looks = countLooks(harness);
	for (let count = 0; count < 100; count++) assert.equal(makeHeadRoom(core, NONE), false);
	assert.ok(looks() < 2 * core.table.sessions, `${looks()} rows were looked at`);
	assert.equal(harness.live, CLIENTS);
});

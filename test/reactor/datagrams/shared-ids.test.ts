/** Which reactor has an ID: told by one thread, asked by another. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { NOBODY, SharedIds } from "../../../src/reactor/datagrams/shared-ids.js";
import { ID_BYTES, idOf, type SharedIdsThread } from "./shared-ids-thread.js";

const SESSIONS = 1_000;

test("each reactor finds what the others have, and nothing that nobody has", () => {
	const told = new SharedIds(SESSIONS);
	const asked = new SharedIds(0, told.buffer);
	for (let number = 0; number < 1_000; number++) told.add(number % 7, idOf(0, number), 0, ID_BYTES);
	let missing = 0;
	for (let number = 0; number < 1_000; number++) {
		const found = asked.find(idOf(0, number), 0, ID_BYTES);
		if (found === NOBODY) missing++;
		else assert.equal(found, number % 7);
	}
	// A quarter of the words is used: a set of four is full now and then.
	assert.ok(missing < 20, `${missing} of 1000`);
	let wrong = 0;
	for (let number = 0; number < 10_000; number++)
		if (asked.find(idOf(1, number), 0, ID_BYTES) !== NOBODY) wrong++;
	assert.ok(wrong < 5, `${wrong} of 10000 are taken for somebody's`);
	for (let number = 0; number < 1_000; number++) told.remove(number % 7, idOf(0, number), 0, ID_BYTES);
	for (let number = 0; number < 1_000; number++) {
		assert.equal(asked.find(idOf(0, number), 0, ID_BYTES), NOBODY);
		assert.equal(asked.findShort(idOf(0, number), 0, ID_BYTES), NOBODY);
	}
	assert.ok(
		new Int32Array(told.buffer).subarray(1).every((word) => word === 0),
		"nothing is left",
	);
});

test("the lengths that are looked for are those that somebody has", () => {
	const shared = new SharedIds(SESSIONS);
	const long = Uint8Array.from({ length: 20 }, (_, i) => i + 1);
	shared.add(1, long, 0, 5);
	shared.add(2, long, 0, 12);
	assert.deepEqual(
		[20, 12, 11, 5, 4, 0].map((end) => shared.findShort(long, 0, end)),
		[2, 2, 1, 1, NOBODY, NOBODY],
	);
	shared.remove(2, long, 0, 12);
	assert.equal(shared.findShort(long, 0, 20), 1);
});

test("threads that tell at the same time take nothing from each other", async () => {
	const reactors = 3;
	const has = 60;
	// So many words that no set is ever full.
	const shared = new SharedIds(100 * SESSIONS);
	const threads = Array.from({ length: reactors }, (_, reactor) => {
		const workerData: SharedIdsThread = { buffer: shared.buffer, reactor, rounds: 300, has };
		return new Worker(new URL("./shared-ids-thread.js", import.meta.url), { workerData });
	});
	const codes = await Promise.all(threads.map((thread) => once(thread, "exit")));
	assert.deepEqual(codes.flat(), [0, 0, 0]);
	for (let reactor = 0; reactor < reactors; reactor++)
		for (let number = 0; number < has; number++)
			assert.equal(shared.find(idOf(reactor, number), 0, ID_BYTES), reactor);
	for (let reactor = 0; reactor < reactors; reactor++)
		for (let number = 0; number < has; number++) shared.remove(reactor, idOf(reactor, number), 0, ID_BYTES);
	assert.ok(
		new Int32Array(shared.buffer).subarray(1).every((word) => word === 0),
		"nothing is left",
	);
});

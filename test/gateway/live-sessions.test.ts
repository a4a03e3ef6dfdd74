/** Sessions are found in the reactors' rows, also one that moves bytes while they are read. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { kernelNowMs } from "../../src/gateway/sessions/clock.js";
import { LiveSessions } from "../../src/gateway/sessions/live.js";
import { setRef } from "../../src/parts/at.js";
import { PROTOCOL_NAMES } from "../../src/protocol/index.js";
import { rowsOf } from "../../src/reactor/rows.js";
import { RELAY } from "../../src/reactor/table/states.js";
import { stamp } from "../../src/reactor/table/times.js";

const NAMING = { of: (slot: number) => `number ${slot}` };
const NAMES = { listener: NAMING, route: NAMING, upstream: NAMING, address: NAMING };
const PAGE = { sort: "idle", isDescending: true, offset: 0, limit: 10 } as const;

/** Sessions of these ages and idle times, in milliseconds; below zero: since the rows began to be read. */
function sessions(...times: readonly { readonly age: number; readonly idle: number }[]): LiveSessions {
	const rows = rowsOf(times.length);
	const { table } = rows;
	const nowMs = kernelNowMs();
	for (const [row, { age, idle }] of times.entries()) {
		table.state[row] = RELAY;
		table.number[row] = row + 1;
		table.family[row] = 4;
		table.protocol[row] = PROTOCOL_NAMES.indexOf("ssh");
		table.acceptedMs[row] = nowMs - age;
		table.active[row] = stamp(nowMs - idle);
	}
	return new LiveSessions(() => [rows], NAMES);
}

test("a session that moves bytes at this moment, or came at it, fits like any other", () => {
	// The stamp of an active session is at most 1,024 ms ahead.
	const live = sessions(
		{ age: 60_000, idle: -900 },
		{ age: -60_000, idle: -900 },
		{ age: 60_000, idle: 30_000 },
	);
	assert.deepEqual(
		live.matching({ protocol: "ssh" }).map(({ number }) => number),
		[1, 2, 3],
	);
	assert.deepEqual(
		live.matching({ idleMinMs: 20_000 }).map(({ number }) => number),
		[3],
	);
	assert.deepEqual(
		live.matching({ ageMaxMs: 1_000 }).map(({ number }) => number),
		[2],
	);
	const { sessions: shown } = live.list({}, PAGE);
	assert.deepEqual(
		shown.map(({ id }) => id),
		[3, 1, 2],
	);
	assert.ok(
		shown.every(({ idle_ms, age_ms }) => idle_ms >= 0 && age_ms >= 0),
		JSON.stringify(shown),
	);
});

test("the names of a filter are made once for each number, however many sessions carry it", () => {
	let made = 0;
	const route = {
		of(slot: number) {
			made++;
			return `route ${slot}`;
		},
	};
	const rows = rowsOf(100);
	const { table } = rows;
	for (let row = 0; row < 100; row++) {
		table.state[row] = RELAY;
		table.number[row] = row + 1;
		setRef(table.route, row, row % 2);
	}
	const live = new LiveSessions(() => [rows], { ...NAMES, route });
	assert.equal(live.matching({ route: "route 1" }).length, 50);
	assert.equal(made, 2);
	assert.equal(live.matching({}).length, 100);
	assert.equal(made, 2, "where nobody asks for names, none is made");
});

import assert from "node:assert/strict";
import { closeSync, openSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import { CONNECTIONS_MAX, REACTORS_MAX } from "../../src/config/bounds.js";
import { loadConfigText } from "../../src/config/load.js";
import { descriptorBudget, descriptorsWanted, pipesPerReactor } from "../../src/gateway/descriptors.js";
import { Owners } from "../../src/reactor/records/owners.js";
import { tableRows } from "../../src/reactor/rows.js";

const limit = fc.integer({ min: 1, max: 2_000_000 });
const reserve = fc.nat(5_000);
const reactors = fc.integer({ min: 1, max: 128 });
const listeners = fc.integer({ min: 1, max: 256 });

test("pipes are a small part of the limit, at least one, at most 64", () => {
	assert.equal(pipesPerReactor(1), 1);
	assert.equal(pipesPerReactor(1_024), 4);
	assert.equal(pipesPerReactor(20_000), 64);
	assert.equal(pipesPerReactor(1_048_576), 64);
});

function wanted(limits: string): number {
	return descriptorsWanted(
		loadConfigText(
			`limits: ${limits}\nlisteners: [{ listen: :1, routes: [{ to: a }] }]\nupstreams: { a: 127.0.0.1:9 }`,
		),
	);
}

test("however many the system allows, a bounded number of descriptors is used unless more are asked for", () => {
	assert.equal(wanted("{}"), 1_048_576);
	assert.equal(wanted("{ connections: 1000 }"), 1_048_576);
	const most = wanted(`{ connections: ${CONNECTIONS_MAX} }`);
	assert.ok(descriptorBudget(most, 64, 128, 256).sessions >= CONNECTIONS_MAX);
});

test("whoever has a descriptor can be noted in the largest table, of the last reactor", () => {
	const owners = new Owners(2);
	const slot = 2 * tableRows(CONNECTIONS_MAX) - 1;
	owners.connectionOpened(1, REACTORS_MAX - 1, slot, 0);
	const { reactor, kind, slot: noted } = owners.of(1) ?? {};
	assert.deepEqual({ reactor, kind, noted }, { reactor: REACTORS_MAX - 1, kind: "connection", noted: slot });
});

test("the arithmetic that is shown is the arithmetic that is done", () => {
	fc.assert(
		fc.property(limit, reserve, reactors, listeners, (limit, reserve, reactors, listeners) => {
			const budget = descriptorBudget(limit, reserve, reactors, listeners);
			const numbers =
				/^\((\d+) descriptors - (\d+) fd_reserve - (\d+) for the process - (\d+) for pipes\) \/ 2 = (\d+) sessions$/
					.exec(budget.arithmetic)
					?.slice(1)
					.map(Number);
			assert.ok(numbers, budget.arithmetic);
			const [all = 0, reserved = 0, fixed = 0, pipes = 0, sessions = 0] = numbers;
			assert.deepEqual([all, reserved, sessions], [limit, reserve, budget.sessions]);
			assert.equal(pipes, 2 * pipesPerReactor(limit) * reactors);
			assert.equal(sessions, Math.max(0, Math.floor((all - reserved - fixed - pipes) / 2)));
		}),
	);
});

test("all sessions, pipes and the reserve fit the limit, and one session more would not", () => {
	fc.assert(
		fc.property(limit, reserve, reactors, listeners, (limit, reserve, reactors, listeners) => {
			const { sessions, arithmetic } = descriptorBudget(limit, reserve, reactors, listeners);
			const fixed = Number(/(\d+) for the process/.exec(arithmetic)?.[1]);
			const others = reserve + fixed + 2 * pipesPerReactor(limit) * reactors;
			if (sessions > 0) assert.ok(2 * sessions + others <= limit);
			assert.ok(2 * (sessions + 1) + others > limit);
			assert.ok(Number.isInteger(sessions) && sessions >= 0);
			// Each reactor has its own listening sockets.
			assert.ok(fixed >= reactors * listeners);
		}),
	);
});

test("descriptors that are open already are counted", () => {
	const sessions = () => descriptorBudget(10_000, 64, 2, 1).sessions;
	const before = sessions();
	const files = Array.from({ length: 10 }, () => openSync("/dev/null", "r"));
	try {
		assert.equal(sessions(), before - 5);
	} finally {
		for (const file of files) closeSync(file);
	}
	assert.equal(sessions(), before);
});

test("where nothing is left there is room for no session, rather than for fewer than none", () => {
	const { sessions, arithmetic } = descriptorBudget(50, 64, 4, 10);
	assert.equal(sessions, 0);
	assert.match(arithmetic, /= 0 sessions$/);
});

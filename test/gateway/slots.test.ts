import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Slots } from "../../src/gateway/slots.js";

test("a name keeps its number", () => {
	const slots = new Slots("listeners", 8);
	assert.deepEqual([slots.take("a"), slots.take("b"), slots.take("c")], [0, 1, 2]);
	slots.keep(["c"]);
	assert.equal(slots.take("c"), 2);
	assert.equal(slots.take("a"), 0, "also one that is not in force, while nobody else needs its number");
	assert.equal(slots.nameOf(1), "b");
	assert.equal(slots.nameOf(7), "");
});

test("names of earlier configs stay listed, because their counters must not vanish", () => {
	const slots = new Slots("routes", 8);
	slots.take("old");
	slots.take("new");
	slots.keep(["new"]);
	assert.deepEqual(
		[...slots.entries()],
		[
			["old", 0],
			["new", 1],
		],
	);
});

test("a number changes hands only when all are taken, its name is not in force and its user agrees", () => {
	const slots = new Slots("upstream addresses", 3);
	for (const name of ["a", "b", "c"]) slots.take(name);
	slots.keep(["a"]);
	const asked: number[] = [];
	const slot = slots.take("d", (candidate) => {
		asked.push(candidate);
		return candidate === 2;
	});
	assert.equal(slot, 2);
	assert.deepEqual(asked, [1, 2], "0 is in force, so nobody is asked about it");
	assert.equal(slots.nameOf(2), "d");
	assert.deepEqual(
		[...slots.entries()].sort(([, x], [, y]) => x - y),
		[
			["a", 0],
			["b", 1],
			["d", 2],
		],
	);
});

test("when none can change hands, the error says what there is too much of", () => {
	const slots = new Slots("listeners", 2);
	slots.take("a");
	slots.take("b");
	slots.keep(["a", "b"]);
	assert.throws(() => slots.take("c"), /more than 2 listeners/);
	slots.keep(["a"]);
	assert.throws(() => slots.take("c", () => false), /more than 2 listeners/);
	assert.deepEqual([slots.take("a"), slots.take("b"), slots.take("c")], [0, 1, 1]);
});

test("whatever comes and goes, names in force have each a number of their own, and keep it", () => {
	const MAX = 6;
	const name = fc.constantFrom(..."abcdefghijkl");
	fc.assert(
		fc.property(fc.array(fc.uniqueArray(name, { maxLength: MAX }), { maxLength: 20 }), (configs) => {
			const slots = new Slots("things", MAX);
			let before = new Map<string, number>();
			for (const names of configs) {
				slots.keep(names);
				const now = new Map(names.map((each) => [each, slots.take(each)]));
				assert.equal(new Set(now.values()).size, names.length);
				for (const [each, slot] of now) {
					assert.ok(slot >= 0 && slot < MAX);
					assert.equal(slots.nameOf(slot), each);
					if (before.has(each)) assert.equal(slot, before.get(each));
				}
				before = now;
			}
		}),
	);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { OutOfSlots, Slots } from "../../src/gateway/slots.js";

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

test("a number changes hands only when all are taken, its name is not in force and nothing holds it", () => {
	const reused: number[] = [];
	const slots = new Slots("upstream addresses", 3, (slot) => reused.push(slot));
	for (const name of ["a", "b", "c"]) slots.take(name);
	slots.keep(["a"]);
	assert.throws(() => slots.take("d"), OutOfSlots, "nobody has looked for holders yet");
	slots.free((slot) => slot === 1);
	assert.deepEqual([slots.nameOf(2), slots.take("c")], ["c", 2], "its own name may come back");
	assert.throws(() => slots.take("d"), OutOfSlots, "0 is in force, 1 is held, 2 is in use again");
	slots.free((slot) => slot === 1);
	assert.equal(slots.take("d"), 2);
	assert.deepEqual(reused, [2]);
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

test("when none can change hands, the error says what there is too much of, and what to do", () => {
	const slots = new Slots("listeners", 2);
	slots.take("a");
	slots.take("b");
	slots.keep(["a"]);
	slots.free(() => true);
	assert.throws(() => slots.take("c"), /another of the listeners: all 2 are in use.*reload again when/);
	slots.free(() => false);
	assert.deepEqual([slots.take("a"), slots.take("c")], [0, 1]);
});

test("whatever comes and goes, names in force have each a number of their own, and held ones stay their names'", () => {
	const MAX = 6;
	const name = fc.constantFrom(..."abcdefghijkl");
	const step = fc.record({
		names: fc.uniqueArray(name, { maxLength: MAX }),
		begins: fc.array(fc.nat(MAX - 1), { maxLength: 3 }),
		ends: fc.nat(3),
	});
	fc.assert(
		fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
			const slots = new Slots("things", MAX);
			let before = new Map<string, number>();
			/** What sessions carry. */
			let held: { readonly name: string; readonly slot: number }[] = [];
			for (const { names, begins, ends } of steps) {
				const plan = (): Map<string, number> => new Map(names.map((each) => [each, slots.take(each)]));
				let now: Map<string, number>;
				try {
					now = plan();
				} catch {
					slots.free((slot) => held.some((each) => each.slot === slot));
					try {
						now = plan();
					} catch {
						const used = new Set([...names, ...before.keys(), ...held.map((each) => each.name)]);
						assert.ok(used.size > MAX, "refused, although there were enough");
						now = before;
					}
				}
				slots.keep(now.keys());
				assert.equal(new Set(now.values()).size, now.size);
				for (const [each, slot] of now) {
					assert.ok(slot >= 0 && slot < MAX);
					assert.equal(slots.nameOf(slot), each);
					if (before.has(each)) assert.equal(slot, before.get(each));
				}
				for (const each of held) assert.equal(slots.nameOf(each.slot), each.name);
				before = now;
				held = held.slice(ends);
				for (const begin of begins) {
					const [each] = [...now].slice(begin);
					if (each !== undefined) held.push({ name: each[0], slot: each[1] });
				}
			}
		}),
	);
});

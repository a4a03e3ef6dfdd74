import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { NONE } from "../../src/parts/none.js";
import { Pipes } from "../../src/reactor/memory/pipes.js";
import { FakeKernel } from "./fake-kernel.js";

test("a pipe that is given back empty is lent again instead of opening another", () => {
	const kernel = new FakeKernel();
	const pipes = new Pipes(kernel, 4);
	const first = pipes.borrow();
	const ends = [pipes.readEnd(first), pipes.writeEnd(first)];
	pipes.giveBack(first);
	assert.equal(pipes.lent, 0);
	assert.equal(pipes.open, 1);
	const again = pipes.borrow();
	assert.deepEqual([pipes.readEnd(again), pipes.writeEnd(again)], ends);
	assert.equal(kernel.open.size, 2);
});

test("a pipe with bytes of a session that ended is closed, never lent again", () => {
	const kernel = new FakeKernel();
	const pipes = new Pipes(kernel, 4);
	const pipe = pipes.borrow();
	const readEnd = pipes.readEnd(pipe);
	pipes.discard(pipe);
	assert.equal(kernel.open.size, 0);
	assert.equal(pipes.open, 0);
	assert.notEqual(pipes.readEnd(pipes.borrow()), readEnd);
});

test("no more pipes than were allowed, and NONE beyond", () => {
	const kernel = new FakeKernel();
	const pipes = new Pipes(kernel, 3);
	assert.equal(new Set([pipes.borrow(), pipes.borrow(), pipes.borrow()]).size, 3);
	assert.equal(pipes.borrow(), NONE);
	assert.equal(pipes.open, 3);
	assert.equal(pipes.lent, 3);
});

test("when no descriptor is left nothing is lent, and a later borrower finds the place unharmed", () => {
	const kernel = new FakeKernel();
	const pipes = new Pipes(kernel, 2);
	kernel.descriptorsMax = 3;
	const pipe = pipes.borrow();
	assert.equal(pipes.borrow(), NONE);
	assert.equal(pipes.lent, 1);
	assert.equal(pipes.open, 1);
	kernel.descriptorsMax = 4;
	assert.notEqual(pipes.borrow(), pipe);
	assert.equal(pipes.open, 2);
});

test("few empty pipes stay open after a burst, and closeIdle closes those", () => {
	const kernel = new FakeKernel();
	const pipes = new Pipes(kernel, 64);
	const burst = Array.from({ length: 64 }, () => pipes.borrow());
	for (const pipe of burst) pipes.giveBack(pipe);
	assert.equal(pipes.lent, 0);
	assert.equal(pipes.open, 8);
	assert.equal(kernel.open.size, 16);
	pipes.closeIdle();
	assert.equal(pipes.open, 0);
	assert.equal(kernel.open.size, 0);
});

test("whatever is lent, given back and discarded, no pipe has two borrowers and no descriptor is lost", () => {
	const step = fc.record({
		action: fc.constantFrom("borrow", "borrow", "giveBack", "discard", "closeIdle"),
		which: fc.nat(),
	});
	fc.assert(
		fc.property(fc.integer({ min: 1, max: 20 }), fc.array(step, { maxLength: 150 }), (max, steps) => {
			const kernel = new FakeKernel();
			const pipes = new Pipes(kernel, max);
			const lent: number[] = [];
			for (const { action, which } of steps) {
				if (action === "closeIdle") pipes.closeIdle();
				else if (action === "borrow") {
					const pipe = pipes.borrow();
					if (lent.length === max) assert.equal(pipe, NONE);
					else {
						assert.ok(pipe !== NONE && !lent.includes(pipe));
						assert.ok(kernel.open.has(pipes.readEnd(pipe)) && kernel.open.has(pipes.writeEnd(pipe)));
						lent.push(pipe);
					}
				} else if (lent.length > 0) {
					const [pipe = NONE] = lent.splice(which % lent.length, 1);
					if (action === "giveBack") pipes.giveBack(pipe);
					else pipes.discard(pipe);
				}
				assert.equal(pipes.lent, lent.length);
				assert.equal(kernel.open.size, 2 * pipes.open);
				assert.ok(pipes.open >= lent.length && pipes.open <= max);
			}
			for (const pipe of lent) pipes.giveBack(pipe);
			pipes.closeIdle();
			assert.equal(kernel.open.size, 0);
		}),
	);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { Board, PLACES } from "../../src/upstream/board.js";

const LIMIT = 3;
const FOR_MS = 10_000;

test("an address is ejected by as many failures in a row as were allowed, and told once", () => {
	const board = new Board();
	assert.equal(board.failed(7, LIMIT, FOR_MS, 1_000), false);
	assert.equal(board.failed(7, LIMIT, FOR_MS, 1_100), false);
	assert.equal(board.isEjected(7, 1_100), false);
	assert.equal(board.failed(7, LIMIT, FOR_MS, 1_200), true);
	assert.equal(board.isEjected(7, 1_200), true);
	assert.equal(board.failed(7, LIMIT, FOR_MS, 1_300), false, "it was ejected already");
	assert.equal(board.isEjected(6, 1_300), false);
	assert.equal(board.isEjected(8, 1_300), false);
});

test("an ejection ends when its time is over, and the next failure begins another", () => {
	const board = new Board();
	board.failed(0, 1, FOR_MS, 1_000);
	assert.equal(board.isEjected(0, 1_000 + FOR_MS - 1), true);
	assert.equal(board.isEjected(0, 1_000 + FOR_MS), false);
	assert.equal(board.isHealthy(0, 1_000 + FOR_MS), true);
	assert.equal(board.failed(0, 1, FOR_MS, 20_000), true);
	assert.equal(board.isEjected(0, 20_000 + FOR_MS - 1), true);
});

test("ejections are counted, each once", () => {
	const board = new Board();
	board.failed(0, 2, FOR_MS, 1_000);
	assert.deepEqual([board.failures(0), board.ejections(0)], [1, 0]);
	board.failed(0, 2, FOR_MS, 1_000);
	board.failed(0, 2, FOR_MS, 2_000);
	assert.deepEqual([board.failures(0), board.ejections(0)], [3, 1]);
	board.failed(0, 2, FOR_MS, 2_000 + FOR_MS);
	assert.equal(board.ejections(0), 2);
	board.connected(0);
	assert.deepEqual([board.failures(0), board.ejections(0), board.ejections(1)], [0, 2, 0]);
});

test("a failure while it is ejected lengthens the ejection", () => {
	const board = new Board();
	board.failed(0, 1, FOR_MS, 1_000);
	board.failed(0, 1, FOR_MS, 5_000);
	assert.equal(board.isEjected(0, 14_999), true);
	assert.equal(board.isEjected(0, 15_000), false);
});

test("a success ends the streak and the ejection", () => {
	const board = new Board();
	board.failed(0, LIMIT, FOR_MS, 0);
	board.failed(0, LIMIT, FOR_MS, 0);
	board.connected(0);
	assert.equal(board.failed(0, LIMIT, FOR_MS, 0), false);
	assert.equal(board.failed(0, LIMIT, FOR_MS, 0), false);
	assert.equal(board.failed(0, LIMIT, FOR_MS, 0), true);
	board.connected(0);
	assert.equal(board.isEjected(0, 1), false);
});

test("ejected and down are two things, and an address is healthy with neither", () => {
	const board = new Board();
	assert.equal(board.isHealthy(1, 0), true);
	board.setDown(1, true);
	assert.deepEqual([board.isDown(1), board.isEjected(1, 0), board.isHealthy(1, 0)], [true, false, false]);
	board.connected(1);
	assert.equal(board.isDown(1), true, "only checks bring up what checks found down");
	board.setDown(1, false);
	board.failed(1, 1, FOR_MS, 0);
	assert.deepEqual([board.isDown(1), board.isEjected(1, 1), board.isHealthy(1, 1)], [false, true, false]);
});

test("sessions are counted per address, over all views of the memory", () => {
	const board = new Board();
	const other = new Board(board.buffer);
	board.enter(3);
	other.enter(3);
	other.enter(4);
	assert.deepEqual([board.active(3), board.active(4), board.active(5)], [2, 1, 0]);
	board.leave(3);
	assert.equal(other.active(3), 1);
	other.setDown(3, true);
	assert.equal(board.isDown(3), true);
});

test("a place is cleared for its next address, and no other is", () => {
	const board = new Board();
	for (const address of [4, 5]) {
		board.failed(address, LIMIT, FOR_MS, 0);
		board.failed(address, LIMIT, FOR_MS, 0);
		board.failed(address, LIMIT, FOR_MS, 0);
		board.setDown(address, true);
	}
	board.reset(4);
	assert.equal(board.isHealthy(4, 0), true);
	assert.equal(board.failed(4, LIMIT, FOR_MS, 0), false, "failures begin anew");
	assert.deepEqual([board.isDown(5), board.isEjected(5, 0)], [true, true]);
});

test("the first and the last place share nothing", () => {
	for (const [own, other] of [
		[0, PLACES - 1],
		[PLACES - 1, 0],
	] as const) {
		const board = new Board();
		board.enter(own);
		board.failed(own, 1, FOR_MS, 5);
		board.setDown(own, true);
		assert.deepEqual([board.active(own), board.isDown(own), board.isEjected(own, 5)], [1, true, true]);
		assert.deepEqual(
			[board.active(other), board.isDown(other), board.isEjected(other, 5)],
			[0, false, false],
		);
		assert.equal(board.failed(other, 2, FOR_MS, 5), false);
	}
});

test("a weight that an operator sets lasts until the file says another one than before", () => {
	const board = new Board();
	assert.equal(board.weight(3), 1);
	board.setFileWeight(3, 2);
	board.setWeight(3, 9);
	board.setFileWeight(3, 2);
	assert.equal(board.weight(3), 9, "the file says what it said before");
	board.setFileWeight(3, 4);
	assert.equal(board.weight(3), 4);
	board.setWeight(3, 9);
	board.reset(3);
	assert.equal(board.weight(3), 1);
	board.setFileWeight(3, 1);
	assert.deepEqual([board.weight(3), board.weight(4)], [1, 1]);
});

test("all views of the memory see that a weight has changed, and only then", () => {
	const board = new Board();
	const other = new Board(board.buffer);
	const before = other.weightChanges;
	board.setWeight(0, 1);
	board.setFileWeight(0, 1);
	assert.equal(other.weightChanges, before);
	board.setWeight(PLACES - 1, 5);
	assert.notEqual(other.weightChanges, before);
	assert.equal(other.weight(PLACES - 1), 5);
});

test("no more sessions enter an address than may, over all views of the memory", () => {
	const board = new Board();
	const other = new Board(board.buffer);
	assert.deepEqual([board.tryEnter(5, 2), other.tryEnter(5, 2), board.tryEnter(5, 2)], [true, true, false]);
	other.leave(5);
	assert.deepEqual([board.tryEnter(5, 1), board.tryEnter(5, 2), board.active(5)], [false, true, 2]);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { Ejections, type WatchedAddress } from "../../src/gateway/ejections.js";
import { Board } from "../../src/upstream/board.js";
import { type Line, linesLogger } from "../support/lines.js";

const EJECTED = "an upstream address is ejected: connecting to it fails again and again";
const BACK = "an ejected upstream address accepts connections again";
const ADDRESS: WatchedAddress = { board: 3, upstream: "a", label: "10.0.0.1:80" };

function setUp(): { board: Board; ejections: Ejections; lines: Line[]; told: () => string[] } {
	const board = new Board();
	const { logger, lines } = linesLogger();
	const ejections = new Ejections(board, logger);
	const told = () => {
		ejections.look();
		return lines.splice(0).map(({ message }) => message);
	};
	return { board, ejections, lines, told };
}

test("an ejection is told once, however often it is repeated, and its end when connects succeed", () => {
	const { board, ejections, lines, told } = setUp();
	ejections.follow([ADDRESS]);
	assert.deepEqual(told(), []);
	board.failed(3, 2, 1_000, 0);
	assert.deepEqual(told(), [], "one failure is none");
	board.failed(3, 2, 1_000, 0);
	ejections.look();
	assert.deepEqual(lines, [
		{ level: "warn", fields: { upstream: "a", address: "10.0.0.1:80", failures: 2 }, message: EJECTED },
	]);
	lines.length = 0;
	for (let nowMs = 1_000; nowMs < 20_000; nowMs += 1_000) {
		board.failed(3, 2, 500, nowMs);
		assert.deepEqual(told(), []);
	}
	// Nobody tries it for a while: its time is over, and nothing is known.
	for (let look = 0; look < 10; look++) assert.deepEqual(told(), []);
	board.connected(3);
	const later = [told(), told(), told()];
	assert.deepEqual(later, [[], [], [BACK]]);
	for (let look = 0; look < 10; look++) assert.deepEqual(told(), []);
	board.failed(3, 1, 1_000, 30_000);
	assert.deepEqual(told(), [EJECTED], "another one");
});

test("an ejection that was over before it was looked at is told, and one that comes and goes is told once", () => {
	const { board, ejections, told } = setUp();
	ejections.follow([ADDRESS]);
	const flap = () => {
		board.failed(3, 1, 1_000, 0);
		board.connected(3);
	};
	flap();
	assert.deepEqual(told(), [EJECTED]);
	flap();
	assert.deepEqual(told(), []);
	flap();
	assert.deepEqual([told(), told(), told(), told()], [[], [], [BACK], []].slice(0, 4));
});

test("an address that is followed on is not told of again, and one that has gone is forgotten", () => {
	const { board, ejections, told } = setUp();
	ejections.follow([ADDRESS]);
	board.failed(3, 1, 1_000, 0);
	assert.deepEqual(told(), [EJECTED]);
	ejections.follow([{ ...ADDRESS }, { board: 4, upstream: "b", label: "10.0.0.2:80" }]);
	assert.deepEqual(told(), []);
	ejections.follow([]);
	board.connected(3);
	for (let look = 0; look < 10; look++) assert.deepEqual(told(), []);
	// Its place is another's by now.
	board.failed(3, 1, 1_000, 50_000);
	ejections.follow([{ board: 3, upstream: "c", label: "10.0.0.1:80" }]);
	assert.deepEqual(told(), []);
});

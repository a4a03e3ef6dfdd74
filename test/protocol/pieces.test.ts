import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
	PIECE_CONFLICT,
	PIECE_KNOWN,
	PIECE_NEW,
	PIECE_TOO_FAR,
	PIECE_TOO_MANY,
	Pieces,
} from "../../src/protocol/pieces.js";
import { latin1 } from "./samples.js";

const TEXT = latin1("a message that comes in pieces, in any order, and some of them twice");

test("pieces are put together as a map of bytes would have them, and places know nothing of each other", () => {
	const pieces = new Pieces(3, 100);
	const part = fc.tuple(fc.nat(1), fc.nat(TEXT.length), fc.nat(20), fc.nat(40));
	fc.assert(
		fc.property(fc.array(part, { maxLength: 30 }), (parts) => {
			const known = [new Map<number, number>(), new Map<number, number>()];
			for (const place of [0, 1]) pieces.clear(place);
			for (const [place, start, length, change] of parts) {
				const bytes = TEXT.slice(start, start + length);
				// One in twenty has a byte of its own.
				if (change === 0 && bytes.length > 0) bytes[0] = 0xff;
				const map = known[place] ?? assert.fail();
				const entries = [...bytes].map((byte, i) => [start + i, byte] as const);
				const isConflict = entries.some(([at, byte]) => map.has(at) && map.get(at) !== byte);
				const isNew = entries.some(([at]) => !map.has(at));
				const added = pieces.add(place, start, bytes, 0, bytes.length);
				assert.equal(added, isConflict ? PIECE_CONFLICT : isNew ? PIECE_NEW : PIECE_KNOWN);
				if (isConflict) {
					pieces.clear(place);
					map.clear();
				} else for (const [at, byte] of entries) map.set(at, byte);
				let prefix = 0;
				while (map.has(prefix)) prefix++;
				assert.equal(pieces.prefix(place), prefix);
				assert.equal(pieces.reach(place), Math.max(0, ...[...map.keys()].map((at) => at + 1)));
				for (const [at, byte] of map) assert.equal(pieces.memory[place * 100 + at], byte);
			}
		}),
		{ numRuns: 1_000 },
	);
	assert.ok(pieces.memory.subarray(200).every((byte) => byte === 0));
});

test("a message has its greatest length, and gaps their greatest number", () => {
	const pieces = new Pieces(1, 200);
	assert.equal(pieces.add(0, 199, TEXT, 0, 1), PIECE_NEW);
	assert.equal(pieces.add(0, 199, TEXT, 0, 2), PIECE_TOO_FAR);
	assert.equal(pieces.add(0, 201, TEXT, 0, 0), PIECE_TOO_FAR);
	assert.equal(pieces.add(0, 2 ** 62, TEXT, 0, 1), PIECE_TOO_FAR);
	for (let i = 0; i < 63; i++) assert.equal(pieces.add(0, 2 * i, TEXT, 0, 1), PIECE_NEW);
	assert.equal(pieces.add(0, 150, TEXT, 0, 1), PIECE_TOO_MANY);
	assert.equal(pieces.add(0, 1, TEXT, 3, 4), PIECE_NEW, "what fills a gap makes one less");
	assert.equal(pieces.add(0, 150, TEXT, 0, 1), PIECE_NEW);
	assert.throws(() => new Pieces(1, 65_536), RangeError);
});

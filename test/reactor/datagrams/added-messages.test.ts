/** Messages that go to one place are joined where the kernel cuts them into what they were, and nowhere else. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { DATAGRAMS_JOINED_MAX, JOINED_BYTES_MAX } from "../../../src/kernel/datagrams.js";
import { AddedMessages } from "../../../src/reactor/datagrams/added-messages.js";
import type { Session } from "../../../src/reactor/table/numbers.js";
import { Random } from "../../../src/rig/random.js";

const LISTENER = 3;
const SESSION = 5 as Session;

function joining(): AddedMessages {
	const added = new AddedMessages(true);
	added.turnElsewhere(false);
	return added;
}

/** One more piece: a message of its own, or joined. */
function add(added: AddedMessages, bytes: number, segment = bytes, ecn = 0): "joined" | "alone" {
	if (added.canJoin(bytes, segment, ecn)) {
		added.join(0, bytes);
		return "joined";
	}
	added.note(SESSION, LISTENER, 0, bytes, segment, ecn);
	return "alone";
}

function all(pieces: readonly (readonly [bytes: number, segment?: number, ecn?: number])[]): string[] {
	const added = joining();
	return pieces.map(([bytes, segment, ecn]) => add(added, bytes, segment, ecn));
}

test("datagrams of one length are joined, and one that is shorter is the last", () => {
	assert.deepEqual(all([[1200], [1200], [700], [700], [1200]]), [
		"alone",
		"joined",
		"joined",
		"alone",
		"alone",
	]);
	assert.deepEqual(all([[700], [1200]]), ["alone", "alone"]);
});

test("what came as one message goes on with others of its length, unless its last datagram is shorter", () => {
	assert.deepEqual(all([[2400, 1200], [3600, 1200], [1200], [10]]), ["alone", "joined", "joined", "joined"]);
	assert.deepEqual(all([[2500, 1200], [1200]]), ["alone", "alone"]);
	// A message of shorter datagrams, or of longer ones, is none of them.
	assert.deepEqual(all([[1200], [800, 400]]), ["alone", "alone"]);
	assert.deepEqual(all([[400], [2400, 1200]]), ["alone", "alone"]);
});

test("empty datagrams, and those with another notification of congestion, are sent by themselves", () => {
	assert.deepEqual(all([[0], [0], [5], [0]]), ["alone", "alone", "alone", "alone"]);
	assert.deepEqual(all([[5], [5, 5, 1], [5, 5, 1], [5]]), ["alone", "alone", "joined", "alone"]);
});

test("nothing is joined to what goes elsewhere, or where the kernel does not cut messages", () => {
	const added = joining();
	assert.equal(add(added, 100), "alone");
	added.turnElsewhere(false);
	assert.equal(add(added, 100), "alone");
	assert.equal(add(added, 100), "joined");
	added.clear();
	assert.equal(add(added, 100), "alone");
	const never = new AddedMessages(false);
	never.turnElsewhere(false);
	assert.deepEqual([add(never, 100), add(never, 100)], ["alone", "alone"]);
});

test("where a way does not take what is joined, datagrams are sent by themselves", () => {
	const added = joining();
	added.turnElsewhere(true);
	assert.deepEqual([add(added, 100), add(added, 100)], ["alone", "alone"]);
	added.turnElsewhere(false);
	assert.deepEqual([add(added, 100), add(added, 100)], ["alone", "joined"]);
});

test("of all that may come, each message is what the kernel takes, and its pieces are what was added", () => {
	for (let seed = 1; seed <= 200; seed++) {
		const random = new Random(seed);
		const added = joining();
		const pieces: number[] = [];
		for (let i = 0; i < 60; i++) {
			if (random.chance(0.05)) added.turnElsewhere(random.chance(0.2));
			const segment = [1, 100, 1200, 9000][random.below(4)] as number;
			const bytes = random.chance(0.3) ? segment * (1 + random.below(6)) : random.below(segment + 1);
			add(added, bytes, Math.min(bytes, segment), random.below(8) === 0 ? 1 : 0);
			pieces.push(bytes);
		}
		const found: number[] = [];
		for (let index = 0; added.firstPiece(index) < added.endPiece(index); index++) {
			const segment = added.segment(index);
			let bytes = 0;
			for (let piece = added.firstPiece(index); piece < added.endPiece(index); piece++) {
				if (bytes > 0) assert.equal(bytes % segment, 0, `seed ${seed}: a shorter datagram is not the last`);
				bytes += added.pieceBytes(piece);
				found.push(added.pieceBytes(piece));
			}
			assert.equal(bytes, added.bytes(index));
			assert.ok(bytes <= JOINED_BYTES_MAX && added.datagrams(index) <= DATAGRAMS_JOINED_MAX);
			assert.deepEqual([added.session(index), added.listener(index)], [SESSION, LISTENER]);
			if (added.endPiece(index) === pieces.length) break;
		}
		assert.deepEqual(found, pieces, `seed ${seed}`);
	}
});

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { HalfHellos, type HelloKey } from "../../../src/reactor/datagrams/half-hellos.js";
import type { Peer } from "../../../src/reactor/datagrams/peer.js";
import { HalfSources } from "../../../src/reactor/datagrams/sources.js";
import { latin1 } from "../../protocol/samples.js";
import { peerAt } from "./rig.js";

const LIMITS = { halves: 4, perSource: 3, fewOfSource: 1, bytesEach: 2048, timeoutMs: 100 };

function keyOf(id: string, version = 1): HelloKey {
	return { version, bytes: latin1(`..${id}`), idAt: 2, idLength: id.length };
}

/** A half as the recogniser makes one. */
function begin(halves: HalfHellos, peer: Peer, id: string, nowMs = 0): number {
	const place = halves.draft();
	halves.keep(place, peer, keyOf(id), nowMs);
	return place;
}

function a(last: number): Peer {
	return peerAt([192, 0, 2, last]);
}

test("a half is found by its address, port, version and connection ID, and by nothing less", () => {
	const halves = new HalfHellos(LIMITS);
	const place = begin(halves, a(1), "id");
	assert.equal(halves.find(a(1), keyOf("id")), place);
	for (const [peer, key] of [
		[a(2), keyOf("id")],
		[peerAt([192, 0, 2, 1], 1), keyOf("id")],
		[peerAt([192, 0, 2, 1, ...Array(12).fill(0)]), keyOf("id")],
		[a(1), keyOf("ie")],
		[a(1), keyOf("idd")],
		[a(1), keyOf("i")],
		[a(1), keyOf("id", 2)],
	] as const)
		assert.equal(halves.find(peer, key), -1);
	halves.release(place);
	assert.equal(halves.find(a(1), keyOf("id")), -1);
});

test("when there is no room, the oldest half of the source that has most goes", () => {
	const halves = new HalfHellos(LIMITS);
	begin(halves, a(1), "1");
	begin(halves, a(2), "1");
	begin(halves, a(2), "2");
	begin(halves, a(3), "1");
	begin(halves, a(4), "1");
	assert.equal(halves.find(a(2), keyOf("1")), -1);
	assert.deepEqual([halves.count, halves.displaced], [4, 1]);
	// Now everybody has one: who has had it for longest.
	begin(halves, a(5), "1");
	assert.equal(halves.find(a(1), keyOf("1")), -1);
	for (const last of [3, 4, 5]) assert.notEqual(halves.find(a(last), keyOf("1")), -1);
});

test("a source that has its share displaces its own, though there is room; of IPv6, a /64 is one source", () => {
	const halves = new HalfHellos({ ...LIMITS, halves: 10 });
	const six = (host: number, port: number) =>
		peerAt([0x20, 1, 0xd, 0xb8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, host], port);
	for (const port of [1, 2, 3, 4, 5]) {
		begin(halves, peerAt([192, 0, 2, 1], port), "id");
		begin(halves, six(port, 443), "id");
	}
	assert.deepEqual([halves.count, halves.displaced], [6, 4]);
	assert.equal(halves.find(six(2, 443), keyOf("id")), -1);
	assert.notEqual(halves.find(six(3, 443), keyOf("id")), -1);
});

test("a flood of forged sources displaces halves and nothing else, and takes no memory", () => {
	const halves = new HalfHellos({ ...LIMITS, halves: 64 });
	const memory = [halves.held, halves.pieces.memory];
	for (let i = 0; i < 20_000; i++) {
		begin(halves, peerAt([10, i >> 16, (i >> 8) & 255, i & 255], i & 0xffff), "forged", i);
		assert.ok(halves.count <= 64);
	}
	assert.deepEqual([halves.count, halves.displaced], [64, 20_000 - 64]);
	assert.deepEqual([halves.held, halves.pieces.memory], memory);
	// The draft is nobody's: what is whole in one datagram is read whatever the flood does.
	const draft = halves.draft();
	assert.ok(!halves.isKept(draft));
	assert.equal(halves.pieces.add(draft, 0, latin1("whole"), 0, 5), 1);
});

test("against many from one address, those of others stay", () => {
	const halves = new HalfHellos({ ...LIMITS, halves: 64, perSource: 60 });
	for (let last = 0; last < 20; last++) begin(halves, a(last), "id");
	for (let i = 0; i < 5_000; i++) begin(halves, peerAt([10, 0, 0, 1], i), "many");
	for (let last = 0; last < 20; last++) assert.notEqual(halves.find(a(last), keyOf("id")), -1);
	assert.equal(halves.count, 64);
});

test("who has a few at once, as clients behind one address have, is not taken for a flood from everywhere", () => {
	const halves = new HalfHellos({ ...LIMITS, halves: 64, perSource: 8, fewOfSource: 3 });
	for (const id of ["1", "2", "3"]) begin(halves, a(1), id);
	for (let i = 0; i < 61; i++) begin(halves, peerAt([10, 0, 1, i]), "forged");
	assert.equal(halves.displaced, 0);
	// Now each that comes displaces the oldest of all: those three have had as long as anybody.
	for (const [i, id] of ["1", "2", "3"].entries()) {
		assert.notEqual(halves.find(a(1), keyOf(id)), -1);
		begin(halves, peerAt([10, 0, 2, i]), "forged");
		assert.equal(halves.find(a(1), keyOf(id)), -1);
	}
	// With one more than a few it is the largest.
	for (const id of ["4", "5", "6", "7"]) begin(halves, a(1), id);
	begin(halves, peerAt([10, 0, 3, 1]), "forged");
	assert.equal(halves.find(a(1), keyOf("4")), -1);
	assert.notEqual(halves.find(a(1), keyOf("5")), -1);
});

test("each half has its time, by the caller's clock", () => {
	const halves = new HalfHellos(LIMITS);
	assert.equal(halves.nextDeadlineMs(), Number.POSITIVE_INFINITY);
	begin(halves, a(1), "1", 1_000);
	begin(halves, a(2), "2", 1_050);
	assert.equal(halves.nextDeadlineMs(), 1_100);
	halves.expire(1_099);
	assert.equal(halves.count, 2);
	halves.expire(1_100);
	assert.deepEqual([halves.count, halves.expired, halves.nextDeadlineMs()], [1, 1, 1_150]);
	halves.expire(5_000);
	assert.deepEqual([halves.count, halves.expired], [0, 2]);
});

test("datagrams are held as they came, up to the limit", () => {
	const halves = new HalfHellos(LIMITS);
	const place = begin(halves, a(1), "1");
	const bytes = Uint8Array.from({ length: 3000 }, (_, i) => i);
	assert.equal(halves.firstHeld(place), -1);
	assert.ok(halves.hold(place, bytes, 5, 1005, 2));
	assert.ok(halves.hold(place, bytes, 7, 7, 0));
	assert.ok(!halves.hold(place, bytes, 0, 2048 - 1003 - 3 - 3 + 1, 3));
	assert.ok(halves.hold(place, bytes, 0, 2048 - 1003 - 3 - 3, 3));
	const sizes: number[] = [];
	const marks: number[] = [];
	for (let at = halves.firstHeld(place); at >= 0; at = halves.nextHeld(place, at)) {
		sizes.push(halves.heldLength(at));
		marks.push(halves.heldEcn(at));
		if (sizes.length === 1) assert.deepEqual(halves.held.slice(at, at + 1000), bytes.slice(5, 1005));
	}
	assert.deepEqual(sizes, [1000, 0, 1039]);
	assert.deepEqual(marks, [2, 0, 3]);
	assert.deepEqual([halves.heldCount(place), halves.allHeld], [3, 3]);
	halves.giveUp(place);
	assert.deepEqual([halves.lost, halves.allHeld], [3, 0]);
});

test("limits that cannot be meant are refused", () => {
	for (const wrong of [
		{ halves: 0 },
		{ halves: 1.5 },
		{ perSource: 0 },
		{ bytesEach: 100 },
		{ bytesEach: 70_000 },
	])
		assert.throws(() => new HalfHellos({ ...LIMITS, ...wrong }), RangeError);
});

test("whoever has most is known, as a list that is searched would say", () => {
	fc.assert(
		fc.property(fc.array(fc.tuple(fc.nat(5), fc.boolean()), { maxLength: 60 }), (steps) => {
			const sources = new HalfSources(64);
			const counts = new Map<number, number>();
			const places = new Map<number, number>();
			for (const [last, isMore] of steps) {
				const count = counts.get(last) ?? 0;
				if (isMore) {
					places.set(last, sources.add(a(last)));
					counts.set(last, count + 1);
				} else if (count > 0) {
					sources.drop(places.get(last) as number);
					counts.set(last, count - 1);
				}
				const most = Math.max(0, ...counts.values());
				assert.equal(sources.most, most);
				const largest = sources.largest();
				if (most === 0) assert.equal(largest, -1);
				else assert.ok([...counts].some(([who, n]) => n === most && sources.find(a(who)) === largest));
				for (const [who, n] of counts) assert.equal(sources.find(a(who)) >= 0, n > 0);
				assert.equal(sources.count, [...counts.values()].filter((n) => n > 0).length);
			}
		}),
		{ numRuns: 300 },
	);
});

interface Half {
	readonly source: number;
	readonly id: string;
	readonly startedMs: number;
}

for (const fewOfSource of [1, 2])
	test(`the table does what a plain list of halves does, where ${fewOfSource} of a source are few`, () => {
		const limits = { ...LIMITS, fewOfSource };
		const step = fc.tuple(fc.constantFrom("begin", "release", "wait"), fc.nat(4), fc.nat(6));
		fc.assert(
			fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
				const halves = new HalfHellos(limits);
				let model: Half[] = [];
				let nowMs = 0;
				const of = (source: number) => model.filter((half) => half.source === source);
				for (const [what, source, number] of steps) {
					const id = `${number}`;
					const known = model.find((half) => half.source === source && half.id === id);
					const place = halves.find(a(source), keyOf(id));
					assert.equal(place >= 0, known !== undefined);
					if (what === "wait") {
						nowMs += number * 10;
						halves.expire(nowMs);
						model = model.filter(({ startedMs }) => startedMs + LIMITS.timeoutMs > nowMs);
					} else if (what === "release" && place >= 0) {
						halves.release(place);
						model = model.filter((half) => half !== known);
					} else if (what === "begin" && place < 0) {
						begin(halves, a(source), id, nowMs);
						const before = model;
						model = [...model, { source, id, startedMs: nowMs }];
						if (of(source).length > LIMITS.perSource) model = model.filter((half) => half !== of(source)[0]);
						else if (model.length > LIMITS.halves) {
							// It is the oldest of one of those that had most, the new one included; or the oldest of all.
							const most = Math.max(...model.map((half) => of(half.source).length));
							const gone = before.filter((half) => halves.find(a(half.source), keyOf(half.id)) < 0);
							assert.equal(gone.length, 1);
							const [one = assert.fail()] = gone;
							if (most <= fewOfSource) assert.equal(one, model[0]);
							else assert.equal(of(one.source).length, most);
							assert.equal(of(one.source)[0], one);
							model = model.filter((half) => half !== one);
						}
					}
					assert.equal(halves.count, model.length);
					for (const half of model) assert.ok(halves.find(a(half.source), keyOf(half.id)) >= 0);
					const deadline =
						model[0] === undefined ? Number.POSITIVE_INFINITY : model[0].startedMs + LIMITS.timeoutMs;
					assert.equal(halves.nextDeadlineMs(), deadline);
				}
			}),
			{ numRuns: 500 },
		);
	});

/** Sessions by their connection IDs, against a model; and what the other reactors are told of them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ConnectionIds } from "../../../src/reactor/datagrams/connection-ids.js";
import { NOBODY, SharedIds } from "../../../src/reactor/datagrams/shared-ids.js";
import { NONE, type Session } from "../../../src/reactor/table/numbers.js";
import { Random } from "../../../src/rig/random.js";

const SESSIONS = 16;
const REACTOR = 3;
/** As many as a session has at once. */
const IDS_EACH = 6;

function index(): { ids: ConnectionIds; shared: SharedIds } {
	// So large that no set of it is ever full: then what is said there would be missing, as it may be.
	const shared = new SharedIds(4_096 * SESSIONS);
	return { ids: new ConnectionIds(SESSIONS, shared, REACTOR), shared };
}

/** Somewhere in a datagram. */
const AT = 5;

function datagram(id: Uint8Array): Uint8Array {
	const bytes = new Uint8Array(AT + id.length + 30).fill(0xaa);
	bytes.set(id, AT);
	return bytes;
}

/** Few enough that they meet, and none begins as another. */
function someId(random: Random): Uint8Array {
	const length = random.between(4, 20);
	return new Uint8Array(length).fill(random.below(6) * 32 + length);
}

const wordsOf = (id: Uint8Array): string => [...id].join();

test("a session is known by the last six IDs that it had first, and by none when it is over", () => {
	for (let seed = 1; seed <= 40; seed++) {
		const random = new Random(seed);
		const { ids, shared } = index();
		const model = new Map<Session, string[]>();
		for (let step = 0; step < 400; step++) {
			const session = random.below(SESSIONS) as Session;
			const id = someId(random);
			const mine = model.get(session) ?? [];
			const isTaken = [...model.values()].some((each) => each.includes(wordsOf(id)));
			if (random.below(20) === 0) {
				ids.remove(session);
				model.delete(session);
			} else {
				if (random.below(2) === 0) ids.learn(session, datagram(id), AT, id.length);
				else ids.learnFromUpstream(session, datagram(id), AT, id.length);
				if (!isTaken) model.set(session, [...mine, wordsOf(id)].slice(-IDS_EACH));
			}
			const asked = someId(random);
			const bytes = datagram(asked);
			const owner = [...model].find(([, each]) => each.includes(wordsOf(asked)))?.[0] ?? NONE;
			const said = `seed ${seed}, step ${step}`;
			assert.equal(ids.find(bytes, AT, asked.length), owner, said);
			assert.equal(ids.findShort(bytes, AT, bytes.length), owner, said);
			assert.equal(ids.count, [...model.values()].flat().length, said);
			assert.equal(shared.find(bytes, AT, asked.length), owner === NONE ? NOBODY : REACTOR, said);
		}
		for (const session of model.keys()) ids.remove(session);
		assert.equal(ids.count, 0);
	}
});

test("IDs that are too short or too long to be of anybody are not learned", () => {
	const { ids, shared } = index();
	const bytes = datagram(new Uint8Array(255).fill(7));
	for (const length of [0, 1, 2, 3, 21, 255]) ids.learn(0 as Session, bytes, AT, length);
	for (const length of [0, 1, 3, 21, 255]) assert.equal(ids.find(bytes, AT, length), NONE);
	assert.deepEqual(
		[ids.count, ids.findShort(bytes, AT, bytes.length), shared.findShort(bytes, AT, bytes.length)],
		[0, NONE, NOBODY],
	);
});

test("of two IDs that begin alike the longer one is meant, and nothing behind a datagram's end is looked at", () => {
	const { ids } = index();
	const long = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
	ids.learn(0 as Session, long, 0, 5);
	ids.learn(1 as Session, long, 0, 8);
	assert.deepEqual(
		[8, 7, 5, 4, 0].map((end) => ids.findShort(long, 0, end)),
		[1, 0, 0, NONE, NONE],
	);
});

test("who shows an ID that he knows does not get it", () => {
	const { ids } = index();
	const id = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
	ids.learnFromUpstream(0 as Session, id, 0, 8);
	ids.learn(1 as Session, id, 0, 8);
	assert.equal(ids.find(id, 0, 8), 0);
	ids.remove(1 as Session);
	assert.equal(ids.find(id, 0, 8), 0);
	ids.remove(0 as Session);
	assert.deepEqual([ids.find(id, 0, 8), ids.upstreamBytes(0 as Session)], [NONE, 0]);
});

test("what was shown last is known without being looked up", () => {
	const { ids } = index();
	const [first, second] = [Uint8Array.of(1, 1, 1, 1), Uint8Array.of(2, 2, 2, 2)];
	const session = 2 as Session;
	assert.equal(ids.isLatest(session, first, 0, 4), false);
	ids.learn(session, first, 0, 4);
	ids.learn(session, second, 0, 4);
	assert.deepEqual([ids.isLatest(session, first, 0, 4), ids.isLatest(session, second, 0, 4)], [false, true]);
});

/** Peers that keep a session busy without ever saying anything: no call may go on for as long as they do. */
import assert from "node:assert/strict";
import { test } from "node:test";
import koffi from "koffi";
import { FAILED, WANT_READ, WANT_WRITE } from "../../src/kernel/openssl/tls.js";
import { AT, type End, World } from "./tls.js";

const library = koffi.load(null);
const updateKey = library.func("SSL_key_update", "int", ["uintptr_t", "int"]) as (
	session: number,
	kind: number,
) => number;
const NOT_REQUESTED = 0;
const REQUESTED = 1;

/** Records that say: from now on other keys. Returns how many the kernel took. */
function updateKeys(end: End, count: number): number {
	for (let sent = 0; sent < count; sent++) {
		assert.equal(updateKey(end.session, NOT_REQUESTED), 1);
		if (end.handshake() !== 0) return sent;
	}
	return count;
}

test("a flood of key updates ends the session instead of being followed to its end", (t) => {
	const world = new World(t);
	const { near, far } = world.connected(t, world.server(), world.client());
	assert.equal(far.read(), WANT_READ);
	const before = world.tls.taken(far.session);
	const sent = updateKeys(near, 20_000);
	far.wait();
	const result = far.read();
	assert.equal(sent, 20_000);
	assert.equal(result, FAILED);
	assert.equal(world.tls.lastReason(), "too many records without data");
	assert.ok(world.tls.taken(far.session) - before < 200_000);
});

test("a few of them are nothing special", (t) => {
	const world = new World(t);
	const { near, far } = world.connected(t, world.server(), world.client());
	for (let round = 0; round < 500; round++) {
		assert.equal(updateKeys(near, 3), 3);
		near.say("after them");
		far.wait();
		assert.equal(far.text(far.read()), "after them");
	}
	assert.equal(far.read(), WANT_READ);
});

test("who wants new keys again and again while it takes nothing gets all that waits for it", (t) => {
	const world = new World(t);
	const { tls } = world;
	const { near, far } = world.connected(t, world.server(), world.client());
	const length = 16_384;
	let sent = 0;
	const send = (): number => {
		const count = tls.write(far.session, AT, length);
		if (count > 0) sent += count;
		return count;
	};
	let count = send();
	while (count > 0) count = send();
	assert.equal(count, WANT_WRITE);
	for (let asked = 0; asked < 3; asked++) {
		assert.equal(updateKey(near.session, REQUESTED), 1);
		assert.equal(near.handshake(), 0);
		far.wait();
		assert.ok([WANT_READ, WANT_WRITE].includes(far.read()), tls.lastReason());
	}
	near.say("still here");
	let taken = 0;
	let isSent = false;
	while (!isSent || taken < sent) {
		near.wait();
		for (let got = near.read(); got > 0; got = near.read()) taken += got;
		isSent ||= send() > 0;
	}
	assert.equal(taken, sent);
	assert.equal(far.text(far.read()), "still here");
});

test("who has ended its direction still reads what comes from a peer that wants new keys", async (t) => {
	const world = new World(t);
	const { near, far } = world.connected(t, world.server(), world.client());
	assert.equal(far.shutdown(), 0);
	world.kernel.shutdownWrite(far.fd);
	for (let asked = 0; asked < 2; asked++) {
		assert.equal(updateKey(near.session, REQUESTED), 1);
		assert.equal(near.handshake(), 0);
	}
	near.say("the rest");
	assert.equal(await far.hear(), "the rest");
});

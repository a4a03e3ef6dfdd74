import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { ECONNRESET, EPIPE } from "../../src/kernel/constants.js";
import * as ssl from "../../src/kernel/openssl/library.js";
import { FAILED, TRUNCATED, WANT_READ, WANT_WRITE } from "../../src/kernel/openssl/tls.js";
import { issue } from "../../src/rig/issue.js";
import { countDescriptors } from "../../src/rig/proc.js";
import { AT, isWaiting, settled, shake, World } from "./tls.js";
import { type Tamper, Wire } from "./wire.js";

const END = 0;

test("each direction ends by itself: after our end we still read, after the peer's we still write", (t) => {
	const world = new World(t);
	const { near, far } = world.connected(t, world.server(), world.client());
	near.drain();
	near.say("last question");
	assert.equal(near.shutdown(), 0);
	assert.equal(far.text(far.read()), "last question");
	assert.equal(far.read(), END);
	assert.equal(far.read(), END, "it stays ended");
	assert.equal(far.peek(), END);
	far.say("last answer");
	assert.equal(near.text(near.read()), "last answer");
	assert.equal(far.shutdown(), 0);
	assert.equal(near.read(), END);
});

test("Node's client ends, hears the rest, and then our end", async (t) => {
	const world = new World(t);
	const { socket, far } = await world.nodeClient(t, world.server());
	const heard: string[] = [];
	socket.on("data", (chunk: Buffer) => heard.push(String(chunk)));
	const ended = once(socket, "end");
	assert.equal(await settled(() => far.handshake()), 0);
	socket.end("question");
	assert.equal(await far.hear(), "question");
	assert.equal(await settled(() => far.read()), END);
	far.say("answer");
	assert.equal(far.shutdown(), 0);
	await ended;
	assert.deepEqual(heard, ["answer"]);
});

test("Node's server sees our end as an end, not as a cut", async (t) => {
	const world = new World(t);
	const { near, accepted, errors } = await world.nodeServer(world.client());
	assert.equal(await settled(() => near.handshake()), 0);
	const socket = await accepted;
	const ended = once(socket.resume(), "end");
	assert.equal(near.shutdown(), 0);
	await ended;
	assert.equal(await settled(() => near.drain()), END);
	assert.deepEqual(errors, []);
});

test("a connection that ends without close_notify is a stream that was cut", (t) => {
	const world = new World(t);
	const { near, far } = world.connected(t, world.server(), world.client());
	near.say("and then");
	world.kernel.shutdownWrite(near.fd);
	assert.equal(far.text(far.read()), "and then");
	assert.equal(far.peek(), TRUNCATED);
	assert.equal(far.read(), TRUNCATED);
});

test("a record that was cut is not half delivered", (t) => {
	const world = new World(t);
	const wire = new Wire(t, world, world.server(), world.client());
	wire.shake();
	wire.near.say("secret");
	assert.equal(wire.carry(12), 12);
	wire.end();
	assert.equal(wire.far.read(), TRUNCATED);
});

test("a client that leaves amid its hello is no failure of the protocol", (t) => {
	const world = new World(t);
	const server = world.server();
	const client = world.client();
	const complete = new Wire(t, world, server, client);
	complete.near.handshake();
	const total = complete.carry();
	assert.ok(total > 200);
	for (let length = 0; length < total; length += 23) {
		const wire = new Wire(t, world, server, client);
		assert.equal(wire.near.handshake(), WANT_READ);
		if (length > 0) assert.equal(wire.carry(length), length);
		wire.end();
		assert.equal(wire.far.handshake(), TRUNCATED, `after ${length} bytes`);
		wire.close();
	}
});

test("a reset is an errno, and so is writing after it", (t) => {
	const world = new World(t);
	const { near, far } = world.connected(t, world.server(), world.client());
	world.kernel.reset(near.release());
	assert.equal(far.read(), -ECONNRESET);
	assert.equal(world.tls.write(far.session, AT, 10), -EPIPE);
});

test("writing to a peer that ended and then left is an errno, too, and not an end", (t) => {
	const world = new World(t);
	const { near, far } = world.connected(t, world.server(), world.client());
	near.drain();
	near.shutdown();
	assert.equal(far.read(), END);
	world.kernel.reset(near.release());
	assert.ok([-ECONNRESET, -EPIPE].includes(world.tls.write(far.session, AT, 10)));
	assert.ok([-ECONNRESET, -EPIPE].includes(world.tls.shutdown(far.session)));
});

test("an end that finds no room waits for it, like a write", (t) => {
	const world = new World(t);
	const { near, far } = world.connected(t, world.server(), world.client());
	let result = 0;
	while (!isWaiting(result)) result = world.tls.write(near.session, AT, 16_384);
	while (far.drain() === WANT_READ && isWaiting(world.tls.write(near.session, AT, 16_384)));
	// The queue is filled to the brim beside the session, so that not even an alert fits.
	for (const bytes of [16_384, 1]) while (world.kernel.send(near.fd, AT, bytes) > 0);
	assert.equal(near.shutdown(), WANT_WRITE);
});

test("bytes that are no records fail with a reason", (t) => {
	const world = new World(t);
	const { near, far } = world.connected(t, world.server(), world.client());
	world.kernel.memory.set(Buffer.from("hello, this is no TLS"), AT);
	world.kernel.send(near.fd, AT, 21);
	assert.equal(far.read(), FAILED);
	assert.match(world.tls.lastReason(), /^(wrong version number|packet length too long|bad record type)$/);
});

test("a changed byte in a record is found, and the peer hears of it", (t) => {
	const world = new World(t);
	const wire = new Wire(t, world, world.server(), world.client());
	wire.shake();
	wire.near.drain();
	wire.near.say("hello");
	const [before] = wire.carried;
	wire.carry(undefined, (byte, position) => (position === before + 8 ? byte ^ 1 : byte));
	assert.equal(wire.far.read(), FAILED);
	assert.equal(world.tls.lastReason(), "decryption failed or bad record mac");
	wire.carry();
	assert.equal(wire.near.read(), FAILED);
	assert.match(world.tls.lastReason(), /alert bad record mac$/);
});

test("whatever byte of a handshake is changed, the other sessions do not notice", (t) => {
	const world = new World(t);
	const server = world.server();
	const client = world.client();
	const innocent = world.connected(t, server, client);
	innocent.near.drain();
	const untouched = new Wire(t, world, server, client);
	untouched.shake();
	const outcomes = new Map<number, number>();
	for (const [direction, total] of untouched.carried.entries()) {
		for (let victim = 0; victim < total; victim += 3) {
			const wire = new Wire(t, world, server, client);
			const tamper: Tamper = (byte, position) => (position === victim ? byte ^ 0xff : byte);
			const results =
				direction === 0 ? wire.shake(undefined, tamper) : wire.shake(undefined, undefined, tamper);
			for (const result of results) outcomes.set(result, (outcomes.get(result) ?? 0) + 1);
			assert.ok(
				results.every((result) => [0, WANT_READ, FAILED].includes(result)),
				`byte ${victim}: ${results}`,
			);
			assert.equal(innocent.far.read(), WANT_READ, `byte ${victim} of direction ${direction}`);
			assert.equal(innocent.near.peek(), WANT_READ);
			innocent.near.say("still here");
			assert.equal(innocent.far.text(innocent.far.read()), "still here");
			wire.close();
		}
	}
	assert.ok((outcomes.get(FAILED) ?? 0) > 100, `few have failed: ${[...outcomes].join(" ")}`);
});

test("an error that somebody else left in the queue does not end a session that merely waits", (t) => {
	const world = new World(t);
	const { near, far } = world.connected(t, world.server(), world.client());
	near.drain();
	const calls = [() => far.read(), () => far.peek(), () => near.read()];
	for (const call of calls) {
		leaveAnError();
		assert.equal(call(), WANT_READ);
		assert.equal(ssl.peekError(), 0);
	}
	const handshake = world.pair(t, world.server(), world.client());
	leaveAnError();
	assert.equal(handshake.far.handshake(), WANT_READ);
	leaveAnError();
	assert.equal(handshake.near.handshake(), WANT_READ);
	leaveAnError();
	assert.equal(near.shutdown(), 0);
});

function leaveAnError(): void {
	const buffer = ssl.newBuffer(ssl.memoryBuffer());
	ssl.readCertificate(buffer, 0, 0, 0);
	ssl.freeBuffer(buffer);
	assert.notEqual(ssl.peekError(), 0);
}

test("after each kind of end the error queue is empty", (t) => {
	const world = new World(t);
	const server = world.server();
	const stranger = world.client({ ca: issue({ commonName: "other" }).cert });
	for (const client of [world.client(), stranger]) {
		const { near, far } = world.pair(t, server, client);
		shake(near, far);
		assert.equal(ssl.peekError(), 0);
		near.close();
		far.read();
		assert.equal(ssl.peekError(), 0);
		far.shutdown();
		far.close();
		assert.equal(ssl.peekError(), 0);
	}
});

test("freeing leaves the descriptor open; freeing what is not open is an error", (t) => {
	const world = new World(t);
	const { near, far } = world.link(t);
	const session = world.tls.open(world.server(), far);
	assert.equal(world.tls.live, 1);
	world.tls.free(session);
	assert.equal(world.tls.live, 0);
	assert.throws(() => world.tls.free(session), /not open/);
	for (const fd of [near, far]) assert.equal(world.kernel.close(fd), 0);
});

test("thousands of sessions, ended in every way, leave nothing behind", (t) => {
	const world = new World(t);
	const server = world.server();
	const client = world.client();
	const stranger = world.client({ ca: issue({ commonName: "other" }).cert });
	const some = (count: number): void => {
		for (let i = 0; i < count; i++) {
			const { near, far } = world.pair(t, server, i % 4 === 0 ? stranger : client);
			if (i % 4 !== 1) shake(near, far);
			else near.handshake();
			if (i % 4 === 2) {
				near.shutdown();
				far.drain();
				far.shutdown();
			}
			near.close();
			if (i % 3 === 0) far.drain();
			far.close();
		}
	};
	some(200);
	const descriptors = countDescriptors([process.pid]);
	const before = process.memoryUsage.rss();
	some(2000);
	assert.equal(world.tls.live, 0);
	assert.equal(server.sessions + client.sessions + stranger.sessions, 0);
	assert.equal(countDescriptors([process.pid]), descriptors);
	const grown = process.memoryUsage.rss() - before;
	assert.ok(grown < 2000 * 4096, `${grown} bytes more than before`);
});

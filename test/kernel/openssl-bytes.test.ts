import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { test } from "node:test";
import { EAGAIN, SOL_SOCKET } from "../../src/kernel/constants.js";
import { FAILED, WANT_READ, WANT_WRITE } from "../../src/kernel/openssl/tls.js";
import { Random } from "../../src/rig/random.js";
import { PATIENCE_MS } from "../support/waiting.js";
import { AT, type End, isWaiting, settled, World } from "./tls.js";
import { Wire } from "./wire.js";

const SO_SNDBUF = 7;
const MIB = 1 << 20;
/** The largest record, RFC 8446, section 5.1. */
const RECORD_BYTES = 16_384;

/** A stream on its way out of one end: repeats what the session wants repeated, from another place each time. */
class Sender {
	readonly #world: World;
	readonly #end: End;
	readonly #bytes: Uint8Array;
	#sent = 0;
	/** What a write that has to be repeated began with. */
	#atLeast = 1;
	#turn = 0;
	blocked = 0;

	constructor(world: World, end: End, bytes: Uint8Array) {
		this.#world = world;
		this.#end = end;
		this.#bytes = bytes;
	}

	get done(): boolean {
		return this.#sent === this.#bytes.length;
	}

	step(random: Random): boolean {
		if (this.done) return false;
		const left = this.#bytes.length - this.#sent;
		const length = Math.min(left, Math.max(this.#atLeast, Math.ceil(random.fraction() * 40_000)));
		this.#turn = (this.#turn + 1) % 3;
		const at = AT + this.#turn * 48 * 1024 + this.#turn;
		this.#world.kernel.memory.set(this.#bytes.subarray(this.#sent, this.#sent + length), at);
		const count = this.#world.tls.write(this.#end.session, at, length);
		if (count === WANT_WRITE) {
			this.#atLeast = length;
			this.blocked++;
			return false;
		}
		assert.ok(count > 0 && count <= length, `write: ${count}`);
		this.#sent += count;
		this.#atLeast = 1;
		return true;
	}
}

class Receiver {
	readonly #world: World;
	readonly #end: End;
	readonly #hash = createHash("sha256");
	received = 0;

	constructor(world: World, end: End) {
		this.#world = world;
		this.#end = end;
	}

	step(random: Random): boolean {
		const length = Math.ceil(random.fraction() * 20_000);
		const count = this.#end.read(length);
		if (count === WANT_READ) return false;
		assert.ok(count > 0 && count <= Math.min(length, RECORD_BYTES), `read: ${count}`);
		this.#hash.update(this.#world.kernel.memory.subarray(AT, AT + count));
		this.received += count;
		return true;
	}

	digest(): string {
		return this.#hash.digest("hex");
	}
}

function hashOf(bytes: Uint8Array): string {
	return createHash("sha256").update(bytes).digest("hex");
}

for (const seed of [1, 2, 3, 4]) {
	test(`1 MiB each way at once through tiny send buffers, in any order of steps (seed ${seed})`, (t) => {
		const world = new World(t);
		const { near, far } = world.connected(t, world.server(), world.client());
		// A receive window that small would be opened by the kernel's timers only.
		for (const { fd } of [near, far]) world.kernel.setOption(fd, SOL_SOCKET, SO_SNDBUF, 4_608);
		const random = new Random(seed);
		const there = randomBytes(MIB);
		const back = randomBytes(MIB);
		const senders = [new Sender(world, near, there), new Sender(world, far, back)] as const;
		const receivers = [new Receiver(world, far), new Receiver(world, near)] as const;
		const all = [...senders, ...receivers];
		const giveUpAtMs = performance.now() + PATIENCE_MS;
		while (receivers.some(({ received }) => received < MIB)) {
			const one = all[random.below(all.length)];
			if (one?.step(random) !== true)
				assert.ok(performance.now() < giveUpAtMs, `${receivers.map(({ received }) => received)} of ${MIB}`);
		}
		assert.ok(senders.every(({ done }) => done));
		assert.ok(
			senders.some(({ blocked }) => blocked > 0),
			"the buffers were too large to test anything",
		);
		assert.deepEqual(
			receivers.map((receiver) => receiver.digest()),
			[hashOf(there), hashOf(back)],
		);
	});
}

test("1 MiB each way with Node's client, byte by byte the same", async (t) => {
	const world = new World(t);
	const { socket, far } = await world.nodeClient(t, world.server());
	const there = randomBytes(MIB);
	const back = randomBytes(MIB);
	const heard = createHash("sha256");
	let bytes = 0;
	socket.on("data", (chunk: Buffer) => {
		heard.update(chunk);
		bytes += chunk.length;
	});
	socket.write(there);
	assert.equal(await settled(() => far.handshake()), 0);
	const random = new Random(1);
	const sender = new Sender(world, far, back);
	const receiver = new Receiver(world, far);
	await settled(() => {
		while (receiver.step(random) || sender.step(random));
		return receiver.received === MIB && bytes === MIB ? 0 : WANT_READ;
	});
	assert.equal(receiver.digest(), hashOf(there));
	assert.equal(heard.digest("hex"), hashOf(back));
});

for (const length of [1, 7, 1000]) {
	test(`a handshake that comes ${length} byte${length === 1 ? "" : "s"} at a time succeeds`, (t) => {
		const world = new World(t);
		const wire = new Wire(t, world, world.server(), world.client());
		assert.deepEqual(wire.shake(length), [0, 0]);
	});
}

test("bytes that came along with the end of the handshake are there, whoever holds them", (t) => {
	const world = new World(t);
	const wire = new Wire(t, world, world.server(), world.client());
	assert.equal(wire.near.handshake(), WANT_READ);
	wire.carry();
	assert.equal(wire.far.handshake(), WANT_READ);
	wire.carry();
	assert.equal(wire.near.handshake(), 0);
	wire.near.say("early bird");
	wire.carry();
	assert.equal(wire.far.handshake(), 0);
	// OpenSSL 3.0 has read them with the last record of the handshake, and the descriptor shows nothing; 3.5 leaves them.
	const record = world.kernel.peek(wire.far.fd, AT, 100);
	assert.ok(record === -EAGAIN || record > 0, String(record));
	assert.equal(wire.far.text(wire.far.peek()), "early bird");
	assert.equal(wire.far.text(wire.far.read()), "early bird");
});

test("half a record waits for the other half", (t) => {
	const world = new World(t);
	const wire = new Wire(t, world, world.server(), world.client());
	assert.deepEqual(wire.shake(), [0, 0]);
	wire.near.say("hello");
	assert.equal(wire.carry(10), 10);
	assert.equal(wire.far.peek(), WANT_READ);
	assert.equal(wire.far.read(), WANT_READ);
	assert.equal(world.tls.pending(wire.far.session), 0);
	wire.carry();
	assert.equal(wire.far.peek(), 5);
	assert.equal(world.tls.pending(wire.far.session), 5);
	assert.equal(wire.far.read(), 5);
});

test("peek leaves what it shows; it shows the first record only, and read takes one at a time", (t) => {
	const world = new World(t);
	const { near, far } = world.connected(t, world.server(), world.client());
	assert.equal(far.peek(), WANT_READ);
	near.say("GET / HT");
	near.say("TP/1.1\r\n");
	far.wait();
	for (let again = 0; again < 3; again++) assert.equal(far.text(far.peek()), "GET / HT");
	assert.equal(far.text(far.peek(3)), "GET");
	assert.equal(far.text(far.read(4)), "GET ");
	assert.equal(far.text(far.peek()), "/ HT");
	assert.equal(far.text(far.read()), "/ HT");
	assert.equal(far.text(far.read()), "TP/1.1\r\n");
	assert.equal(far.read(), WANT_READ);
});

test("calls write into their piece of the arena and nowhere else", (t) => {
	const world = new World(t);
	const { near, far } = world.connected(t, world.server(), world.client());
	near.say("x".repeat(100));
	far.wait();
	const { memory } = world.kernel;
	for (const call of [() => far.peek(64), () => far.read(64)]) {
		memory.fill(0xee);
		assert.equal(call(), 64);
		assert.equal(far.text(64), "x".repeat(64));
		assert.deepEqual([memory[AT - 1], memory[AT + 64]], [0xee, 0xee]);
	}
	assert.equal(far.read(), 36);
});

test("a write that was to be repeated and is shorter instead fails, and nothing is sent twice", (t) => {
	const world = new World(t);
	const { near, far } = world.connected(t, world.server(), world.client());
	let result = 0;
	while (!isWaiting(result)) result = world.tls.write(near.session, AT, RECORD_BYTES);
	assert.equal(result, WANT_WRITE);
	assert.equal(world.tls.write(near.session, AT, 10), FAILED);
	assert.equal(world.tls.lastReason(), "bad length");
	assert.equal(far.drain(), WANT_READ);
});

test("both ends may read while their writes wait", (t) => {
	const world = new World(t);
	const { near, far } = world.connected(t, world.server(), world.client());
	for (const end of [near, far]) while (world.tls.write(end.session, AT, RECORD_BYTES) > 0);
	assert.equal(near.drain(), WANT_READ);
	assert.equal(far.drain(), WANT_READ);
	assert.equal(world.tls.write(near.session, AT, RECORD_BYTES), RECORD_BYTES);
});

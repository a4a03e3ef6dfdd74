/**
 * Bytes through TLS in records, pieces and pauses of all sizes, both ways at once: every byte arrives, and every end.
 * `SLUICE_SEED` repeats a run, `SLUICE_RUNS` makes it longer.
 */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { EAGAIN } from "../../src/kernel/constants.js";
import { controlContext } from "../../src/kernel/openssl/library.js";
import { NONE } from "../../src/parts/none.js";
import { Random } from "../../src/rig/random.js";
import { PATIENCE_MS } from "../support/waiting.js";
import { reasonOf } from "./harness.js";
import { type Peer, Secured } from "./tls-peers.js";

const RUNS = Number(process.env["SLUICE_RUNS"] ?? 24);
const FIRST_SEED = Number(process.env["SLUICE_SEED"] ?? 1);

const CONTROL_MAX_VERSION = 124;
const TLS_1_2 = 0x0303;

/** One end of a session: what it says and has heard, by numbers that are as random as they are known. */
abstract class Side {
	readonly total: number;
	said = 0;
	heard = 0;
	ended = false;
	hasEnded = false;
	readonly #random: Random;
	readonly #seed: number;
	readonly #theirs: number;

	constructor(random: Random, seed: number, theirs: number) {
		this.#random = random;
		this.#seed = seed;
		this.#theirs = theirs;
		this.total = Math.floor(random.chance(0.3) ? random.fraction() * 100 : random.fraction() * 300_000);
	}

	/** Up to so many of the next bytes. */
	protected next(most: number): Uint8Array {
		const length = Math.min(most, this.total - this.said);
		return Uint8Array.from({ length }, (_, i) => byteAt(this.#seed, this.said + i));
	}

	protected take(bytes: Uint8Array): void {
		for (const [i, byte] of bytes.entries())
			if (byte !== byteAt(this.#theirs, this.heard + i)) assert.fail(`byte ${this.heard + i} is another`);
		this.heard += bytes.length;
	}

	step(): void {
		const random = this.#random;
		if (random.chance(0.5)) this.speak(random);
		if (random.chance(0.5)) this.listen(random);
	}

	protected abstract speak(random: Random): void;
	protected abstract listen(random: Random): void;
}

function byteAt(seed: number, position: number): number {
	return (Math.imul(position ^ seed, 0x9e3779b1) >>> 13) & 0xff;
}

class PlainSide extends Side {
	readonly #secured: Secured;
	readonly #fd: number;

	constructor(secured: Secured, fd: number, random: Random, seed: number, theirs: number) {
		super(random, seed, theirs);
		this.#secured = secured;
		this.#fd = fd;
	}

	protected override speak(random: Random): void {
		const { outside } = this.#secured.harness;
		if (this.hasEnded) return;
		if (this.said === this.total) {
			outside.shutdownWrite(this.#fd);
			this.hasEnded = true;
			return;
		}
		const bytes = this.next(sizeOf(random));
		outside.memory.set(bytes, 0);
		const count = outside.send(this.#fd, 0, bytes.length);
		if (count > 0) this.said += count;
	}

	protected override listen(random: Random): void {
		const { outside } = this.#secured.harness;
		const count = outside.receive(this.#fd, 0, sizeOf(random));
		if (count === 0) this.ended = true;
		else if (count > 0) this.take(outside.memory.subarray(0, count));
		else assert.equal(count, -EAGAIN);
	}
}

class SecureSide extends Side {
	readonly #peer: Peer;
	/** No FIN follows its close_notify before ours has come. */
	readonly #waits: boolean;
	/** TLS 1.3: keys may be changed at any time. */
	readonly #updates: boolean;
	#saidGoodbye = false;

	constructor(peer: Peer, updates: boolean, random: Random, seed: number, theirs: number) {
		super(random, seed, theirs);
		this.#updates = updates;
		this.#peer = peer;
		this.#waits = random.chance(0.5);
	}

	protected override speak(random: Random): void {
		const peer = this.#peer;
		if (this.said < this.total && peer.waiting < 50_000) {
			if (this.#updates && random.chance(0.05)) peer.updateKey(random.chance(0.5));
			const bytes = this.next(Math.min(16_384, sizeOf(random)));
			peer.say(bytes);
			this.said += bytes.length;
		} else if (this.said === this.total && !this.#saidGoodbye) {
			peer.sayGoodbye();
			this.#saidGoodbye = true;
		}
		peer.push(sizeOf(random));
		if (!this.#saidGoodbye || this.hasEnded || peer.waiting > 0) return;
		if (this.#waits && !this.ended) return;
		peer.end();
		this.hasEnded = true;
	}

	protected override listen(random: Random): void {
		this.#peer.pull(sizeOf(random));
		const heard = this.#peer.hear(sizeOf(random));
		if (typeof heard === "string") this.take(Buffer.from(heard, "latin1"));
		else if (heard === 0) this.ended = true;
		else assert.ok(heard === -10_001 || heard === -10_002, `read: ${heard}`);
	}
}

/** Single bytes, small pieces, and as much as there may be. */
function sizeOf(random: Random): number {
	const kind = random.fraction();
	if (kind < 0.1) return 1;
	if (kind < 0.5) return random.between(1, 600);
	return random.between(1, 32_768);
}

function run(t: TestContext, seed: number): void {
	const random = new Random(seed);
	const throughTls = random.chance(0.8);
	const upstreamTls = !throughTls || random.chance(0.6);
	const secured = new Secured(t, {
		...(throughTls ? {} : { entries: [] }),
		...(upstreamTls ? { upstreamTls: {} } : {}),
	});
	const { harness } = secured;
	const { chunks } = harness.reactor.core;
	const clientContext = secured.clientContext();
	const serverContext = secured.serverContext();
	const isOld = random.chance(0.3);
	if (isOld)
		for (const { pointer } of [clientContext, serverContext])
			controlContext(pointer, CONTROL_MAX_VERSION, TLS_1_2, 0);
	const fd = harness.client();
	let client: Side;
	if (throughTls) {
		const peer = secured.peer(clientContext, fd);
		peer.shake();
		client = new SecureSide(peer, !isOld, random, seed, ~seed);
	} else client = new PlainSide(secured, fd, random, seed, ~seed);
	const upstreamFd = secured.accept();
	let upstream: Side;
	if (upstreamTls) {
		const peer = secured.peer(serverContext, upstreamFd);
		peer.shake();
		upstream = new SecureSide(peer, !isOld, random, ~seed, seed);
	} else upstream = new PlainSide(secured, upstreamFd, random, ~seed, seed);
	const taken: number[] = [];
	const takeSome = (): void => {
		for (let chunk = chunks.take(); chunk !== NONE; chunk = chunks.take()) taken.push(chunk);
	};
	const giveSome = (): void => {
		for (const chunk of taken.splice(0)) chunks.give(chunk);
	};
	t.after(giveSome);
	const runsOut = random.chance(0.5);
	const isDone = (): boolean =>
		client.heard === upstream.total && upstream.heard === client.total && client.ended && upstream.ended;
	const giveUpAtMs = performance.now() + PATIENCE_MS;
	const where = (): string =>
		`${throughTls ? "TLS" : "plain"} to ${upstreamTls ? "TLS" : "plain"}: ` +
		`the client has heard ${client.heard} of ${upstream.total} (${client.ended}), ` +
		`the upstream ${upstream.heard} of ${client.total} (${upstream.ended}), ` +
		`${JSON.stringify(harness.records().map(reasonOf))}`;
	const step = (side: Side): void => {
		try {
			side.step();
		} catch (error) {
			throw new Error(`${side === client ? "client" : "upstream"}, ${where()}`, { cause: error });
		}
	};
	while (!isDone()) {
		if (performance.now() > giveUpAtMs) assert.fail(where());
		if (runsOut && random.chance(0.02)) takeSome();
		if (random.chance(0.02)) giveSome();
		if (random.chance(0.7)) step(client);
		if (random.chance(0.7)) step(upstream);
		// Two kinds of pause: none of the peers' for a while, and none of the reactor's.
		if (random.chance(0.5)) harness.turn();
		else if (random.chance(0.02)) for (let i = 0; i < 30; i++) step(client);
		else if (random.chance(0.03)) for (let i = 0; i < 30; i++) harness.turn();
	}
	giveSome();
	harness.turnUntil(() => {
		step(client);
		step(upstream);
		return harness.live === 0;
	}, "the end of the session");
	assert.equal(chunks.lent, 0);
	assert.equal(harness.reactor.core.tls.live, 0);
}

for (let seed = FIRST_SEED; seed < FIRST_SEED + RUNS; seed++) test(`seed ${seed}`, (t) => run(t, seed));

/**
 * Frames on an agent's lines, cut anywhere, read and taken as slowly as it comes, with chunks and without: each datagram arrives whole, in
 * its order, or is counted as dropped. `SLUICE_SEED` repeats a run, `SLUICE_RUNS` makes it longer.
 */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { openDatagramListener } from "../../src/kernel/datagram-sockets.js";
import {
	DATAGRAM_PLACE_BYTES,
	type Datagrams,
	EMPTY_PLACE,
	SENDER_BYTES,
	SENDER_PLACES,
} from "../../src/kernel/datagrams.js";
import { encodeInternet, portAt } from "../../src/kernel/sockaddr.js";
import { NONE } from "../../src/parts/none.js";
import { writeProxyV2 } from "../../src/protocol/index.js";
import { V2_DATAGRAM } from "../../src/protocol/proxy-protocol.js";
import type { ListenerPlan } from "../../src/reactor/plan/plan.js";
import { DATAGRAM_DROPS, type DatagramDrop, dropIndex } from "../../src/reactor/records/datagram-drops.js";
import { Random } from "../../src/rig/random.js";
import { datagram, frame, missingOf, takeFrames } from "./frames.js";
import { Harness } from "./harness.js";

const RUNS = Number(process.env["SLUICE_RUNS"] ?? 6);
const FIRST_SEED = Number(process.env["SLUICE_SEED"] ?? 1);
const STEPS = 400;
/** Far more than it takes to pass all that has been said. */
const TURNS_MAX = 200_000;
const LINES = 3;

const LOOPBACK = Uint8Array.of(127, 0, 0, 1);
const TICKET = { ticket: new Uint8Array(16), key: new Uint8Array(32) };
const GREETING_BYTES = 20;
const PROOF_BYTES = 32;
const LENGTHS = [0, 1, 2, 50, 200, 1_200, 1_200, 1_200, 9_000, 32_766];
/** What the service says may be too long for a frame. */
const ANSWERS = [...LENGTHS, 40_000];

function header(): Buffer {
	const bytes = Buffer.alloc(64);
	const none = new Uint8Array(0);
	return bytes.subarray(0, writeProxyV2(bytes, 0, 4, LOOPBACK, 1, LOOPBACK, 2, none, 0, 0, V2_DATAGRAM));
}

/** One line, seen from its gateway. */
class GatewayEnd {
	readonly fd: number;
	/** Bytes that are still to be written. */
	unsent = Buffer.alloc(0);
	unread = Buffer.alloc(0);
	/** Datagrams that went as frames, and those that came. */
	readonly said: Buffer[] = [];
	readonly heard: Buffer[] = [];
	/** What the service has had of this session, by the port that it comes from. */
	port = 0;
	/** What the service said to it. */
	readonly answers: Buffer[] = [];

	constructor(fd: number) {
		this.fd = fd;
	}
}

class Run {
	readonly random: Random;
	readonly #harness: Harness;
	readonly #io: Datagrams;
	readonly #service: { readonly fd: number; readonly port: number };
	readonly #ends: GatewayEnd[] = [];
	/** By the port that the agent's socket has. */
	readonly #byPort = new Map<number, Buffer[]>();
	/** Chunks that the test has taken. */
	readonly #taken: number[] = [];

	constructor(t: TestContext, seed: number) {
		this.random = new Random(seed);
		this.#harness = new Harness(t, { sessions: 12, routes: [{}] });
		const { outside } = this.#harness;
		this.#io = outside.openDatagrams();
		const { fds, port } = openDatagramListener(
			{ address: LOOPBACK, port: 0, bindsAny: false, receiveBytes: 1 << 22 },
			1,
		);
		this.#service = { fd: this.#harness.adopt(fds[0] ?? NONE), port };
		this.#plan();
		this.#park();
	}

	#plan(): void {
		const { plan } = this.#harness;
		const [listener] = plan.listeners as [ListenerPlan];
		const datagrams = { unknownVersions: "reject", bindsAny: false } as const;
		const sockaddr = encodeInternet(LOOPBACK, this.#service.port);
		this.#harness.carryOut({
			kind: "plan",
			plan: {
				...{ ...plan, revision: 2, halfHellos: 8 },
				listeners: [listener, { ...listener, slot: 1, fd: -1, datagrams }],
				upstreams: plan.upstreams.map((each) => ({
					...{ ...each, responses: 0, addresses: [{ board: 0, hash: 0, sockaddr }] },
				})),
			},
		});
	}

	/** Lines are opened, proved and taken by a visitor each. */
	#park(): void {
		const harness = this.#harness;
		const gateway = harness.upstream();
		const options = {
			...{ keepaliveIdleSeconds: 15, keepaliveIntervalSeconds: 10, keepaliveProbes: 3 },
			userTimeoutMs: 45_000,
		};
		const lines = Array.from({ length: LINES }, (_, number) => ({ number, ...TICKET }));
		const at = { sockaddr: encodeInternet(LOOPBACK, gateway.port), options, tls: null };
		harness.command({ kind: "openLines", listener: 1, gateway: at, lines });
		for (let line = 0; line < LINES; line++) {
			const fd = harness.accepted(gateway.fd, "a line");
			this.#takeExactly(fd, GREETING_BYTES);
			harness.send(fd, "n".repeat(16));
			this.#takeExactly(fd, PROOF_BYTES);
			harness.send(fd, "\x01");
			const end = new GatewayEnd(fd);
			end.unsent = Buffer.concat([header()]);
			this.#ends.push(end);
		}
	}

	#takeExactly(fd: number, wanted: number): void {
		let had = 0;
		this.#harness.turnUntil(() => {
			const got = this.#harness.receive(fd, wanted - had);
			if (typeof got === "string") had += got.length;
			return had === wanted;
		}, `${wanted} bytes of a line`);
	}

	step(): void {
		const { random } = this;
		for (const end of this.#ends) {
			if (random.chance(0.4)) this.#say(end);
			if (random.chance(0.7)) this.#write(end);
			if (random.chance(0.3)) this.#read(end);
		}
		this.#serve();
		if (random.chance(0.05)) this.#takeChunks();
		if (random.chance(0.1)) this.#giveChunks();
		this.#harness.turn();
	}

	#say(end: GatewayEnd): void {
		for (let count = this.random.between(1, 6); count > 0; count--) {
			const bytes = datagram(end.said.length, this.random.pick(LENGTHS));
			end.said.push(bytes);
			end.unsent = Buffer.concat([end.unsent, frame(bytes)]);
		}
	}

	/** A piece of any length: a frame's first byte, or many frames. */
	#write(end: GatewayEnd, most = this.random.pick([1, 3, 500, 5_000, 60_000])): void {
		const { outside } = this.#harness;
		const piece = end.unsent.subarray(0, Math.min(most, outside.memory.length));
		if (piece.length === 0) return;
		outside.memory.set(piece, 0);
		const sent = outside.send(end.fd, 0, piece.length);
		if (sent > 0) end.unsent = end.unsent.subarray(sent);
	}

	#read(end: GatewayEnd): void {
		const { outside } = this.#harness;
		const count = outside.receive(end.fd, 0, this.random.pick([100, 4_000, 60_000]));
		if (count <= 0) return;
		end.unread = takeFrames(Buffer.concat([end.unread, outside.memory.subarray(0, count)]), end.heard);
	}

	/** The service takes what has come, and says something of its own, mostly little. */
	#serve(speaks = true): number {
		const io = this.#io;
		let came = 0;
		for (;;) {
			const count = io.receive(this.#service.fd, 0, SENDER_PLACES);
			if (count <= 0) break;
			came += count;
			for (let place = 0; place < count; place++) {
				const port = portAt(io.senders, place * SENDER_BYTES);
				const had = this.#byPort.get(port) ?? [];
				this.#byPort.set(port, had);
				const start = place * DATAGRAM_PLACE_BYTES;
				const whole = io.memory.subarray(start, start + io.lengthOf(place));
				const segment = Math.max(1, io.segmentOf(place));
				for (let at = 0; at < whole.length || at === 0; at += segment)
					had.push(Buffer.from(whole.subarray(at, at + segment)));
			}
		}
		if (speaks && this.random.chance(0.4)) this.#answer();
		return came;
	}

	#answer(): void {
		const ports = [...this.#byPort.keys()];
		const port = ports[this.random.below(ports.length)];
		const end = this.#ends.find((each) => each.port === port) ?? this.#identify(port);
		if (port === undefined || end === undefined) return;
		const io = this.#io;
		const name = encodeInternet(LOOPBACK, port);
		for (let count = this.random.between(1, 5); count > 0; count--) {
			const bytes = datagram(end.answers.length, this.random.pick(ANSWERS));
			const at = EMPTY_PLACE * DATAGRAM_PLACE_BYTES;
			io.memory.set(bytes, at);
			io.addTo(at, bytes.length, bytes.length, 0, name, 0, new Uint8Array(20), -1);
			const sent = io.flush(this.#service.fd, 0, 1);
			io.clear();
			if (sent === 1) end.answers.push(bytes);
		}
	}

	/** Whose port it is: the session whose first datagrams have come from there. */
	#identify(port: number | undefined): GatewayEnd | undefined {
		const had = port === undefined ? [] : (this.#byPort.get(port) ?? []);
		const fits = this.#ends.filter(
			(end) => end.port === 0 && had.every((bytes, index) => end.said[index]?.equals(bytes) === true),
		);
		const [end] = fits;
		if (fits.length !== 1 || end === undefined || port === undefined) return undefined;
		end.port = port;
		return end;
	}

	/** Nothing is left to keep bytes in. */
	#takeChunks(): void {
		const { chunks } = this.#harness.reactor.core;
		for (let chunk = chunks.take(); chunk !== NONE; chunk = chunks.take()) this.#taken.push(chunk);
	}

	#giveChunks(): void {
		const { chunks } = this.#harness.reactor.core;
		for (const chunk of this.#taken.splice(0)) chunks.give(chunk);
	}

	#dropped(cause: DatagramDrop): number {
		return this.#harness.counters.datagramsDropped(dropIndex(cause));
	}

	/** All that was said has come, or was dropped; and nothing is held. */
	end(): number {
		const harness = this.#harness;
		const { core } = harness.reactor;
		this.#giveChunks();
		for (let quiet = 0, turns = 0; quiet < 50; quiet++, turns++) {
			assert.ok(turns < TURNS_MAX, "it comes to rest");
			for (const end of this.#ends) {
				if (end.unsent.length > 0) quiet = 0;
				this.#write(end, 60_000);
				const before = end.unread.length + end.heard.length;
				this.#read(end);
				if (end.unread.length + end.heard.length !== before) quiet = 0;
			}
			if (this.#serve(false) > 0) quiet = 0;
			harness.turn();
		}
		const come = [...this.#byPort.values()];
		for (const { said } of this.#ends) {
			const index = come.findIndex(
				(each) => each.length === said.length && each.every((bytes, at) => said[at]?.equals(bytes)),
			);
			assert.ok(said.length === 0 || index >= 0, "what was said has come, in its order");
			come.splice(index, index < 0 ? 0 : 1);
		}
		this.#checkAnswers();
		for (const { fd, unread } of this.#ends) {
			assert.equal(unread.length, 0, "no part of a frame is left");
			harness.reset(fd);
		}
		harness.turnUntil(() => harness.live === 0, "the ends of all sessions");
		assert.equal(core.chunks.lent, 0);
		assert.equal(harness.counters.get("bufferedBytes"), 0);
		assert.equal(core.wheel.armed, 0);
		return this.#ends.reduce((sum, { heard }) => sum + heard.length, 0);
	}

	/** Of the answers those have come that were not dropped, in their order. */
	#checkAnswers(): void {
		let missing = 0;
		for (const { heard, answers } of this.#ends) missing += missingOf(answers, heard);
		const told = this.#dropped("slow_line") + this.#dropped("too_long");
		assert.equal(missing, told, "what did not come was counted");
		for (const cause of DATAGRAM_DROPS)
			if (cause !== "slow_line" && cause !== "too_long") assert.equal(this.#dropped(cause), 0, cause);
	}
}

test("whatever comes in whatever pieces, each datagram arrives in its order or is counted", (t) => {
	let heard = 0;
	for (let seed = FIRST_SEED; seed < FIRST_SEED + RUNS; seed++) {
		try {
			const run = new Run(t, seed);
			for (let step = 0; step < STEPS; step++) run.step();
			heard += run.end();
		} catch (error) {
			t.diagnostic(`seed ${seed}`);
			throw error;
		}
	}
	assert.ok(heard > RUNS * 10, `only ${heard} answers came in ${RUNS} runs`);
});

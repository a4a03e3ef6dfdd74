/**
 * Clients of datagrams whose upstream is an agent: lines come sooner or later, are read slowly, and chunks run out. What a client says
 * arrives behind its header, in its order, or is counted; what the agent says arrives. `SLUICE_SEED` repeats a run, `SLUICE_RUNS` makes it
 * longer.
 */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { AF_INET, IPPROTO_TCP, TCP_NODELAY } from "../../src/kernel/constants.js";
import { openDatagramListener } from "../../src/kernel/datagram-sockets.js";
import {
	DATAGRAM_PLACE_BYTES,
	type Datagrams,
	EMPTY_PLACE,
	SENDER_PLACES,
} from "../../src/kernel/datagrams.js";
import { encodeInternet } from "../../src/kernel/sockaddr.js";
import { closeDescriptor, localPort } from "../../src/kernel/sockets.js";
import { NONE } from "../../src/parts/none.js";
import type { ListenerPlan, Notice } from "../../src/reactor/plan/plan.js";
import { DATAGRAM_DROPS, type DatagramDrop, dropIndex } from "../../src/reactor/records/datagram-drops.js";
import { Random } from "../../src/rig/random.js";
import { datagram, frame, missingOf, takeFrames } from "./frames.js";
import { Harness, reasonOf } from "./harness.js";

const RUNS = Number(process.env["SLUICE_RUNS"] ?? 6);
const FIRST_SEED = Number(process.env["SLUICE_SEED"] ?? 1);
const STEPS = 400;
/** Far more than it takes to pass all that has been said. */
const TURNS_MAX = 200_000;
const CLIENTS = 4;

const LOOPBACK = Uint8Array.of(127, 0, 0, 1);
const TUNNEL = 7;
/** Version 2 over IPv4, without anything besides. */
const HEADER_BYTES = 28;
const IDLE_MS = 30_000;
const LENGTHS = [0, 1, 50, 200, 1_200, 1_200, 9_000, 32_766];
const SAID = [...LENGTHS, 32_767];
/** A client's socket has room for what comes of these in a turn. */
const ANSWERS = [0, 1, 50, 200, 1_200, 1_200, 9_000];

type Proof = Extract<Notice, { readonly kind: "lineProof" }>;

class Client {
	readonly fd: number;
	readonly port: number;
	readonly said: Buffer[] = [];
	readonly heard: Buffer[] = [];

	constructor(fd: number) {
		this.fd = fd;
		this.port = localPort(fd);
	}
}

/** One line, seen from its agent. */
class AgentEnd {
	readonly fd: number;
	unsent = Buffer.alloc(0);
	unread = Buffer.alloc(0);
	readonly heard: Buffer[] = [];
	readonly said: Buffer[] = [];
	/** Whose it is, once its header has come. */
	port = 0;

	constructor(fd: number) {
		this.fd = fd;
	}
}

class Run {
	readonly random: Random;
	readonly #harness: Harness;
	readonly #io: Datagrams;
	readonly #port: number;
	readonly #agents: { readonly fd: number; readonly port: number };
	readonly #clients: Client[] = [];
	readonly #ends: AgentEnd[] = [];
	readonly #taken: number[] = [];
	#proofs = 0;

	constructor(t: TestContext, seed: number) {
		this.random = new Random(seed);
		const policy = { connectMs: 600_000, idleMs: IDLE_MS, quicIdleMs: IDLE_MS };
		this.#harness = new Harness(t, { sessions: 12, routes: [{}], policy });
		this.#io = this.#harness.outside.openDatagrams();
		this.#agents = this.#harness.upstream();
		const { fds, port } = openDatagramListener(
			{ address: LOOPBACK, port: 0, bindsAny: false, receiveBytes: 1 << 22 },
			1,
		);
		const [fd = NONE] = fds;
		t.after(() => closeDescriptor(fd));
		this.#port = port;
		this.#plan(fd);
		for (let client = 0; client < CLIENTS; client++) this.#clients.push(this.#openClient());
	}

	#plan(fd: number): void {
		const { plan } = this.#harness;
		const [listener] = plan.listeners as [ListenerPlan];
		const lines = {
			...{ keeps: true, idleMs: Number.POSITIVE_INFINITY, ageMs: 900_000, requests: 100, idleMax: 64 },
			...{ keepaliveIdleSeconds: 15, keepaliveIntervalSeconds: 10, keepaliveProbes: 3 },
			...{ userTimeoutMs: 45_000, replaceMs: 500, reserved: 0 },
		};
		this.#harness.carryOut({
			kind: "plan",
			plan: {
				...{ ...plan, revision: 2, halfHellos: 8 },
				listeners: [
					{ ...listener, slot: 2, fd, datagrams: { unknownVersions: "reject", bindsAny: false } },
					{ ...listener, slot: 1, fd: this.#agents.fd, port: 2, routes: [], isForAgents: true },
				],
				upstreams: plan.upstreams.map((each) => ({
					...{ ...each, responses: 0, proxyProtocol: "v2", lines },
					addresses: [{ board: 0, sockaddr: new Uint8Array(0), hash: 0, tunnel: TUNNEL }],
				})),
			},
		});
	}

	#openClient(): Client {
		const fd = this.#harness.adopt(this.#io.open(AF_INET, false));
		assert.equal(this.#harness.outside.connect(fd, encodeInternet(LOOPBACK, this.#port)), 0);
		return new Client(fd);
	}

	/** An agent opens a line, which whoever waits for one has at once. */
	#openLine(): void {
		const harness = this.#harness;
		const fd = harness.connect(this.#agents.port);
		// Otherwise the last piece would wait for an acknowledgement, which is late.
		harness.outside.setOption(fd, IPPROTO_TCP, TCP_NODELAY, 1);
		harness.send(fd, `SLN1${"t".repeat(16)}`);
		harness.turnUntil(() => typeof harness.receive(fd, 16) === "string", "a nonce");
		harness.send(fd, "p".repeat(32));
		const proof = (): Proof | undefined =>
			harness.notices.filter((notice): notice is Proof => notice.kind === "lineProof")[this.#proofs];
		harness.turnUntil(() => proof() !== undefined, "its proof is told");
		const { link, generation } = proof() as Proof;
		this.#proofs++;
		harness.carryOut({ kind: "line", link, generation, place: { upstream: 0, address: 0, tunnel: TUNNEL } });
		harness.turnUntil(() => harness.receive(fd, 1) === "\x01", "it is parked");
		this.#ends.push(new AgentEnd(fd));
	}

	step(): void {
		const { random } = this;
		for (const client of this.#clients) {
			if (random.chance(0.3)) this.#say(client);
		}
		if (this.#ends.length < CLIENTS && random.chance(0.03)) this.#openLine();
		for (const end of this.#ends) {
			if (random.chance(0.3) && end.port !== 0) this.#answer(end);
			if (random.chance(0.7)) this.#write(end);
			if (random.chance(0.3)) this.#read(end);
		}
		if (random.chance(0.05)) this.#takeChunks();
		if (random.chance(0.1)) this.#giveChunks();
		this.#harness.turn();
		for (const client of this.#clients) while (this.#hear(client) > 0);
	}

	#say(client: Client): void {
		const at = EMPTY_PLACE * DATAGRAM_PLACE_BYTES;
		for (let count = this.random.between(1, 5); count > 0; count--) {
			const bytes = datagram(client.said.length, this.random.pick(SAID));
			this.#io.memory.set(bytes, at);
			if (this.#io.send(client.fd, at, bytes.length) === bytes.length) client.said.push(bytes);
		}
	}

	#hear(client: Client): number {
		const io = this.#io;
		const count = io.receive(client.fd, SENDER_PLACES, 32);
		for (let place = SENDER_PLACES; place < SENDER_PLACES + Math.max(0, count); place++) {
			const start = place * DATAGRAM_PLACE_BYTES;
			const whole = io.memory.subarray(start, start + io.lengthOf(place));
			const segment = Math.max(1, io.segmentOf(place));
			for (let at = 0; at < whole.length || at === 0; at += segment)
				client.heard.push(Buffer.from(whole.subarray(at, at + segment)));
		}
		return count;
	}

	#answer(end: AgentEnd): void {
		for (let count = this.random.between(1, 5); count > 0; count--) {
			const bytes = datagram(end.said.length, this.random.pick(ANSWERS));
			end.said.push(bytes);
			end.unsent = Buffer.concat([end.unsent, frame(bytes)]);
		}
	}

	#write(end: AgentEnd, most = this.random.pick([1, 3, 500, 5_000, 60_000])): void {
		const { outside } = this.#harness;
		const piece = end.unsent.subarray(0, most);
		if (piece.length === 0) return;
		outside.memory.set(piece, 0);
		const sent = outside.send(end.fd, 0, piece.length);
		if (sent > 0) end.unsent = end.unsent.subarray(sent);
	}

	#read(end: AgentEnd): void {
		const { outside } = this.#harness;
		const count = outside.receive(end.fd, 0, this.random.pick([10, 100, 4_000, 60_000]));
		if (count <= 0) return;
		end.unread = Buffer.concat([end.unread, outside.memory.subarray(0, count)]);
		if (end.port === 0) {
			if (end.unread.length < HEADER_BYTES) return;
			assert.equal(end.unread[13], 0x12, "the header says UDP over IPv4");
			assert.equal(end.unread.readUInt16BE(26), this.#port);
			end.port = end.unread.readUInt16BE(24);
			end.unread = end.unread.subarray(HEADER_BYTES);
		}
		end.unread = takeFrames(end.unread, end.heard);
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

	#settle(): void {
		for (let quiet = 0, turns = 0; quiet < 50; quiet++, turns++) {
			assert.ok(turns < TURNS_MAX, "it comes to rest");
			for (const end of this.#ends) {
				const before = [end.unsent.length, end.unread.length, end.heard.length].join();
				this.#write(end, 60_000);
				this.#read(end);
				if ([end.unsent.length, end.unread.length, end.heard.length].join() !== before) quiet = 0;
			}
			for (const client of this.#clients) if (this.#hear(client) > 0) quiet = 0;
			this.#harness.turn();
		}
	}

	/** All that was said has come, or was dropped; and nothing is held. */
	end(): number {
		const harness = this.#harness;
		const { core } = harness.reactor;
		this.#giveChunks();
		while (this.#ends.length < CLIENTS) this.#openLine();
		this.#settle();
		let missing = 0;
		for (const { port, said, heard } of this.#clients) {
			const end = this.#ends.find((each) => each.port === port);
			assert.ok(end !== undefined || said.length === this.#neverPassed(said), "each client has a line");
			missing += missingOf(said, end?.heard ?? []);
			assert.equal(missingOf(end?.said ?? [], heard), 0, "what the agent said has come");
			assert.equal(end?.unread.length ?? 0, 0, "no part of a frame is left");
		}
		assert.equal(missing, this.#dropped("slow_line") + this.#dropped("too_long"), "the rest was counted");
		for (const cause of DATAGRAM_DROPS)
			if (cause !== "slow_line" && cause !== "too_long") assert.equal(this.#dropped(cause), 0, cause);
		harness.pass(IDLE_MS + 1_000);
		harness.turnUntil(() => harness.live === 0, "the ends of all sessions");
		const reasons = new Set(harness.records().map(reasonOf));
		assert.deepEqual([...reasons], ["idle_timeout"]);
		assert.equal(core.chunks.lent, 0);
		assert.equal(harness.counters.get("bufferedBytes"), 0);
		return this.#clients.reduce((sum, { heard }) => sum + heard.length, 0);
	}

	/** Of those that were too long for a frame nobody hears. */
	#neverPassed(said: readonly Buffer[]): number {
		return said.filter(({ length }) => length > 32_766).length;
	}
}

test("whenever lines come and however they are read, each datagram arrives in its order or is counted", (t) => {
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

/**
 * Lines of an agent under a gateway and a service that do anything at any time: each line has one end, and so has each visitor.
 * `SLUICE_SEED` repeats a run, `SLUICE_RUNS` makes it longer.
 */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { encodeInternet } from "../../src/kernel/sockaddr.js";
import type { ListenerPlan, OwnLineNews, Plan } from "../../src/reactor/plan/plan.js";
import { Random } from "../../src/rig/random.js";
import type { LineOptions } from "../../src/upstream/plan.js";
import { visitorHeader } from "../support/tunnel-gateway.js";
import { Harness } from "./harness.js";

const RUNS = Number(process.env["SLUICE_RUNS"] ?? 20);
const FIRST_SEED = Number(process.env["SLUICE_SEED"] ?? 1);
const STEPS = 300;

const LOOPBACK = Uint8Array.of(127, 0, 0, 1);
const HEADER = visitorHeader().toString("latin1");
const TICKET = { ticket: new Uint8Array(16), key: new Uint8Array(32) };
const OPTIONS: LineOptions = {
	...{ keepaliveIdleSeconds: 15, keepaliveIntervalSeconds: 10, keepaliveProbes: 3, userTimeoutMs: 45_000 },
};

const CANARY = "\0canary-1";

/** What a gateway says when it is right, one behind the other, each in several ways. */
const STEPS_OF_A_LINE: readonly (readonly string[])[] = [
	["n".repeat(16)],
	["\x01", `\x01${CANARY}`, `\x01${HEADER}hello`],
	[CANARY, CANARY.repeat(40), `${CANARY}${HEADER}hello`, HEADER, `${HEADER}hello`, "GET / HTTP/1.1\r\n\r\n"],
];
const HELLO: readonly string[] = ["hello"];

/** What is wrong somewhere, or not whole. */
const WRONG: readonly string[] = [
	...["n".repeat(7), "\x01", "\x02", "\0can", HEADER.slice(0, 20), HEADER.slice(20), "\x80", ""],
	`${HEADER.slice(0, 12)}\xff\xff\xff\xff`,
];

class Run {
	readonly #random: Random;
	readonly #harness: Harness;
	readonly #gateway: { readonly fd: number; readonly port: number };
	readonly #service: { readonly fd: number; readonly port: number };
	/** Connections that the agent has made, and how often something right has been said on each. */
	readonly #theirs = new Map<number, number>();
	#isJournalFull = false;
	#orders = 0;
	#revision = 1;
	#hasTunnel = false;

	constructor(t: TestContext, seed: number) {
		this.#random = new Random(seed);
		this.#harness = new Harness(t, { sessions: 12, routes: [{}] });
		this.#gateway = this.#harness.upstream();
		this.#service = this.#harness.upstream();
		if (this.#random.chance(0.3)) this.#fillJournal();
		this.#reload();
	}

	/** Ends are told in another way then. */
	#fillJournal(): void {
		this.#isJournalFull = true;
		const { journal } = this.#harness;
		while (journal.begin(0) >= 0) journal.commit();
	}

	/** The tunnel comes, or goes. */
	#reload(): void {
		const { plan } = this.#harness;
		const [listener] = plan.listeners as [ListenerPlan];
		this.#hasTunnel = !this.#hasTunnel;
		const sockaddr = encodeInternet(LOOPBACK, this.#service.port);
		const next: Plan = {
			...plan,
			revision: ++this.#revision,
			listeners: this.#hasTunnel ? [listener, { ...listener, slot: 1, fd: -1 }] : [listener],
			upstreams: plan.upstreams.map((each) => ({ ...each, addresses: [{ board: 0, hash: 0, sockaddr }] })),
		};
		this.#harness.carryOut({ kind: "plan", plan: next });
	}

	#openLines(): void {
		const lines = Array.from({ length: this.#random.between(1, 4) }, () => ({
			number: ++this.#orders,
			...TICKET,
		}));
		const sockaddr = encodeInternet(LOOPBACK, this.#gateway.port);
		const gateway = { sockaddr, options: OPTIONS, tls: null };
		this.#harness.command({ kind: "openLines", listener: 1, gateway, lines });
	}

	#accept(): void {
		for (const { fd } of [this.#gateway, this.#service])
			for (let got = 0; got >= 0; ) {
				got = this.#harness.outside.accept(fd, 0);
				// What a service says is never wrong.
				if (got >= 0)
					this.#theirs.set(this.#harness.adopt(got), fd === this.#service.fd ? STEPS_OF_A_LINE.length : 0);
			}
	}

	step(): void {
		const random = this.#random;
		this.#accept();
		if (random.chance(0.15)) this.#openLines();
		const fd = random.chance(0.8) ? [...this.#theirs.keys()][random.below(this.#theirs.size)] : undefined;
		if (fd !== undefined) this.#say(fd);
		if (random.chance(0.03))
			this.#harness.command({ kind: "closeLines", listener: random.chance(0.5) ? 1 : -1 });
		if (random.chance(0.01)) this.#reload();
		if (random.chance(0.01)) this.#harness.pass(random.between(1, 8_000));
		this.#harness.turn();
	}

	#say(fd: number): void {
		const random = this.#random;
		const { outside } = this.#harness;
		if (random.chance(0.9)) {
			const word = Buffer.from(random.chance(0.1) ? random.pick(WRONG) : this.#right(fd), "latin1");
			outside.memory.set(word, 0);
			outside.send(fd, 0, word.length);
			if (random.chance(0.5)) this.#harness.receive(fd);
			return;
		}
		if (random.chance(0.3)) {
			outside.shutdownWrite(fd);
			return;
		}
		this.#theirs.delete(fd);
		this.#harness.reset(fd);
	}

	#right(fd: number): string {
		const said = this.#theirs.get(fd) ?? 0;
		this.#theirs.set(fd, said + 1);
		return this.#random.pick(STEPS_OF_A_LINE[said] ?? HELLO);
	}

	/** All is closed, and what was told is whole. */
	end(): number {
		const harness = this.#harness;
		this.#accept();
		for (const fd of this.#theirs.keys()) harness.reset(fd);
		harness.carryOut({ kind: "stop" });
		const { core } = harness.reactor;
		assert.equal(core.ownLines.size, 0);
		assert.equal(harness.live, 0);
		assert.equal(core.wheel.armed, 0);
		for (const way of ["upstream", "downstream"] as const)
			assert.equal(harness.counters.get(`${way}Opened`), harness.counters.get(`${way}Closed`), way);

		const news = harness.notices.flatMap((notice) => (notice.kind === "ownLines" ? notice.items : []));
		const of = <Kind extends OwnLineNews["kind"]>(...kinds: Kind[]) =>
			news.filter((item): item is Extract<OwnLineNews, { kind: Kind }> =>
				(kinds as string[]).includes(item.kind),
			);
		const ends = of("failed", "closed", "began").map(({ number }) => number);
		assert.deepEqual(
			ends.sort((a, b) => a - b),
			Array.from({ length: this.#orders }, (_, index) => index + 1),
		);
		const visits = of("began").map(({ session }) => session);
		const told = of("ended").map(({ session }) => session);
		const written = this.#isJournalFull
			? []
			: harness.records().flatMap(({ id }) => (visits.includes(id) ? [id] : []));
		assert.deepEqual(
			[...told, ...written].sort((a, b) => a - b),
			visits.sort((a, b) => a - b),
		);
		return visits.length;
	}
}

test("whatever a gateway and a service do, lines and visitors end once", (t) => {
	let visitors = 0;
	for (let seed = FIRST_SEED; seed < FIRST_SEED + RUNS; seed++) {
		try {
			const run = new Run(t, seed);
			for (let step = 0; step < STEPS; step++) run.step();
			visitors += run.end();
		} catch (error) {
			t.diagnostic(`seed ${seed}`);
			throw error;
		}
	}
	assert.ok(visitors > RUNS, `only ${visitors} visitors came in ${RUNS} runs`);
});

/** Who goes when places, descriptors or memory run out, and who stays. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { EAGAIN, ECONNRESET, EMFILE, ENOMEM } from "../../src/kernel/constants.js";
import { NONE } from "../../src/parts/none.js";
import type { Plan } from "../../src/reactor/plan/plan.js";
import { BLOCKED } from "../../src/reactor/table/marks.js";
import { Harness, type HarnessOptions, PEEKING, reasonOf } from "./harness.js";

/** So few sessions that one at a time is closed, and the order shows. */
const SESSIONS = 6;

class Bench {
	readonly harness: Harness;
	readonly listener: number;

	constructor(t: TestContext, options: Partial<HarnessOptions> = {}) {
		// The upstream has to listen before the reactor knows of it, and so belongs to another harness.
		const upstreams = new Harness(t, { sessions: 1, routes: [PEEKING] });
		const { fd, port } = upstreams.upstream();
		this.listener = fd;
		this.harness = new Harness(t, {
			sessions: SESSIONS,
			routes: [PEEKING, { protocol: "http" }],
			upstreamPorts: [port],
			...options,
		});
	}

	/** A client that says nothing. */
	silent(host = 1): number {
		const client = this.harness.client(host);
		const opened = this.harness.counters.get("downstreamOpened");
		this.harness.turnUntil(() => this.harness.counters.get("downstreamOpened") > opened, "the client");
		return client;
	}

	/** A client that has said what it wants, and got it: both ends. */
	relayed(host = 1): { client: number; upstream: number } {
		const client = this.silent(host);
		this.harness.send(client, REQUEST);
		const upstream = this.harness.accepted(this.listener, "the dial");
		this.harness.turnUntil(() => this.harness.receive(upstream) === REQUEST, "the request");
		return { client, upstream };
	}

	/** Time passes: sessions that did nothing have been silent for that much longer. */
	pass(ms: number): void {
		this.harness.pass(ms);
	}

	wasReset(client: number): boolean {
		return this.harness.receive(client) === -ECONNRESET;
	}

	/** A client hears 503 and ends, and is closed as a session like any other; others were reset for it before. */
	assertTold(reason: string, client: number, reset: readonly number[]): void {
		const { harness } = this;
		let heard: string | number = "";
		harness.turnUntil(() => {
			const said = harness.receive(client);
			if (said !== -EAGAIN) heard = said;
			return heard !== "";
		}, "the answer");
		assert.match(String(heard), /^HTTP\/1\.1 503 Service Unavailable\r\n/);
		for (const other of reset) harness.turnUntil(() => this.wasReset(other), "the reset");
		harness.outside.shutdownWrite(client);
		harness.turnUntil(() => harness.live === 0, "the end");
		assert.deepEqual(
			harness.records().map(reasonOf),
			[...reset, client].map(() => reason),
		);
		assert.equal(harness.receive(client), "", "an end, and no reset");
	}

	/** Exactly these were closed since it was asked last, all for that reason, and the others notice nothing. */
	assertGone(reason: string, gone: readonly number[], left: readonly number[]): void {
		assert.deepEqual(
			this.harness.records().map(reasonOf),
			gone.map(() => reason),
		);
		for (const client of gone) this.harness.turnUntil(() => this.wasReset(client), "the reset");
		for (const client of left) assert.equal(this.harness.receive(client), -EAGAIN);
	}
}

const REQUEST = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
/** Full is pressure: nobody has said how many sessions there may be. */
const SHEDDING: Partial<Plan> = { shedsWhenFull: true };
/** Every accept finds only the reserve left. */
const NO_DESCRIPTORS: Partial<Plan> = { descriptorCeiling: 0 };

test("when all places are taken, the oldest silent client goes of the address that has most", (t) => {
	const bench = new Bench(t, { plan: SHEDDING });
	const oldest = bench.silent(2);
	const crowd = [1, 2, 3, 4].map(() => bench.silent(1));
	const other = bench.silent(3);
	assert.equal(bench.harness.live, SESSIONS);
	const [first = NONE, second = NONE, third = NONE, fourth = NONE] = crowd;
	const newcomers = [bench.silent(4)];
	bench.assertGone("fd_pressure", [first], [oldest, second, third, fourth, other, ...newcomers]);
	newcomers.push(bench.silent(5));
	bench.assertGone("fd_pressure", [second], [oldest, third, fourth, other, ...newcomers]);
	newcomers.push(bench.silent(6));
	bench.assertGone("fd_pressure", [third], [oldest, fourth, other, ...newcomers]);
	// Each address has one now, so the oldest goes.
	newcomers.push(bench.silent(7));
	bench.assertGone("fd_pressure", [oldest], [fourth, other, ...newcomers]);
	assert.equal(bench.harness.counters.get("shed"), 4);
	assert.equal(bench.harness.live, SESSIONS);
});

test("an address that floods pushes out its own, and never those of others", (t) => {
	const bench = new Bench(t, { plan: SHEDDING });
	const others = [2, 3, 4].map((host) => bench.silent(host));
	const flood = Array.from({ length: 60 }, () => bench.silent(1));
	bench.assertGone("fd_pressure", flood.slice(0, -3), [...others, ...flood.slice(-3)]);
});

test("sessions that it holds elsewhere count against an address, too", (t) => {
	const bench = new Bench(t, { plan: SHEDDING });
	const served = [1, 2, 3].map(() => bench.relayed(1).client);
	const other = bench.silent(2);
	const recent = bench.silent(1);
	const last = bench.silent(3);
	const newcomer = bench.silent(4);
	bench.assertGone("fd_pressure", [recent], [...served, other, last, newcomer]);
});

test("when places run out nobody is closed who has said what it wants: clients wait", (t) => {
	const bench = new Bench(t, { plan: SHEDDING });
	const served = Array.from({ length: SESSIONS }, () => bench.relayed().client);
	bench.pass(60_000);
	const waiting = bench.harness.client();
	bench.harness.turnUntil(() => bench.harness.counters.get("acceptPausesFull") > 0, "the pause");
	bench.assertGone("", [], [...served, waiting]);
	assert.deepEqual(bench.harness.notices.at(-1), { kind: "pressure", unrecognizedOnly: true });
});

test("when places are as many as the operator said, not even silent clients are closed", (t) => {
	const bench = new Bench(t);
	const silent = Array.from({ length: SESSIONS }, () => bench.silent());
	bench.harness.client(2);
	bench.harness.turnUntil(() => bench.harness.counters.get("acceptPausesFull") > 0, "the pause");
	bench.assertGone("", [], silent);
	assert.equal(
		bench.harness.notices.some(({ kind }) => kind === "pressure"),
		false,
	);
});

test("when descriptors run out the silent clients go first, then the sessions silent for longest", (t) => {
	const bench = new Bench(t, { sessions: 12 });
	const idle = [1, 2, 3].map(() => {
		bench.pass(2_000);
		return bench.relayed().client;
	});
	const silent = bench.silent();
	bench.pass(2_000);
	bench.harness.command({ kind: "plan", plan: changed(bench.harness, NO_DESCRIPTORS) });
	const [first = NONE, second = NONE, third = NONE] = idle;
	const newcomers = [bench.silent(2)];
	bench.assertGone("fd_pressure", [silent], [...idle, ...newcomers]);
	// Itself it is silent as well, but it is the one that room is made for; and one more comes each time.
	newcomers.push(bench.silent(3));
	bench.assertGone("fd_pressure", newcomers.splice(0, 1), [...idle, ...newcomers]);
	bench.harness.send(newcomers[0] ?? NONE, REQUEST);
	bench.harness.turnUntil(() => bench.harness.reactor.core.table.links === 4, "its dial");
	bench.harness.turnUntil(() => bench.harness.counters.bytes(0, 0) === 4 * REQUEST.length, "its request");
	newcomers.push(bench.silent(4));
	bench.assertGone("fd_pressure", [first], [second, third, ...newcomers]);
});

test("a session that moved bytes within a second is never closed for room; then the newcomer goes, and the others are asked", (t) => {
	const bench = new Bench(t);
	const { client: idle } = bench.relayed();
	bench.pass(1_500);
	const busy = [bench.relayed(), bench.relayed()];
	bench.harness.command({ kind: "plan", plan: changed(bench.harness, NO_DESCRIPTORS) });
	const ask = () => bench.harness.notices.filter(({ kind }) => kind === "pressure").length;
	const clients = busy.map(({ client }) => client);

	const heard = bench.silent(2);
	bench.assertGone("fd_pressure", [idle], [...clients, heard]);
	bench.harness.send(heard, REQUEST);
	bench.harness.turnUntil(() => bench.harness.counters.bytes(0, 0) === 4 * REQUEST.length, "its request");
	assert.equal(ask(), 0, "there was somebody here to close");

	const turnedAway = bench.silent(3);
	bench.assertGone("fd_pressure", [turnedAway], [...clients, heard]);
	assert.deepEqual(bench.harness.notices.at(-1), { kind: "pressure", unrecognizedOnly: false });
	assert.equal(ask(), 1);
	// It is asked for at most each 100 ms.
	const more = [bench.silent(3), bench.silent(3)];
	bench.assertGone("fd_pressure", more, [...clients, heard]);
	const asked = ask();
	assert.ok(asked <= 2, "real time passes, too");
	bench.pass(100);
	bench.assertGone("fd_pressure", [bench.silent(3)], [...clients, heard]);
	assert.equal(ask(), asked + 1);
	// A second later they are as silent as the others were.
	bench.pass(1_000);
	const room = bench.silent(4);
	bench.assertGone("fd_pressure", clients.slice(0, 1), [...clients.slice(1), heard, room]);
});

test("asked by another reactor, it closes its share, of those alone that were asked for", (t) => {
	const bench = new Bench(t, { sessions: 192 });
	const served = [1, 2, 3, 4].map(() => bench.relayed().client);
	const silent = [1, 2, 3, 4].map(() => bench.silent());
	bench.pass(2_000);
	bench.harness.carryOut({ kind: "makeRoom", unrecognizedOnly: true });
	bench.assertGone("fd_pressure", silent.slice(0, 3), [...served, ...silent.slice(3)]);
	bench.harness.carryOut({ kind: "makeRoom", unrecognizedOnly: true });
	bench.assertGone("fd_pressure", silent.slice(3), served);
	bench.harness.carryOut({ kind: "makeRoom", unrecognizedOnly: true });
	bench.assertGone("fd_pressure", [], served);
	bench.harness.carryOut({ kind: "makeRoom", unrecognizedOnly: false });
	bench.assertGone("fd_pressure", served.slice(0, 3), served.slice(3));
	assert.equal(
		bench.harness.notices.some(({ kind }) => kind === "pressure"),
		false,
		"whoever is asked does not ask",
	);
});

for (const [errno, reason] of [
	[EMFILE, "fd_pressure"],
	[ENOMEM, "memory_pressure"],
] as const) {
	test(`a dial that finds none left closes another session as ${reason}, never the client it dials for`, (t) => {
		const bench = new Bench(t);
		// The client that dials is the oldest of the address that has most: the first in line, were it not dialled for.
		const dialling = bench.silent(1);
		const other = bench.silent(1);
		Object.assign(bench.harness.kernel, { socketErrno: errno, socketFailures: 1 });
		bench.harness.send(dialling, REQUEST);
		bench.harness.turnUntil(() => bench.harness.counters.bytes(0, 0) === REQUEST.length, "the request");
		bench.assertGone(reason, [other], [dialling]);
	});

	test(`a dial that finds none left, and nobody else to close, tells its client so, as ${reason}`, (t) => {
		const bench = new Bench(t);
		const alone = bench.silent(1);
		Object.assign(bench.harness.kernel, { socketErrno: errno, socketFailures: 9 });
		bench.harness.send(alone, REQUEST);
		bench.assertTold(reason, alone, []);
		assert.equal(bench.harness.counters.get("upstreamOpened"), 0);
		assert.equal(bench.harness.counters.get("shed"), 0, "nobody was closed for it");
	});

	test(`a dial for which room was made in vain tells its client so, as ${reason}`, (t) => {
		const bench = new Bench(t);
		const dialling = bench.silent(1);
		const other = bench.silent(1);
		Object.assign(bench.harness.kernel, { socketErrno: errno, socketFailures: 2 });
		bench.harness.send(dialling, REQUEST);
		bench.assertTold(reason, dialling, [other]);
	});

	test(`a client that cannot be told is cut off, as ${reason}`, (t) => {
		const bench = new Bench(t, { routes: [PEEKING, { protocol: "ssh" }] });
		const alone = bench.silent(1);
		Object.assign(bench.harness.kernel, { socketErrno: errno, socketFailures: 9 });
		bench.harness.send(alone, "SSH-2.0-a\r\n");
		bench.harness.turnUntil(() => bench.harness.live === 0, "the end");
		bench.assertGone(reason, [alone], []);
	});
}

test("memory is taken from unfinished hellos and stalled readers, and not from idle sessions that hold none", (t) => {
	const bench = new Bench(t, { sessions: 12 });
	const idle = [bench.relayed(), bench.relayed()].map(({ client }) => client);
	const silent = bench.silent();
	const stalled = bench.relayed();
	fill(bench, stalled.upstream);
	const hello = bench.silent();
	// A record of 16 KiB is announced; most of it has come.
	bench.harness.send(hello, `\x16\x03\x01\x40\x00\x01\x00\x3f\xfc${"\x03".repeat(12_000)}`);
	bench.pass(2_000);
	const busy = bench.relayed();
	fill(bench, busy.upstream);

	bench.harness.carryOut({ kind: "shedMemory", bytes: 1 });
	bench.assertGone("memory_pressure", [hello], [...idle, silent]);
	bench.harness.carryOut({ kind: "shedMemory", bytes: 1 });
	assert.deepEqual(bench.harness.records().map(reasonOf), ["memory_pressure"]);
	assert.equal(
		bench.harness.reactor.core.table.links,
		idle.length + 1,
		"the stalled one's upstream is closed",
	);
	// All there is would not be enough; whoever holds nothing, or is busy, stays.
	bench.harness.carryOut({ kind: "shedMemory", bytes: Number.MAX_SAFE_INTEGER });
	bench.assertGone("", [], [...idle, silent]);
	assert.equal(bench.harness.live, 4);
	assert.equal(bench.harness.counters.get("shed"), 2);
	assert.deepEqual(
		bench.harness.notices.filter(({ kind }) => kind === "pressure"),
		[],
	);
});

test("what sockets hold is measured, and falls when it is closed", (t) => {
	const bench = new Bench(t);
	const { upstream } = bench.relayed();
	const measured = (): number => {
		bench.harness.command({ kind: "measure" });
		assert.deepEqual(bench.harness.notices.at(-1), { kind: "measured" });
		return bench.harness.counters.get("socketBytes");
	};
	const idle = measured();
	assert.ok(idle < 32_768, `${idle} bytes for an idle session`);
	fill(bench, upstream);
	const full = measured();
	assert.ok(full > 100_000, `${full} bytes for one that is full`);
	bench.pass(2_000);
	bench.harness.carryOut({ kind: "shedMemory", bytes: full });
	assert.equal(measured(), 0);
});

/** An upstream says more than its client, which reads nothing, can take: until everything on the way is full. */
function fill(bench: Bench, upstream: number): void {
	const { harness } = bench;
	let refusals = 0;
	harness.turnUntil(() => {
		refusals = harness.outside.send(upstream, 0, 1 << 16) < 0 ? refusals + 1 : 0;
		return refusals > 20;
	}, "a full road");
	const { table } = harness.reactor.core;
	assert.ok(
		table.flags.some((flags) => (flags & BLOCKED) !== 0),
		"its client is blocked",
	);
}

/** The plan in force, with other limits. */
function changed(harness: Harness, changes: Partial<Plan>): Plan {
	return { ...harness.plan, revision: 2, ...changes };
}

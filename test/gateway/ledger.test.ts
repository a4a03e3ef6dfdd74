/** Leaks that a test plants are found, named, told once, and forgotten when they are healed. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { readlinkSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import type { Discrepancy } from "../../src/admin/view.js";
import { Ledger } from "../../src/gateway/ledger.js";
import { closeDescriptor } from "../../src/kernel/sockets.js";
import { NONE } from "../../src/parts/none.js";
import { scalarIndex } from "../../src/reactor/records/counters.js";
import type { Fd, Session } from "../../src/reactor/table/numbers.js";
import { FREE } from "../../src/reactor/table/states.js";
import { type Table, tableOf } from "../../src/reactor/table/table.js";
import { Harness, PEEKING } from "../reactor/harness.js";
import { dup2 } from "../support/dup.js";
import { type Line, linesLogger } from "../support/lines.js";
import { tellNotRun } from "../support/needs.js";

const DISAGREE = "the ledger and the kernel disagree";
const AGREE = "the ledger and the kernel agree again";

/** What it checks does nothing between two looks unless the test has it do something. */
const CONFIRM_MS = 100;

class Bench {
	readonly harness: Harness;
	readonly ledger: Ledger;
	readonly lines: Line[];
	readonly upstreamPort: number;
	/** The main thread's view of the reactor's rows. */
	readonly table: Table;

	constructor(t: TestContext, { sessions = 8, ownsProcess = false, checks = 0 } = {}) {
		// The upstream never accepts: its connections then are no descriptors of this process.
		const upstreams = new Harness(t, { sessions: 1, routes: [PEEKING] });
		const { port } = upstreams.upstream(1_024);
		this.upstreamPort = port;
		this.harness = new Harness(t, {
			sessions,
			routes: [{}],
			upstreamPorts: [port],
		});
		const { counters, owners, pipeEnds, options } = this.harness.shared;
		this.table = tableOf(sessions + 1, options.table);
		const { logger, lines } = linesLogger();
		this.lines = lines;
		this.ledger = new Ledger({
			books: () => [{ table: this.table, pipeEnds, counters }],
			owners,
			listenerSlots: () => [0],
			logger,
			ownsProcess,
			confirmMs: CONFIRM_MS,
		});
		if (checks > 0) this.ledger.every(checks);
		t.after(() => this.ledger.close());
	}

	/** A relayed session: the client's end, and the reactor's two. */
	session(client = this.harness.client()): {
		client: number;
		downstream: number;
		upstream: number;
		row: number;
	} {
		const { table } = this.harness.reactor.core;
		const links = table.links;
		this.harness.turnUntil(() => table.links > links, "the dial");
		const row = table.fd.reduce(
			(latest, fd, slot) =>
				slot < table.sessions && fd !== NONE && this.#isLater(slot, latest) ? slot : latest,
			NONE,
		);
		this.harness.turnUntil(() => (table.connected[row] ?? 0) > 0, "the upstream");
		return {
			client,
			row,
			downstream: table.fd[row] ?? NONE,
			upstream: table.fd[table.linkOf(row as Session)] ?? NONE,
		};
	}

	#isLater(slot: number, than: number): boolean {
		const { table } = this.harness.reactor.core;
		if (table.state[slot] === FREE) return false;
		return than === NONE || (table.acceptedMs[slot] ?? 0) > (table.acceptedMs[than] ?? 0);
	}

	end(client: number): void {
		const live = this.harness.live;
		this.harness.reset(client);
		this.harness.turnUntil(() => this.harness.live < live, "the end");
	}

	async found(): Promise<readonly Discrepancy[]> {
		return (await this.ledger.check()).discrepancies;
	}

	/** What was logged since it was asked last: message and what it is about. */
	told(): [string, unknown][] {
		return this.lines.splice(0).map(({ message, fields }) => [message, fields["problem"]]);
	}
}

test("a socket that was not closed is named: which side's, whose it was, and since when", async (t) => {
	const bench = new Bench(t);
	const before = Date.now();
	const { client, downstream, upstream, row } = bench.session();
	const port = bench.table.sourcePort[row];
	assert.deepEqual(await bench.found(), []);
	bench.harness.kernel.forgets.add(downstream).add(upstream);
	bench.end(client);
	const found = await bench.found();
	assert.deepEqual(
		found.map(({ problem, descriptor, kind, target }) => [problem, descriptor, kind, target]),
		[
			["unowned", downstream, "downstream", readlinkSync(`/proc/self/fd/${downstream}`)],
			["unowned", upstream, "upstream", readlinkSync(`/proc/self/fd/${upstream}`)],
		],
	);
	const [client1, upstream1] = found;
	assert.equal(client1?.lastOwner, `row ${row} of reactor 0, client 127.0.0.1 port ${port}`);
	assert.match(upstream1?.lastOwner ?? "", /^row \d+ of reactor 0$/);
	for (const { since } of found) {
		const atMs = Date.parse(since ?? "");
		// Whole seconds, rounded down.
		assert.ok(atMs >= before - 2_000 && atMs <= Date.now() + 1_000, String(since));
	}
	assert.deepEqual(bench.told(), [
		[DISAGREE, "unowned"],
		[DISAGREE, "unowned"],
	]);
	// Once, and not with every check.
	assert.equal((await bench.found()).length, 2);
	assert.deepEqual(bench.told(), []);
	bench.harness.kernel.forgets.clear();
	for (const fd of [downstream, upstream]) closeDescriptor(fd);
	assert.deepEqual(await bench.found(), []);
	assert.deepEqual(bench.told(), [
		[AGREE, "unowned"],
		[AGREE, "unowned"],
	]);
});

test("a leak stays named when its row has a new owner, only that nobody else is accused of it", async (t) => {
	const bench = new Bench(t);
	const { client, downstream, row } = bench.session();
	assert.deepEqual(await bench.found(), []);
	bench.harness.kernel.forgets.add(downstream);
	bench.end(client);
	// The row's columns are the next client's from here on.
	const next = bench.session();
	assert.equal(next.row, row);
	bench.table.acceptedMs[row] = (bench.table.acceptedMs[row] ?? 0) + 5_000;
	const found = await bench.found();
	assert.deepEqual(
		found.map(({ problem, descriptor, lastOwner }) => [problem, descriptor, lastOwner]),
		[["unowned", downstream, `row ${row} of reactor 0`]],
	);
	closeDescriptor(downstream);
});

test("where the process is the gateway's, a leak is found that no check has seen alive", async (t) => {
	const bench = new Bench(t, { ownsProcess: true });
	// What the test has open itself belongs there.
	const client = bench.harness.client();
	bench.ledger.begin(3_600_000);
	const { downstream, upstream } = bench.session(client);
	bench.harness.kernel.forgets.add(downstream).add(upstream);
	const live = bench.harness.live;
	bench.harness.outside.shutdownWrite(client);
	bench.harness.command({ kind: "stop" });
	assert.ok(bench.harness.live < live);
	assert.deepEqual(
		(await bench.found()).map(({ problem, descriptor, kind }) => [problem, descriptor, kind]),
		[
			["unowned", downstream, "downstream"],
			["unowned", upstream, "upstream"],
		],
	);
	for (const fd of [downstream, upstream]) closeDescriptor(fd);
	assert.deepEqual(await bench.found(), []);
});

test("where the process is the gateway's, a socket and a pipe of nobody are unknown leaks, and a file is none", async (t) => {
	const bench = new Bench(t, { ownsProcess: true });
	bench.ledger.begin(3_600_000);
	const socket = bench.harness.connect(bench.upstreamPort);
	const pipe = bench.harness.outside.openPipe();
	const ends = [pipe, bench.harness.outside.pipeWriteEnd];
	const found = await bench.found();
	assert.deepEqual(
		found.map(({ descriptor, kind, lastOwner, since }) => [descriptor, kind, lastOwner, since]),
		[socket, ...ends].sort((a, b) => a - b).map((fd) => [fd, "unknown", "", null]),
	);
	// What the control plane adopts is its own.
	for (const fd of [socket, ...ends]) bench.ledger.adopt("check", fd);
	assert.deepEqual(await bench.found(), []);
	ends.forEach(closeDescriptor);
	for (const fd of ends) bench.ledger.release(fd);
	assert.deepEqual(bench.ledger.kinds().check, { opened: 3, closed: 2 });
});

test("where the process is the gateway's, a socket that asks DNS by TCP is its resolver's", async (t) => {
	const bench = new Bench(t, { ownsProcess: true });
	const server = createServer().listen(53, "127.0.0.53");
	try {
		await once(server, "listening");
	} catch {
		const reason = "needs port 53, which is taken or privileged on this machine";
		tellNotRun("the resolver's sockets", reason);
		t.skip(reason);
		return;
	}
	t.after(() => server.close());
	bench.ledger.begin(3_600_000);
	const ends = [once(server, "connection").then(([end]) => end as Socket), connect(53, "127.0.0.53")];
	const [accepted, asking] = (await Promise.all(ends)) as [Socket, Socket];
	t.after(() => asking.destroy());
	bench.ledger.follow("check", accepted);
	t.after(() => accepted.destroy());
	assert.deepEqual(await bench.found(), []);
});

test("within somebody else's program, the program's own descriptors are no leaks", async (t) => {
	const bench = new Bench(t);
	bench.ledger.begin(3_600_000);
	const session = bench.session();
	assert.deepEqual(await bench.found(), []);
	bench.end(session.client);
	// The numbers are the program's by now.
	const own = [1, 2, 3].map(() => bench.harness.connect(bench.upstreamPort));
	assert.ok(own.includes(session.downstream), "a number that a row has had");
	const pipe = bench.harness.outside.openPipe();
	const ends = [pipe, bench.harness.outside.pipeWriteEnd];
	assert.deepEqual(await bench.found(), []);
	ends.forEach(closeDescriptor);
});

test("a row whose descriptor was closed behind its back is told as gone", async (t) => {
	const bench = new Bench(t);
	const { client, downstream, row } = bench.session();
	const port = bench.table.sourcePort[row];
	assert.deepEqual(await bench.found(), []);
	closeDescriptor(downstream);
	assert.deepEqual(
		(await bench.found()).map(({ problem, descriptor, kind, target, lastOwner }) => [
			problem,
			descriptor,
			kind,
			target,
			lastOwner,
		]),
		[["gone", downstream, "downstream", "", `row ${row} of reactor 0, client 127.0.0.1 port ${port}`]],
	);
	assert.equal((await bench.found()).length, 1);
	assert.deepEqual(bench.told(), [[DISAGREE, "gone"]]);
	// The row ends: what was wrong with it is over.
	bench.harness.command({ kind: "stop" });
	assert.deepEqual(await bench.found(), []);
	assert.deepEqual(bench.told(), [[AGREE, "gone"]]);
	bench.harness.reset(client);
});

for (const side of ["downstream", "upstream"] as const) {
	test(`another socket behind the number of a live ${side} row is told as replaced`, async (t) => {
		const bench = new Bench(t);
		const session = bench.session();
		const { [side]: fd } = session;
		assert.deepEqual(await bench.found(), []);
		const was = readlinkSync(`/proc/self/fd/${fd}`);
		const other = bench.harness.connect(bench.upstreamPort);
		const is = readlinkSync(`/proc/self/fd/${other}`);
		dup2(other, fd);
		const [found, ...others] = await bench.found();
		assert.deepEqual(others, []);
		assert.deepEqual(
			[found?.problem, found?.descriptor, found?.kind, found?.target],
			["replaced", fd, side, `${is}, and was ${was}`],
		);
		assert.equal((await bench.found()).length, 1);
		assert.deepEqual(bench.told(), [[DISAGREE, "replaced"]]);
		bench.harness.command({ kind: "stop" });
		assert.deepEqual(await bench.found(), []);
		assert.deepEqual(bench.told(), [[AGREE, "replaced"]]);
	});
}

test("two rows with one descriptor: the one that had it first is told as replaced", async (t) => {
	const bench = new Bench(t);
	const first = bench.session();
	const second = bench.session();
	assert.deepEqual(await bench.found(), []);
	bench.table.fd[first.row] = second.downstream as Fd;
	assert.deepEqual(
		(await bench.found())
			.map(({ problem, descriptor }) => [problem, descriptor])
			.sort((a, b) => String(a[0]).localeCompare(String(b[0]))),
		[
			["replaced", second.downstream],
			["unowned", first.downstream],
		],
	);
	bench.table.fd[first.row] = first.downstream as Fd;
	assert.deepEqual(await bench.found(), []);
});

test("an end of a pipe that is not closed is named as the pipe it was", async (t) => {
	const bench = new Bench(t, { ownsProcess: true });
	bench.ledger.begin(3_600_000);
	const { pipes } = bench.harness.reactor.core;
	const pipe = pipes.borrow();
	const ends = [pipes.readEnd(pipe), pipes.writeEnd(pipe)];
	assert.deepEqual(await bench.found(), []);
	bench.harness.kernel.forgets.add(pipes.writeEnd(pipe));
	pipes.discard(pipe);
	const [found, ...others] = await bench.found();
	assert.deepEqual(others, []);
	assert.deepEqual(
		[found?.problem, found?.descriptor, found?.kind, found?.lastOwner],
		["unowned", ends[1], "pipe", `pipe ${pipe} of reactor 0`],
	);
	assert.match(found?.target ?? "", /^pipe:\[\d+\]$/);
	assert.deepEqual(bench.told(), [[DISAGREE, "unowned"]]);
	closeDescriptor(ends[1] ?? NONE);
	assert.deepEqual(await bench.found(), []);
	assert.deepEqual(bench.told(), [[AGREE, "unowned"]]);
});

test("counters that do not fit the rows are told, each side's for itself, and the reasons' sum", async (t) => {
	const bench = new Bench(t);
	bench.session();
	const { counters } = bench.harness;
	for (const [figure, kind, text] of [
		["downstreamOpened", "downstream", /opened - closed = 2, rows in use = 1$/],
		["upstreamOpened", "upstream", /opened - closed = 2, rows in use = 1$/],
	] as const) {
		counters.add(scalarIndex(figure), 1);
		const [found, ...others] = await bench.found();
		assert.deepEqual(others, []);
		assert.deepEqual([found?.problem, found?.descriptor, found?.kind], ["count", null, kind]);
		assert.match(found?.target ?? "", text);
		counters.add(scalarIndex(figure), -1);
		assert.deepEqual(await bench.found(), []);
		assert.deepEqual(bench.told(), [
			[DISAGREE, "count"],
			[AGREE, "count"],
		]);
	}
	// A session closed without a reason.
	counters.add(scalarIndex("downstreamOpened"), 1);
	counters.add(scalarIndex("downstreamClosed"), 1);
	const [found, ...others] = await bench.found();
	assert.deepEqual(others, []);
	assert.match(found?.target ?? "", /1 sessions closed, 0 reasons counted$/);
});

test("a counter that lies is found also while sessions come and go", async (t) => {
	const bench = new Bench(t);
	bench.harness.counters.add(scalarIndex("upstreamOpened"), 1);
	// One session more at each look, so that no sum is what it was before.
	const churn = setInterval(() => bench.session(), CONFIRM_MS / 2.5);
	t.after(() => clearInterval(churn));
	const found = await bench.found();
	clearInterval(churn);
	assert.deepEqual(
		found.map(({ problem, kind }) => [problem, kind]),
		[["count", "upstream"]],
	);
});

test("what was opened and closed between the two looks of a check is no discrepancy", async (t) => {
	const bench = new Bench(t, { ownsProcess: true });
	bench.ledger.begin(3_600_000);
	const stranger = bench.harness.connect(bench.upstreamPort);
	const { opened, closed } = { opened: "downstreamOpened", closed: "downstreamClosed" } as const;
	bench.harness.counters.add(scalarIndex(opened), 1);
	const checking = bench.found();
	// The first look is over when this returns: it is made at once.
	bench.harness.reset(stranger);
	bench.harness.counters.add(scalarIndex(opened), -1);
	// Another one has come meanwhile, perhaps with the same number, and is not the same.
	bench.harness.connect(bench.upstreamPort);
	assert.deepEqual(await checking, []);
	assert.deepEqual(bench.told(), []);
	assert.equal(bench.harness.counters.get(closed), 0);
});

test("a number that goes to another session while it is being looked at belongs to that one", async (t) => {
	// Enough that the look gives others a turn in their midst. Each session is three descriptors: one more of the
	// test's own each time, so that the look stops once at each of the three.
	for (let before = 0; before < 3; before++) {
		const bench = new Bench(t, { sessions: 400 });
		for (let count = 0; count < before; count++) bench.harness.connect(bench.upstreamPort);
		const clients = Array.from({ length: 300 }, () => bench.session().client);
		const looking = bench.found();
		// It has stopped at some descriptor: whichever that is, it is given back, and taken by somebody else.
		for (const client of clients) bench.end(client);
		for (let count = 0; count < clients.length; count++) bench.session();
		assert.deepEqual(await looking, []);
		for (let again = 0; again < 2; again++) assert.deepEqual(await bench.found(), []);
		assert.deepEqual(bench.told(), []);
	}
});

test("a call while one check runs gets that one's result, and one that was closed says nothing more", async (t) => {
	const bench = new Bench(t);
	const { client, downstream } = bench.session();
	assert.deepEqual(await bench.found(), []);
	bench.harness.kernel.forgets.add(downstream);
	bench.end(client);
	const [one, other] = await Promise.all([bench.ledger.check(), bench.ledger.check()]);
	assert.equal(one, other);
	assert.equal(bench.ledger.last, one);
	assert.equal(bench.ledger.checks, 2);
	bench.told();
	closeDescriptor(downstream);
	const last = bench.ledger.check();
	bench.ledger.close();
	await last;
	assert.deepEqual(bench.told(), []);
});

test("sums by kind are what reactors and the control plane have counted", async (t) => {
	const bench = new Bench(t);
	const first = bench.session();
	bench.session();
	bench.end(first.client);
	const { pipes } = bench.harness.reactor.core;
	pipes.giveBack(pipes.borrow());
	bench.harness.turn();
	const { kinds, descriptors, checkedAt } = await bench.ledger.check();
	assert.deepEqual(kinds, {
		downstream: { opened: 2, closed: 1 },
		upstream: { opened: 2, closed: 1 },
		pipe: { opened: 2, closed: 0 },
		listener: { opened: 0, closed: 0 },
		admin: { opened: 0, closed: 0 },
		log: { opened: 0, closed: 0 },
		check: { opened: 0, closed: 0 },
		tunnel: { opened: 0, closed: 0 },
	});
	assert.ok(descriptors > 6);
	assert.ok(Number.isFinite(Date.parse(checkedAt)));
});

/** A pool of which nothing is lost, whatever borrowers, creations and resources do. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import {
	type DestroyReason,
	type Holder,
	type Lease,
	LeaseReturned,
	OptionError,
	Pool,
	PoolClosed,
	PoolExhausted,
	type PoolOptions,
	type PoolStats,
	PoolTimeout,
} from "../../src/guard/pool.js";

interface Thing {
	readonly id: number;
}

/** Things whose creation succeeds at once, and a list of what was destroyed. */
function things(options: Partial<PoolOptions<Thing>> = {}): {
	readonly pool: Pool<Thing>;
	readonly destroyed: [number, DestroyReason][];
	ended(): Promise<void>;
} {
	let ids = 0;
	const destroyed: [number, DestroyReason][] = [];
	const events = new EventEmitter();
	const pool = new Pool<Thing>({
		create: () => ({ id: ++ids }),
		destroy: ({ id }, reason) => {
			destroyed.push([id, reason]);
			events.emit("destroyed");
		},
		...options,
	});
	const ended = async (): Promise<void> => {
		// The pool's timers do not keep the process alive; this does.
		const alive = setTimeout(() => {}, 10_000);
		await once(events, "destroyed");
		clearTimeout(alive);
	};
	return { pool, destroyed, ended };
}

/** Creations that end when the test says so. */
class Makings {
	readonly open: { resolve(thing: Thing): void; reject(error: unknown): void; signal: AbortSignal }[] = [];
	readonly create = (signal: AbortSignal): Promise<Thing> =>
		new Promise((resolve, reject) => this.open.push({ resolve, reject, signal }));

	next(): Makings["open"][number] {
		const making = this.open.shift();
		assert.ok(making !== undefined, "nothing is being made");
		return making;
	}
}

function sum(counts: Readonly<Record<string, number>>): number {
	return Object.values(counts).reduce((total, count) => total + count, 0);
}

function assertCounts(stats: PoolStats, max: number): void {
	const { size, creating, checking, idle, leased, destroying, started, created, failed, abandoned } = stats;
	const told = JSON.stringify(stats);
	assert.equal(started, creating + abandoned + failed + created, told);
	assert.equal(created, checking + idle + leased + sum(stats.destroyed), told);
	assert.equal(size, creating + checking + idle + leased + destroying, told);
	assert.ok(size <= max, told);
	assert.ok(creating + abandoned <= 2 * max, told);
}

async function turn(): Promise<void> {
	await new Promise((resolve) => setImmediate(resolve));
}

test("what is given back is lent again, the one that was used last first", async () => {
	const { pool } = things();
	const [first, second] = await Promise.all([pool.acquire(), pool.acquire()]);
	assert.deepEqual([first.value.id, second.value.id], [1, 2]);
	second.release();
	first.release();
	const third = await pool.acquire();
	assert.equal(third.value.id, 1);
	third.release();
	assert.equal(pool.stats().created, 2);
	assertCounts(pool.stats(), 10);
	await pool.close();
});

test("a lease ends with its block, and one that was released before ends only once", async () => {
	const { pool } = things();
	{
		await using lease = await pool.acquire();
		assert.equal(lease.value.id, 1);
		assert.equal(pool.stats().leased, 1);
	}
	{
		using lease = await pool.acquire();
		lease.release();
		assert.equal(lease.returned, true);
	}
	assert.deepEqual([pool.stats().leased, pool.stats().idle], [0, 1]);
	await pool.close();
});

test("a second release is an error with the place of the first, and puts nothing in twice", async () => {
	const { pool } = things({ trace: true });
	const lease = await pool.acquire();
	lease.release();
	for (const again of [() => lease.release(), () => lease.discard(), () => lease.value])
		assert.throws(again, (error) => {
			assert.ok(error instanceof LeaseReturned);
			assert.equal(error.code, "SLUICE_LEASE_RETURNED");
			assert.match(error.returnedStack ?? "", /pool\.test/);
			return true;
		});
	assert.equal(pool.stats().idle, 1);
	await pool.close();
});

test("without trace no stack is kept", async () => {
	const { pool } = things({ trace: false });
	const lease = await pool.acquire();
	lease.release();
	assert.throws(
		() => lease.release(),
		(error) => error instanceof LeaseReturned && error.returnedStack === undefined,
	);
	await pool.close();
});

test("those who wait are served in order, and one more than may wait is refused at once", async () => {
	const { pool } = things({ max: 1, maxWaiting: 2 });
	const first = await pool.acquire();
	const order: number[] = [];
	const waiting = [1, 2].map(async (number) => {
		const lease = await pool.acquire();
		order.push(number);
		lease.release();
	});
	await assert.rejects(
		pool.acquire(),
		(error) =>
			error instanceof PoolExhausted &&
			error.code === "SLUICE_POOL_EXHAUSTED" &&
			error.state.leased === 1 &&
			error.state.waiting === 2,
	);
	first.release();
	await Promise.all(waiting);
	assert.deepEqual(order, [1, 2]);
	await pool.close();
});

test("with maxWaiting 0 a creation is waited for, but no place", async () => {
	const { pool } = things({ max: 1, maxWaiting: 0 });
	const lease = await pool.acquire();
	await assert.rejects(pool.acquire(), PoolExhausted);
	lease.release();
	(await pool.acquire()).release();
	await pool.close();
});

test("a deadline ends the wait, and tells who holds what", async () => {
	const { pool } = things({ max: 1, trace: true });
	const lease = await pool.acquire();
	const alive = setTimeout(() => {}, 10_000);
	await assert.rejects(pool.acquire({ deadline: 5 }), (error) => {
		assert.ok(error instanceof PoolTimeout);
		assert.deepEqual([error.code, error.phase, error.waitedMs], ["SLUICE_POOL_TIMEOUT", "acquire", 5]);
		assert.match(error.message, /1 of 1 leased, 0 being made, 0 waiting.*asked for here:\n.*pool\.test/s);
		return true;
	});
	clearTimeout(alive);
	assert.equal(pool.stats().waiting, 0);
	lease.release();
	await pool.close();
});

test("a creation whose borrower left goes to the next one, else to the idle ones, else to its end", async () => {
	const makings = new Makings();
	const { pool, destroyed } = things({ create: makings.create, max: 1 });
	const aborter = new AbortController();
	const first = pool.acquire({ signal: aborter.signal });
	const second = pool.acquire();
	await turn();
	const gone = new Error("gone");
	aborter.abort(gone);
	await assert.rejects(first, gone);
	makings.next().resolve({ id: 1 });
	const lease = await second;
	assert.equal(lease.value.id, 1);
	lease.discard();

	const lonely = new AbortController();
	const third = pool.acquire({ signal: lonely.signal });
	await turn();
	lonely.abort(gone);
	await assert.rejects(third, gone);
	makings.next().resolve({ id: 2 });
	await turn();
	assert.equal(pool.stats().idle, 1);
	(await pool.acquire()).discard();

	const fourth = pool.acquire();
	await turn();
	const closing = pool.close();
	await assert.rejects(fourth, PoolClosed);
	const making = makings.next();
	assert.equal(making.signal.aborted, true);
	making.resolve({ id: 3 });
	assert.deepEqual(await closing, { held: [], creating: 0 });
	assert.deepEqual(destroyed, [
		[1, "discarded"],
		[2, "discarded"],
		[3, "closed"],
	]);
	assertCounts(pool.stats(), 1);
});

test("the error of a creation goes to the one for whom it was, and frees its place", async () => {
	const makings = new Makings();
	const { pool } = things({ create: makings.create, max: 1 });
	const first = pool.acquire();
	const second = pool.acquire();
	await turn();
	const refused = new Error("refused");
	makings.next().reject(refused);
	await assert.rejects(first, refused);
	makings.next().resolve({ id: 1 });
	(await second).release();
	assert.deepEqual([pool.stats().failed, pool.stats().created], [1, 1]);
	await pool.close();
});

test("create() that throws at once is as one that rejects", async () => {
	const fault = new Error("at once");
	const { pool } = things({
		create: () => {
			throw fault;
		},
	});
	await assert.rejects(pool.acquire(), fault);
	assert.equal(pool.stats().size, 0);
	await pool.close();
});

test("a creation that takes too long frees its place, and what it brings later is used or destroyed", async () => {
	const makings = new Makings();
	const { pool, destroyed } = things({ create: makings.create, max: 1, createMs: 5 });
	const alive = setTimeout(() => {}, 10_000);
	await assert.rejects(pool.acquire(), (error) => error instanceof PoolTimeout && error.phase === "create");
	const late = makings.next();
	assert.equal(late.signal.aborted, true);
	assert.deepEqual([pool.stats().size, pool.stats().abandoned], [0, 1]);
	late.resolve({ id: 1 });
	await turn();
	assert.deepEqual([pool.stats().idle, pool.stats().abandoned], [1, 0]);
	(await pool.acquire()).discard();

	await assert.rejects(pool.acquire(), PoolTimeout);
	const later = makings.next();
	const inTime = pool.acquire();
	await turn();
	makings.next().resolve({ id: 3 });
	const lease = await inTime;
	later.resolve({ id: 2 });
	await turn();
	assert.deepEqual(destroyed.at(-1), [2, "late"]);
	assertCounts(pool.stats(), 1);
	lease.release();
	clearTimeout(alive);
	await pool.close();
});

test("what is unhealthy, or does not answer, is destroyed before it is lent, and the next one is tried", async () => {
	const errors: string[] = [];
	const { pool, destroyed } = things({
		checkMs: 5,
		check: ({ id }) => (id === 1 ? new Promise<never>(() => {}) : id !== 2),
		onError: (_error, during) => errors.push(during),
	});
	const leases = await Promise.all([pool.acquire(), pool.acquire(), pool.acquire()]);
	// The last to come back is the first to be tried.
	for (const lease of leases.reverse()) lease.release();
	const alive = setTimeout(() => {}, 10_000);
	const lease = await pool.acquire();
	clearTimeout(alive);
	assert.equal(lease.value.id, 3);
	assert.deepEqual(destroyed, [
		[1, "unhealthy"],
		[2, "unhealthy"],
	]);
	assert.deepEqual(errors, ["check"]);
	lease.release();
	await pool.close();
});

test("a resource is recycled after its uses and at its age, each a little sooner than the last", async () => {
	const { pool, destroyed } = things({ maxUses: 100, jitter: 0.5 });
	for (let uses = 0; uses < 300; uses++) (await pool.acquire()).release();
	const lives = destroyed.length;
	assert.ok(lives >= 3 && lives <= 6, `${lives}`);
	assert.ok(destroyed.every(([, reason]) => reason === "uses"));
	await pool.close();

	const old = things({ ageMs: 1, jitter: 0 });
	const lease = await old.pool.acquire();
	const until = performance.now() + 2;
	while (performance.now() < until);
	lease.release();
	assert.deepEqual(old.destroyed, [[1, "age"]]);
	await old.pool.close();
});

test("what is idle too long, or too many, is destroyed", async () => {
	const { pool, destroyed, ended } = things({ idleMs: 5, maxIdle: 1 });
	const leases = await Promise.all([pool.acquire(), pool.acquire()]);
	const gone = ended();
	for (const lease of leases) lease.release();
	await gone;
	if (destroyed.length < 2) await ended();
	assert.deepEqual(destroyed, [
		[2, "surplus"],
		[1, "idle"],
	]);
	assert.equal(pool.stats().size, 0);
	await pool.close();
});

test("no timer runs while nothing is idle or waiting", async () => {
	const { pool } = things();
	const timers = (): number => process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length;
	const before = timers();
	const lease = await pool.acquire();
	assert.equal(timers(), before);
	lease.release();
	assert.equal(timers(), before, "that of idle resources does not keep the process alive");
	await pool.close();
	assert.equal(timers(), before);
});

test("a resource that closes or fails while it is idle leaves at once, and nobody is lent it", async () => {
	const errors: unknown[] = [];
	const reasons: DestroyReason[] = [];
	const pool = new Pool<EventEmitter>({
		create: () => new EventEmitter(),
		destroy: (_emitter, reason) => reasons.push(reason),
		onError: (error) => errors.push(error),
	});
	const [first, second, third] = await Promise.all([pool.acquire(), pool.acquire(), pool.acquire()]);
	const [closes, fails, lent] = [first.value, second.value, third.value];
	first.release();
	second.release();
	closes.emit("close");
	assert.equal(pool.stats().idle, 1);
	const reset = new Error("reset");
	fails.emit("error", reset);
	fails.emit("error", new Error("what it says after its end is heard, too"));
	assert.equal(pool.stats().idle, 0);
	lent.emit("close");
	assert.equal(pool.stats().leased, 1, "it is its borrower's until it is given back");
	third.release();
	assert.deepEqual(reasons, ["died", "died", "died"]);
	await turn();
	assert.deepEqual(errors, [reset]);
	assertCounts(pool.stats(), 10);
	await pool.close();
});

test("a socket that its borrower has destroyed is not lent again, and one that its server ends leaves", async () => {
	const server = createServer((socket) => socket.on("data", () => socket.end()));
	server.listen(0, "127.0.0.1");
	await once(server, "listening");
	const address = server.address();
	assert.ok(address !== null && typeof address === "object");
	const pool = new Pool<Socket>({
		create: async (signal) => {
			const socket = connect({ port: address.port, host: "127.0.0.1", allowHalfOpen: true });
			await once(socket, "connect", { signal });
			return socket;
		},
		destroy: (socket) => socket.destroy(),
		max: 1,
	});
	const first = await pool.acquire();
	first.value.destroy();
	first.release();
	assert.deepEqual([pool.stats().idle, pool.stats().destroyed.died], [0, 1]);
	const second = await pool.acquire();
	const socket = second.value;
	const ended = once(socket, "close");
	socket.write("x");
	second.release();
	await ended;
	assert.deepEqual([pool.stats().idle, pool.stats().destroyed.died], [0, 2]);
	await pool.close();
	server.close();
	await once(server, "close");
});

test("a place is free again when its destruction is done, or has taken too long", async () => {
	let finish = (): void => {};
	const { pool } = things({
		max: 1,
		destroyMs: 20,
		destroy: ({ id }) =>
			new Promise<void>((resolve) => {
				if (id === 1) finish = resolve;
			}),
	});
	(await pool.acquire()).discard();
	const second = pool.acquire();
	await turn();
	assert.deepEqual([pool.stats().size, pool.stats().destroying], [1, 1]);
	finish();
	const lease = await second;
	assert.equal(lease.value.id, 2);
	lease.discard();
	const alive = setTimeout(() => {}, 10_000);
	(await pool.acquire()).release();
	clearTimeout(alive);
	await pool.close();
});

test("faults of destroy() and of a discard are told, and change no count", async () => {
	const told: string[] = [];
	const { pool } = things({
		destroy: ({ id }) => {
			if (id === 1) throw new Error("now");
			return Promise.reject(new Error("later"));
		},
		onError: (error, during) => told.push(`${during}: ${(error as Error).message}`),
	});
	(await pool.acquire()).discard(new Error("half read"));
	(await pool.acquire()).discard();
	await turn();
	assert.deepEqual(told, ["lease: half read", "destroy: now", "destroy: later"]);
	assert.equal(pool.stats().size, 0);
	await pool.close();
});

test("closing waits for leases, and after its grace tells who still has one", async () => {
	const { pool, destroyed } = things({ trace: true });
	const [kept, returned] = await Promise.all([pool.acquire(), pool.acquire()]);
	const closing = pool.close({ graceMs: 20 });
	returned.release();
	await assert.rejects(pool.acquire(), PoolClosed);
	const { held } = await closing;
	assert.deepEqual(
		held.map(({ lease }) => lease),
		[1],
	);
	assert.match(held[0]?.stack ?? "", /pool\.test/);
	assert.deepEqual(destroyed, [
		[2, "closed"],
		[1, "closed"],
	]);
	kept.release();
	assert.equal(destroyed.length, 2, "it is destroyed once");
	assertCounts(pool.stats(), 10);
});

test("leases that last too long are listed with the place where they were asked for", async () => {
	const { pool } = things({ leaseMs: 1, trace: true });
	const lease = await pool.acquire();
	const until = performance.now() + 2;
	while (performance.now() < until);
	const [leak, ...others] = pool.leaks();
	assert.deepEqual(others, []);
	assert.equal(leak?.lease, 1);
	assert.ok((leak?.heldMs ?? 0) >= 1);
	assert.match(leak?.stack ?? "", /pool\.test/);
	lease.release();
	assert.deepEqual(pool.leaks(), []);
	await pool.close();
});

test("options that cannot be followed are named", async () => {
	const bad: [string, Partial<PoolOptions<Thing>>][] = [
		["max", { max: 0 }],
		["maxWaiting", { maxWaiting: -1 }],
		["idleMs", { idleMs: "soon" }],
		["jitter", { jitter: 2 }],
	];
	for (const [option, options] of bad)
		assert.throws(
			() => things(options),
			(error) => error instanceof OptionError && error.option === option,
		);
	const { pool } = things();
	await assert.rejects(pool.acquire({ deadline: 0 }), OptionError);
	await assert.rejects(pool.close({ graceMs: "never" }), OptionError);
	(await pool.acquire()).release();
	await pool.close();
});

test("a lease that is forgotten and collected gives its place back, and is told of", async () => {
	const child = spawn(
		process.execPath,
		["--expose-gc", fileURLToPath(new URL("forgotten-lease.js", import.meta.url))],
		{ stdio: ["ignore", "pipe", "inherit"] },
	);
	let output = "";
	child.stdout.on("data", (chunk) => {
		output += chunk;
	});
	const [status] = await once(child, "close");
	assert.equal(status, 0);
	const { leaks, resource, destroyed } = JSON.parse(output) as {
		leaks: { lease: number; stack: string }[];
		resource: number;
		destroyed: unknown;
	};
	assert.equal(leaks.length, 1);
	assert.equal(leaks[0]?.lease, 1);
	assert.match(leaks[0]?.stack ?? "", /forgotten-lease/);
	assert.equal(resource, 2, "the pool of one went on with another resource");
	assert.deepEqual(destroyed, [[1, "leaked"]]);
});

test("whatever order things happen in, no resource is lost, lent twice or destroyed twice", async () => {
	const action = fc.record({
		kind: fc.constantFrom(
			"acquire",
			"acquire",
			"release",
			"release",
			"discard",
			"abort",
			"made",
			"made",
			"failed",
			"healthy",
			"unhealthy",
			"die",
			"ended",
		),
		pick: fc.nat(100),
	});
	const shape = fc.record({
		max: fc.integer({ min: 1, max: 4 }),
		maxWaiting: fc.integer({ min: 0, max: 4 }),
		maxIdle: fc.integer({ min: 0, max: 4 }),
		maxUses: fc.integer({ min: 1, max: 5 }),
		checks: fc.boolean(),
		slowEnds: fc.boolean(),
		actions: fc.array(action, { maxLength: 80 }),
	});
	await fc.assert(
		fc.asyncProperty(shape, async ({ checks, slowEnds, actions, ...limits }) => {
			const alive = new Set<EventEmitter>();
			const lent = new Set<EventEmitter>();
			const makings: { resolve(emitter: EventEmitter): void; reject(error: Error): void }[] = [];
			const checkings: ((healthy: boolean) => void)[] = [];
			const endings: (() => void)[] = [];
			const leases: Lease<EventEmitter>[] = [];
			const aborters: AbortController[] = [];
			const asked: number[] = [];
			const got: number[] = [];
			const pool = new Pool<EventEmitter>({
				...limits,
				create: () => new Promise((resolve, reject) => makings.push({ resolve, reject })),
				destroy: (emitter) => {
					assert.ok(alive.delete(emitter), "it is destroyed once");
					return slowEnds ? new Promise<void>((resolve) => endings.push(resolve)) : undefined;
				},
				...(checks && { check: () => new Promise<boolean>((resolve) => checkings.push(resolve)) }),
			});
			const take = <I>(list: I[], pick: number): I | undefined =>
				list.splice(pick % Math.max(1, list.length), 1)[0];
			const giveBack = (pick: number, how: "release" | "discard"): void => {
				const lease = take(leases, pick);
				if (lease === undefined) return;
				lent.delete(lease.value);
				lease[how]();
				assert.throws(() => lease.release(), LeaseReturned);
			};
			const make = (pick: number): void => {
				const making = take(makings, pick);
				if (making === undefined) return;
				const emitter = new EventEmitter();
				alive.add(emitter);
				making.resolve(emitter);
			};
			const acquire = (number: number): void => {
				const aborter = new AbortController();
				aborters.push(aborter);
				asked.push(number);
				pool.acquire({ signal: aborter.signal }).then(
					(lease) => {
						assert.ok(!lent.has(lease.value), "it is lent to one at a time");
						assert.ok(alive.has(lease.value), "it is not destroyed");
						lent.add(lease.value);
						leases.push(lease);
						got.push(number);
					},
					() => {},
				);
			};
			for (const [number, { kind, pick }] of actions.entries()) {
				if (kind === "acquire") acquire(number);
				else if (kind === "release" || kind === "discard") giveBack(pick, kind);
				else if (kind === "abort") take(aborters, pick)?.abort(new Error("left"));
				else if (kind === "made") make(pick);
				else if (kind === "failed") take(makings, pick)?.reject(new Error("failed"));
				else if (kind === "healthy" || kind === "unhealthy") take(checkings, pick)?.(kind === "healthy");
				else if (kind === "die") [...alive][pick % Math.max(1, alive.size)]?.emit("close");
				else take(endings, pick)?.();
				await turn();
				const stats = pool.stats();
				assertCounts(stats, limits.max);
				assert.equal(stats.leased, leases.length);
				assert.ok(stats.idle <= limits.maxIdle);
				if (stats.waiting > stats.creating + stats.checking)
					assert.ok(stats.size === limits.max && stats.idle === 0, "nobody waits in vain");
				assert.equal(alive.size, stats.created - sum(stats.destroyed));
			}
			assert.deepEqual(
				got,
				[...got].sort((a, b) => a - b),
				"first come, first served",
			);
			const closing = pool.close();
			while (leases.length > 0) giveBack(0, "release");
			while (makings.length > 0) make(0);
			await turn();
			for (const ending of endings) ending();
			assert.deepEqual(await closing, { held: [], creating: 0 });
			assert.equal(alive.size, 0, "each resource was destroyed");
			assertCounts(pool.stats(), limits.max);
			assert.deepEqual([pool.stats().size, pool.stats().waiting], [0, 0]);
		}),
		{ numRuns: 300 },
	);
});

test("a lease that lasts too long is told once, with its borrower's stack, and others are not", async () => {
	const told: Holder[] = [];
	let tell: () => void = () => {};
	const twice = new Promise<void>((resolve) => {
		tell = resolve;
	});
	const pool = new Pool({
		create: () => ({}),
		destroy: () => {},
		leaseMs: 20,
		trace: true,
		onOverdue: (holder) => {
			if (told.push(holder) === 2) tell();
		},
	});
	const leases = [await pool.acquire(), await pool.acquire(), await pool.acquire()];
	leases[1]?.release();
	// The pool's timers keep no process alive.
	const alive = setInterval(() => {}, 1_000);
	await twice;
	clearInterval(alive);
	await pool.close({ graceMs: 30 });
	assert.deepEqual(
		told.map(({ lease }) => lease),
		[1, 3],
	);
	for (const { heldMs, stack } of told) {
		assert.ok(heldMs >= 20);
		assert.match(stack ?? "", /pool\.test/);
	}
});

test("who closes the pool again out of destroy() gets the same end, and it comes as soon as all is gone", async () => {
	const endings: (() => void)[] = [];
	const closings: Promise<unknown>[] = [];
	const pool: Pool<Thing> = new Pool<Thing>({
		create: () => ({ id: 1 }),
		destroy: () => {
			closings.push(pool.close({ graceMs: "1h" }));
			return new Promise<void>((resolve) => endings.push(resolve));
		},
	});
	const [first, second] = await Promise.all([pool.acquire(), pool.acquire()]);
	first.release();
	closings.push(pool.close({ graceMs: "1h" }));
	second.release();
	for (const end of endings) end();
	const [report, ...others] = await Promise.all(closings);
	assert.deepEqual(report, { held: [], creating: 0 });
	assert.equal(others.length, 2);
	for (const other of others) assert.equal(other, report);
});

test("creations that ignore their signal are bounded, and who waits is told of them, or served when one ends", async () => {
	const makings = new Makings();
	const { pool } = things({ create: makings.create, max: 2, maxWaiting: 1, createMs: 5 });
	const alive = setTimeout(() => {}, 10_000);
	for (let round = 0; round < 4; round++) {
		await assert.rejects(pool.acquire(), (error) => {
			assert.ok(error instanceof PoolTimeout);
			assert.deepEqual([error.phase, error.state.abandoned], ["create", round]);
			return true;
		});
		assertCounts(pool.stats(), 2);
	}
	assert.deepEqual([pool.stats().started, pool.stats().abandoned, pool.stats().size], [4, 4, 0]);

	await assert.rejects(pool.acquire({ deadline: 5 }), (error) => {
		assert.ok(error instanceof PoolTimeout);
		assert.deepEqual([error.phase, error.state.abandoned], ["acquire", 4]);
		assert.match(error.message, /4 not done after createMs \(create\(\) must end with its signal\)/);
		return true;
	});
	const waiting = pool.acquire();
	await turn();
	await assert.rejects(pool.acquire(), PoolExhausted);
	assert.equal(pool.stats().started, 4);
	makings.next().resolve({ id: 1 });
	const lease = await waiting;
	assert.equal(lease.value.id, 1);

	// One that fails at last makes room for a new one as well.
	makings.next().reject(new Error("at last"));
	await turn();
	const another = pool.acquire();
	await turn();
	assert.equal(pool.stats().started, 5);
	makings.open.at(-1)?.resolve({ id: 2 });
	for (const one of [lease, await another]) one.release();
	assertCounts(pool.stats(), 2);
	clearTimeout(alive);
	assert.deepEqual(await pool.close({ graceMs: 1 }), { held: [], creating: 2 });
});

test("a resource that ends while it is checked is not lent, though its check says that it is well", async () => {
	let ids = 0;
	const reasons: DestroyReason[] = [];
	const pool = new Pool({
		create: () => Object.assign(new EventEmitter(), { id: ++ids, destroyed: false }),
		destroy: (_resource, reason) => reasons.push(reason),
		check: (resource) => {
			// As a socket says that it is destroyed before it emits `close`.
			resource.destroyed = resource.id === 1;
			return true;
		},
	});
	(await pool.acquire()).release();
	const lease = await pool.acquire();
	assert.equal(lease.value.id, 2);
	assert.deepEqual(reasons, ["died"]);
	lease.release();
	await pool.close();
});

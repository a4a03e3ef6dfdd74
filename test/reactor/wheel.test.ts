import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { TICK_MS, Wheel } from "../../src/parts/wheel.js";
import { tableOf } from "../../src/reactor/table/table.js";

const ROWS = 12;
/** 4096 ticks: a deadline further away is passed over when its bucket comes round first. */
const TURN_MS = 4096 * TICK_MS;
const HOUR_MS = 3_600_000;
/** Rows keep their ticks in 32 bits. */
const TICKS = 2 ** 32;

interface Armed {
	readonly deadlineMs: number;
	/** When it was armed: a deadline that had passed by then is due at the next tick. */
	readonly sinceMs: number;
}

/** What `fire` does besides noting that it was called. */
type Reaction =
	| { readonly kind: "nothing" }
	| { readonly kind: "rearm"; readonly inMs: number }
	| { readonly kind: "armOther"; readonly row: number; readonly inMs: number }
	| { readonly kind: "cancelOther"; readonly row: number };

type Step =
	| { readonly kind: "arm"; readonly row: number; readonly inMs: number }
	| { readonly kind: "cancel"; readonly row: number }
	/** Somebody's traffic wakes the reactor after so long. */
	| { readonly kind: "advance"; readonly ms: number }
	/** Nobody's does: the reactor sleeps for as long as the wheel says. */
	| { readonly kind: "sleep" };

/** The wheel, and beside it the plainest thing that could do its work: a list of deadlines. */
class Pair {
	readonly wheel: Wheel;
	readonly armed = new Map<number, Armed>();
	readonly fired: number[] = [];
	readonly #reactions: Reaction[];
	readonly #rows: readonly number[];
	nowMs: number;

	constructor(startMs: number, reactions: readonly Reaction[]) {
		const table = tableOf(ROWS);
		this.#rows = Array.from({ length: ROWS }, () => table.takeClient());
		this.#reactions = [...reactions];
		this.nowMs = startMs;
		this.wheel = new Wheel(table, startMs);
	}

	take(step: Step): void {
		if (step.kind === "arm") this.#arm(step.row, step.inMs);
		else if (step.kind === "cancel") this.#cancel(step.row);
		else if (step.kind === "advance") this.#expireAt(this.nowMs + step.ms);
		else this.sleep();
		assert.equal(this.wheel.armed, this.armed.size, "rows armed");
		this.#checkDelay();
	}

	sleep(): void {
		const delayMs = this.wheel.delay(this.nowMs);
		this.#expireAt(this.nowMs + Math.max(0, delayMs));
	}

	/** A deadline fires in the tick after it, and a timeout is a whole number of milliseconds. */
	latestMs({ deadlineMs, sinceMs }: Armed): number {
		const lastMs = Math.max(deadlineMs, sinceMs) + TICK_MS;
		// No row is due in tick 0, nor in those that look like it.
		const tick = Math.floor(lastMs / TICK_MS) % TICKS;
		return tick === 0 || tick === TICKS - 1 ? lastMs + TICK_MS : lastMs;
	}

	#arm(row: number, inMs: number): void {
		const slot = this.#rows[row] ?? 0;
		this.wheel.arm(slot, this.nowMs + inMs);
		this.armed.set(slot, { deadlineMs: this.nowMs + inMs, sinceMs: this.nowMs });
	}

	#cancel(row: number): void {
		const slot = this.#rows[row] ?? 0;
		this.wheel.cancel(slot);
		this.armed.delete(slot);
	}

	#expireAt(nowMs: number): void {
		this.nowMs = nowMs;
		this.wheel.expire(nowMs, (slot) => {
			const entry = this.armed.get(slot);
			assert.ok(entry, `row ${slot} fired without a deadline`);
			assert.ok(entry.deadlineMs <= nowMs, `row ${slot} fired ${entry.deadlineMs - nowMs} ms too soon`);
			this.armed.delete(slot);
			this.fired.push(slot);
			this.#react(slot);
			assert.equal(this.wheel.armed, this.armed.size, "rows armed while firing");
		});
		for (const [slot, entry] of this.armed) {
			const lateMs = nowMs - this.latestMs(entry);
			assert.ok(lateMs < 0, `row ${slot} is ${lateMs} ms late beyond its tick, and has not fired`);
		}
	}

	#react(slot: number): void {
		const reaction = this.#reactions.shift();
		if (reaction === undefined || reaction.kind === "nothing") return;
		if (reaction.kind === "rearm") this.#arm(this.#rows.indexOf(slot), reaction.inMs);
		else if (reaction.kind === "armOther") this.#arm(reaction.row, reaction.inMs);
		else this.#cancel(reaction.row);
	}

	#checkDelay(): void {
		const delayMs = this.wheel.delay(this.nowMs);
		assert.ok(Number.isInteger(delayMs), `epoll takes whole milliseconds, not ${delayMs}`);
		if (this.armed.size === 0) return;
		assert.ok(delayMs >= 0, "something is armed, so there is something to wait for");
		const earliestMs = Math.min(...[...this.armed.values()].map((entry) => this.latestMs(entry)));
		assert.ok(this.nowMs + delayMs <= earliestMs + 1, `it would sleep past ${earliestMs}`);
	}
}

const row = fc.nat(ROWS - 1);
/** From passed already to hours away, with many that share a bucket and many around one turn. */
const inMs = fc.oneof(
	fc.integer({ min: -200, max: 200 }),
	fc.double({ min: 0, max: 5_000, noNaN: true }),
	fc.constantFrom(TICK_MS, 10 * TICK_MS, TURN_MS + 10 * TICK_MS, 3 * TURN_MS + 10 * TICK_MS),
	fc.integer({ min: TURN_MS - 100, max: TURN_MS + 100 }),
	fc.integer({ min: 0, max: 6 * HOUR_MS }),
);
const reaction: fc.Arbitrary<Reaction> = fc.oneof(
	fc.constant<Reaction>({ kind: "nothing" }),
	fc.record({ kind: fc.constant("rearm" as const), inMs }),
	fc.record({ kind: fc.constant("armOther" as const), row, inMs }),
	fc.record({ kind: fc.constant("cancelOther" as const), row }),
);
const arm = fc.record({ kind: fc.constant("arm" as const), row, inMs });
const cancel = fc.record({ kind: fc.constant("cancel" as const), row });
const advance = (ms: fc.Arbitrary<number>) => fc.record({ kind: fc.constant("advance" as const), ms });
const short = advance(
	fc.oneof(fc.integer({ min: 0, max: 100 }), fc.double({ min: 0, max: 3_000, noNaN: true })),
);
/** No more than one turn at a time, as long as something happens in the process every two minutes. */
const withinTurn = advance(fc.integer({ min: 0, max: TURN_MS - TICK_MS }));
const hours = advance(fc.integer({ min: 0, max: 6 * HOUR_MS }));
/** Some shortly before ticks need another bit, the 32nd or the 33rd. */
const start = fc.oneof(
	fc.double({ min: 0, max: 30 * 24 * HOUR_MS, noNaN: true }),
	fc
		.tuple(fc.integer({ min: 1, max: 4 }), fc.double({ min: 0, max: 12 * HOUR_MS, noNaN: true }))
		.map(([halves, beforeMs]) => (halves * TICKS * TICK_MS) / 2 - beforeMs),
);
const steps = (...kinds: fc.Arbitrary<Step>[]) => fc.array(fc.oneof(...kinds), { maxLength: 60 });

function agrees(all: fc.Arbitrary<Step[]>, runs: number): void {
	fc.assert(
		fc.property(start, all, fc.array(reaction, { maxLength: 30 }), (startMs, list, reactions) => {
			const pair = new Pair(startMs, reactions);
			for (const step of list) pair.take(step);
		}),
		{ numRuns: runs },
	);
}

test("in a busy reactor each deadline fires once, never before its time and at most a tick late", () => {
	agrees(steps(arm, arm, cancel, short, withinTurn), 3_000);
});

test("a clock that jumps by hours delays no deadline", () => {
	agrees(steps(arm, arm, cancel, short, hours), 3_000);
});

test("a reactor that sleeps until the wheel wakes it misses no deadline", () => {
	agrees(steps(arm, arm, cancel, short, fc.constant<Step>({ kind: "sleep" })), 3_000);
});

test("sleeping from wake-up to wake-up, everything fires in the end, with few wake-ups for nothing", () => {
	fc.assert(
		fc.property(start, fc.array(fc.record({ row, inMs }), { maxLength: 30 }), (startMs, arms) => {
			const pair = new Pair(startMs, []);
			for (const { row, inMs } of arms) pair.take({ kind: "arm", row, inMs });
			const rows = [...pair.armed.keys()].sort((a, b) => a - b);
			// Each row costs one wake-up per turn of the wheel at most, and its own.
			const wakeUpsMax = rows.length * (2 + (6 * HOUR_MS) / TURN_MS);
			for (let wakeUps = 0; pair.armed.size > 0; wakeUps++) {
				assert.ok(wakeUps <= wakeUpsMax, "it wakes without end");
				pair.sleep();
			}
			assert.deepEqual(
				pair.fired.sort((a, b) => a - b),
				rows,
			);
			assert.equal(pair.wheel.delay(pair.nowMs), -1);
		}),
	);
});

test("an idle deadline of ten minutes fires on time when nothing else happens meanwhile", () => {
	const pair = new Pair(1_000, []);
	pair.take({ kind: "arm", row: 0, inMs: 600_000 });
	for (let wakeUps = 0; pair.armed.size > 0 && wakeUps < 10; wakeUps++) pair.sleep();
	assert.deepEqual(pair.fired, [0]);
	const lateMs = pair.nowMs - 601_000;
	assert.ok(lateMs <= TICK_MS, `${lateMs} ms late`);
});

test("a machine that has been up for years keeps its deadlines", () => {
	const YEAR_MS = 365 * 24 * HOUR_MS;
	// 2^31 and 2^32 ticks are 2.18 and 4.36 years.
	for (const years of [1, 2.1, 2.2, 3, 4.4, 10]) {
		const pair = new Pair(years * YEAR_MS, []);
		pair.take({ kind: "arm", row: 0, inMs: 5_000 });
		pair.take({ kind: "arm", row: 1, inMs: TURN_MS + 5_000 });
		pair.take({ kind: "advance", ms: 4_000 });
		pair.take({ kind: "advance", ms: 2_000 });
		assert.deepEqual(pair.fired, [0], `after ${years} years`);
		pair.take({ kind: "advance", ms: TURN_MS - 2_000 });
		assert.deepEqual(pair.fired, [0], `after ${years} years`);
		pair.take({ kind: "advance", ms: 2_000 });
		assert.deepEqual(pair.fired, [0, 1], `after ${years} years`);
	}
});

test("a deadline that is further away than ticks can tell fires too soon, by years, and never too late", () => {
	const YEAR_MS = 365 * 24 * HOUR_MS;
	for (const startMs of [0, 3 * YEAR_MS, 6 * YEAR_MS]) {
		const table = tableOf(1);
		const slot = table.takeClient();
		const wheel = new Wheel(table, startMs);
		wheel.arm(slot, startMs + 100 * YEAR_MS);
		let fired = 0;
		for (let day = 1; day <= 390; day++) {
			assert.equal(fired, 0, `after ${day} days`);
			wheel.expire(startMs + day * 24 * HOUR_MS, () => fired++);
		}
		wheel.expire(startMs + 1.1 * YEAR_MS, () => fired++);
		assert.equal(fired, 1);
	}
});

test("whoever asks is told the tick of a row's deadline, in any year, and 0 where there is none", () => {
	fc.assert(
		fc.property(start, fc.integer({ min: -1_000, max: 12 * HOUR_MS }), (startMs, inMs) => {
			const table = tableOf(1);
			const slot = table.takeClient();
			const wheel = new Wheel(table, startMs);
			assert.equal(wheel.deadlineOf(slot), 0);
			wheel.arm(slot, startMs + inMs);
			const lateMs = wheel.deadlineOf(slot) - Math.max(startMs + inMs, startMs);
			assert.ok(lateMs >= 0 && lateMs <= 2 * TICK_MS, `${lateMs} ms late`);
			wheel.cancel(slot);
			assert.equal(wheel.deadlineOf(slot), 0);
		}),
	);
});

test("a deadline may fire, close every other row of its bucket, and none of them is walked to", () => {
	for (const survivor of [0, 5, ROWS - 1]) {
		const table = tableOf(ROWS);
		for (let i = 0; i < ROWS; i++) table.takeClient();
		const wheel = new Wheel(table, 0);
		for (let slot = 0; slot < ROWS; slot++) wheel.arm(slot, 100);
		const fired: number[] = [];
		wheel.expire(200, (slot) => {
			fired.push(slot);
			for (let other = 0; other < ROWS; other++) if (other !== survivor) wheel.cancel(other);
		});
		// The first to fire is whichever heads the list; of the rest only the survivor is left.
		assert.deepEqual(new Set(fired), new Set([...fired.slice(0, 1), survivor]), `survivor ${survivor}`);
		assert.equal(wheel.armed, 0);
	}
});

test("what is left for the next time is due at once, and all of it fires in the end, in no more than its share", () => {
	fc.assert(
		fc.property(
			fc.array(fc.integer({ min: 0, max: 40 * TICK_MS }), { minLength: 1, maxLength: ROWS }),
			fc.integer({ min: 1, max: ROWS }),
			fc.integer({ min: 0, max: 50 * TICK_MS }),
			(deadlines, most, nowMs) => {
				const table = tableOf(ROWS);
				const wheel = new Wheel(table, 0);
				for (const deadlineMs of deadlines) wheel.arm(table.takeClient(), deadlineMs);
				// The first tick that begins at or after it has begun; and none is due in the tick it was armed in.
				const due = (ms: number): boolean =>
					Math.max(1, Math.ceil(ms / TICK_MS)) <= Math.floor(nowMs / TICK_MS);
				const expected = deadlines.filter(due).length;
				let fired = 0;
				for (let calls = 0; fired < expected; calls++) {
					assert.equal(wheel.delay(nowMs), 0, `${expected - fired} wait for it`);
					const before = fired;
					wheel.expire(nowMs, () => fired++, most);
					assert.ok(fired - before <= most, "more than its share");
					assert.ok(calls <= 2 * ROWS, "it comes to no end");
				}
				wheel.expire(nowMs, () => assert.fail("too many"), most);
				assert.equal(wheel.armed, deadlines.length - expected);
				assert.notEqual(wheel.delay(nowMs), 0);
			},
		),
	);
});

test("with nothing armed there is nothing to wait for", () => {
	const table = tableOf(1);
	const slot = table.takeClient();
	const wheel = new Wheel(table, 0);
	assert.equal(wheel.delay(0), -1);
	wheel.cancel(slot);
	assert.equal(wheel.armed, 0);
	wheel.arm(slot, 500);
	wheel.cancel(slot);
	// A cancelled deadline may cost one wake-up, and no more.
	wheel.expire(1_000, () => assert.fail("nothing is armed"));
	assert.equal(wheel.delay(1_000), -1);
});

import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";
import fc from "fast-check";
import { OptionError, TokenBucket, TokenBucketClosed, TooManyWaiters } from "../../src/guard/token-bucket.js";
import { refilled, untilMs } from "../../src/parts/token-bucket.js";

/** Slow enough that nothing comes back during a test. */
const SLOW = 0.001;

test("a bucket begins full, gives its burst, and then no more", () => {
	const bucket = new TokenBucket({ perSecond: SLOW, burst: 3 });
	assert.deepEqual(
		[1, 1, 1, 1].map((n) => bucket.tryTake(n)),
		[true, true, true, false],
	);
});

test("whatever is asked for and when, never more is given than the burst and what has come since", () => {
	fc.assert(
		fc.property(
			fc.integer({ min: 1, max: 100 }),
			fc.integer({ min: 1, max: 100 }),
			fc.array(fc.record({ afterMs: fc.nat(500), wanted: fc.integer({ min: 1, max: 20 }) })),
			(perSecond, burst, asks) => {
				let nowMs = 0;
				let tokens = burst;
				let given = 0;
				for (const { afterMs, wanted } of asks) {
					tokens = refilled(tokens, nowMs, perSecond, burst, nowMs + afterMs);
					nowMs += afterMs;
					if (untilMs(tokens, perSecond, wanted) > 0) continue;
					tokens -= wanted;
					given += wanted;
				}
				assert.ok(given <= burst + (perSecond * nowMs) / 1_000 + 1e-6);
			},
		),
	);
});

test("who waits is served in order, and nobody overtakes, however little it wants", async () => {
	const bucket = new TokenBucket({ perSecond: 200, burst: 4 });
	assert.ok(bucket.tryTake(4));
	const served: string[] = [];
	const waits = [
		bucket.take(4).then(() => served.push("much")),
		bucket.take(1).then(() => served.push("little")),
		bucket.take(2).then(() => served.push("two")),
	];
	assert.equal(bucket.tryTake(1), false);
	await Promise.all(waits);
	assert.deepEqual(served, ["much", "little", "two"]);
	assert.equal(bucket.waiting, 0);
});

test("a signal ends the wait, leaves no listener, and lets the next one go on", async () => {
	const bucket = new TokenBucket({ perSecond: SLOW, burst: 5 });
	assert.ok(bucket.tryTake(3));
	const controller = new AbortController();
	const first = bucket.take(5, { signal: controller.signal });
	const second = bucket.take(2);
	controller.abort(new Error("enough"));
	await assert.rejects(first, /enough/);
	await second;
	assert.deepEqual([bucket.waiting, getEventListeners(controller.signal, "abort").length], [0, 0]);
	await assert.rejects(bucket.take(1, { signal: controller.signal }), /enough/);
});

test("a hundred thousand waits that were given up leave nothing", async () => {
	const bucket = new TokenBucket({ perSecond: SLOW, burst: 1, waitersMax: 100_000 });
	assert.ok(bucket.tryTake());
	// A signal each: one signal walks over its listeners for every listener that is added.
	const controllers = Array.from({ length: 100_000 }, () => new AbortController());
	const waits = controllers.map(({ signal }) => bucket.take(1, { signal }));
	for (const controller of controllers) controller.abort();
	const results = await Promise.allSettled(waits);
	assert.ok(results.every(({ status }) => status === "rejected"));
	assert.equal(bucket.waiting, 0);
	assert.ok(controllers.every(({ signal }) => getEventListeners(signal, "abort").length === 0));
	bucket.close();
});

test("the line has an end", async () => {
	const bucket = new TokenBucket({ perSecond: SLOW, burst: 1, waitersMax: 1 });
	assert.ok(bucket.tryTake());
	const wait = bucket.take();
	await assert.rejects(bucket.take(), TooManyWaiters);
	bucket.close();
	await assert.rejects(wait, TokenBucketClosed);
	await assert.rejects(bucket.take(), TokenBucketClosed);
});

test("from two buckets all is taken or nothing: what one lacks is not spent in the other", async () => {
	const own = new TokenBucket({ perSecond: 100, burst: 2 });
	const shared = new TokenBucket({ perSecond: SLOW, burst: 3 });
	assert.ok(own.tryTake(2));
	const wait = TokenBucket.takeFrom([own, shared], 2);
	assert.equal(Math.floor(shared.available), 3);
	await wait;
	assert.equal(Math.floor(shared.available), 1);
	const never = TokenBucket.takeFrom([own, shared], 2);
	shared.close();
	await assert.rejects(never, TokenBucketClosed);
	await own.take(2);
});

test("many connections share one bucket without a deadlock, whatever the order of the buckets", async () => {
	const shared = new TokenBucket({ perSecond: 2_000, burst: 10 });
	const owns = Array.from({ length: 5 }, () => new TokenBucket({ perSecond: 1_000, burst: 5 }));
	await Promise.all(
		owns.flatMap((own, index) =>
			Array.from({ length: 20 }, () =>
				TokenBucket.takeFrom(index % 2 === 0 ? [own, shared] : [shared, own], 2),
			),
		),
	);
	assert.ok(owns.every(({ waiting }) => waiting === 0) && shared.waiting === 0);
});

test("no timer runs while nobody waits", () => {
	const timers = (): number => process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length;
	const before = timers();
	const bucket = new TokenBucket({ perSecond: 10 });
	bucket.tryTake(10);
	bucket.tryTake(10);
	assert.equal(timers(), before);
});

test("more than the burst is never there, and is refused at once", () => {
	const bucket = new TokenBucket({ perSecond: 10, burst: 5 });
	for (const tokens of [6, 0, -1, Number.NaN]) assert.throws(() => bucket.tryTake(tokens), OptionError);
	assert.throws(
		() => new TokenBucket({ perSecond: 0 }),
		/^OptionError: perSecond: expected a number above 0/,
	);
});

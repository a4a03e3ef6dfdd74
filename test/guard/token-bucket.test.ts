import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { mock, type TestContext, test } from "node:test";
import fc from "fast-check";
import {
	OptionError,
	TokenBucket,
	TokenBucketClosed,
	type TokenBucketOptions,
	TooManyWaiters,
} from "../../src/guard/token-bucket.js";

/** A bucket whose clock is the mocked one. */
function bucketOf(options: TokenBucketOptions): TokenBucket {
	return new TokenBucket({ now: Date.now, ...options });
}

/** Settled promises have run what waited for them. */
function turn(): Promise<void> {
	return new Promise((resolve) => setImmediate(resolve));
}

function mockTime({ mock }: TestContext): void {
	mock.timers.enable({ apis: ["setTimeout", "Date"] });
}

/** Notes in which order the promises are fulfilled. */
function ordered(names: string[], takes: Readonly<Record<string, Promise<void>>>): void {
	for (const [name, take] of Object.entries(takes)) take.then(() => names.push(name));
}

/** How many timers of Node's keep the process alive. */
function timers(): number {
	return process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;
}

test("a full bucket gives its burst at once, and then its rate", (context) => {
	mockTime(context);
	const bucket = bucketOf({ perSecond: 10, burst: 3 });
	assert.deepEqual(
		[1, 2, 3, 4].map(() => bucket.tryTake()),
		[true, true, true, false],
	);
	context.mock.timers.tick(99);
	assert.equal(bucket.tryTake(), false);
	context.mock.timers.tick(1);
	assert.deepEqual([bucket.tryTake(), bucket.tryTake()], [true, false]);
	context.mock.timers.tick(60_000);
	assert.equal(bucket.available, 3);
});

test("the burst is one second's worth where nothing is said, and at least one", () => {
	assert.equal(new TokenBucket({ perSecond: 50 }).burst, 50);
	assert.equal(new TokenBucket({ perSecond: 0.1 }).burst, 1);
});

test("options and numbers that cannot be followed are refused", async () => {
	for (const options of [
		{ perSecond: 0 },
		{ perSecond: Number.NaN },
		{ perSecond: Number.POSITIVE_INFINITY },
		{ perSecond: 1, burst: -1 },
		{ perSecond: 1, waitersMax: 1.5 },
	])
		assert.throws(() => new TokenBucket(options), OptionError);
	const bucket = new TokenBucket({ perSecond: 1, burst: 5 });
	for (const tokens of [6, -1, Number.NaN]) {
		assert.throws(() => bucket.tryTake(tokens), OptionError);
		await assert.rejects(bucket.take(tokens), OptionError);
	}
	await assert.rejects(TokenBucket.takeFrom([]), OptionError);
	await assert.rejects(TokenBucket.takeFrom([bucket, bucket]), OptionError);
	assert.equal(Math.floor(bucket.available), 5);
});

test("who comes first is served first, and a smaller take does not overtake", async (context) => {
	mockTime(context);
	const bucket = bucketOf({ perSecond: 10, burst: 10 });
	assert.ok(bucket.tryTake(10));
	const names: string[] = [];
	ordered(names, { large: bucket.take(8), small: bucket.take(1), last: bucket.take(2) });
	context.mock.timers.tick(700);
	await turn();
	assert.deepEqual(names, []);
	assert.equal(bucket.tryTake(), false, "nor does one that does not wait");
	context.mock.timers.tick(100);
	await turn();
	assert.deepEqual(names, ["large"]);
	context.mock.timers.tick(300);
	await turn();
	assert.deepEqual(names, ["large", "small", "last"]);
	assert.equal(bucket.waiting, 0);
});

test("when the first gives up, the next one is served with what there is", async (context) => {
	mockTime(context);
	const bucket = bucketOf({ perSecond: 10, burst: 10 });
	bucket.tryTake(10);
	const controller = new AbortController();
	const large = bucket.take(10, { signal: controller.signal });
	const small = bucket.take(2);
	context.mock.timers.tick(200);
	controller.abort(new Error("enough"));
	await assert.rejects(large, /enough/);
	await small;
	assert.equal(bucket.waiting, 0);
});

test("a signal that is aborted already takes nothing", async () => {
	const bucket = new TokenBucket({ perSecond: 1 });
	await assert.rejects(bucket.take(1, { signal: AbortSignal.abort() }), { name: "AbortError" });
	assert.equal(bucket.tryTake(), true);
});

test("the signal keeps no listener, whether the take was served, refused, aborted or closed", async (context) => {
	mockTime(context);
	const { signal } = new AbortController();
	const count = () => getEventListeners(signal, "abort").length;
	const bucket = bucketOf({ perSecond: 1, waitersMax: 1 });
	await bucket.take(1, { signal });
	const waits = bucket.take(1, { signal });
	assert.equal(count(), 1);
	await assert.rejects(bucket.take(1, { signal }), TooManyWaiters);
	assert.equal(count(), 1);
	context.mock.timers.tick(1_000);
	await waits;
	assert.equal(count(), 0);
	const closed = bucket.take(1, { signal });
	bucket.close();
	await assert.rejects(closed, TokenBucketClosed);
	assert.equal(count(), 0);
	const aborting = new AbortController();
	const other = bucketOf({ perSecond: 1 });
	other.tryTake();
	const aborted = other.take(1, { signal: aborting.signal });
	aborting.abort();
	await assert.rejects(aborted);
	assert.equal(getEventListeners(aborting.signal, "abort").length, 0);
});

test("no more wait than may", async () => {
	const bucket = new TokenBucket({ perSecond: 1, waitersMax: 2 });
	bucket.tryTake();
	const waits = [bucket.take(), bucket.take()].map((take) => assert.rejects(take, TokenBucketClosed));
	await assert.rejects(bucket.take(), { code: "SLUICE_TOO_MANY_WAITERS", waitersMax: 2 });
	bucket.close();
	await Promise.all(waits);
	assert.throws(() => bucket.tryTake(), { code: "SLUICE_TOKEN_BUCKET_CLOSED" });
	await assert.rejects(bucket.take(), TokenBucketClosed);
});

test("closing serves nobody from the closed bucket, and those who waited behind in another one", async (context) => {
	mockTime(context);
	const own = bucketOf({ perSecond: 1, burst: 4 });
	const shared = bucketOf({ perSecond: 100, burst: 4 });
	own.tryTake(3);
	const large = TokenBucket.takeFrom([own, shared], 4);
	const small = own.take(1);
	own.close();
	await assert.rejects(large, TokenBucketClosed);
	await assert.rejects(small, TokenBucketClosed);
	assert.equal(shared.waiting, 0);
	assert.equal(shared.tryTake(4), true);
});

test("there is a timer while somebody waits, and no other", async () => {
	const before = timers();
	const bucket = new TokenBucket({ perSecond: 0.001 });
	bucket.tryTake();
	assert.equal(timers(), before);
	const controller = new AbortController();
	const waits = Array.from({ length: 10 }, () => bucket.take(1, { signal: controller.signal }));
	assert.equal(timers(), before + 1);
	controller.abort();
	await Promise.allSettled(waits);
	assert.equal(timers(), before);
});

test("from two buckets both are taken at one moment, and neither before", async (context) => {
	mockTime(context);
	const own = bucketOf({ perSecond: 10, burst: 10 });
	const shared = bucketOf({ perSecond: 100, burst: 100 });
	own.tryTake(10);
	let isServed = false;
	const both = TokenBucket.takeFrom([shared, own], 5).then(() => {
		isServed = true;
	});
	context.mock.timers.tick(499);
	await turn();
	assert.deepEqual([isServed, shared.available, Math.floor(own.available)], [false, 100, 4]);
	context.mock.timers.tick(1);
	await both;
	assert.deepEqual([shared.available, own.available], [95, 0]);
});

test("who waits for its own bucket holds nobody up in the shared one", async (context) => {
	mockTime(context);
	const own = bucketOf({ perSecond: 1, burst: 10 });
	const shared = bucketOf({ perSecond: 100, burst: 100 });
	own.tryTake(10);
	const slow = TokenBucket.takeFrom([own, shared], 10);
	assert.equal(shared.tryTake(100), true);
	const behind = shared.take(10);
	context.mock.timers.tick(100);
	await behind;
	// But when it has come to the shared line, smaller takes go behind it.
	context.mock.timers.tick(9_900);
	await slow;
	assert.equal(shared.available, 90);
});

test("a bucket that stood full while another one was waited for has not gained anything by that", async (context) => {
	mockTime(context);
	const slow = bucketOf({ perSecond: 1, burst: 4 });
	const fast = bucketOf({ perSecond: 2, burst: 4 });
	fast.tryTake(2);
	const both = TokenBucket.takeFrom([slow, fast], 3);
	context.mock.timers.tick(500);
	await both;
	assert.equal(slow.available, 1);
	context.mock.timers.tick(500);
	assert.equal(slow.available, 1.5);
});

test("a large take comes to its turn while small ones come all the time", async (context) => {
	mockTime(context);
	const own = bucketOf({ perSecond: 10, burst: 10 });
	const shared = bucketOf({ perSecond: 20, burst: 20 });
	own.tryTake(10);
	shared.tryTake(20);
	let isServed = false;
	const large = TokenBucket.takeFrom([own, shared], 10).then(() => {
		isServed = true;
	});
	const small: Promise<void>[] = [];
	for (let step = 0; step < 40 && !isServed; step++) {
		small.push(own.take(1), shared.take(1), TokenBucket.takeFrom([shared, own], 1));
		context.mock.timers.tick(100);
		await turn();
	}
	assert.ok(isServed);
	await large;
	own.close();
	shared.close();
	await Promise.allSettled(small);
	assert.deepEqual([own.waiting, shared.waiting], [0, 0]);
});

test("tens of thousands that give up leave nothing, and as many are served at once", async (context) => {
	mockTime(context);
	const MANY = 30_000;
	const bucket = bucketOf({ perSecond: 1, burst: MANY, waitersMax: MANY });
	bucket.tryTake(MANY);
	const controllers = Array.from({ length: MANY }, () => new AbortController());
	const takes = Promise.allSettled(controllers.map(({ signal }) => bucket.take(1, { signal })));
	assert.equal(bucket.waiting, MANY);
	// From the end, from the middle, from the front.
	for (const controller of [...controllers.splice(MANY / 2), ...controllers]) controller.abort();
	assert.ok((await takes).every(({ status }) => status === "rejected"));
	assert.equal(bucket.waiting, 0);

	context.mock.timers.tick(2 * MANY * 1_000);
	bucket.tryTake(MANY);
	const first = new AbortController();
	const large = bucket.take(MANY, { signal: first.signal });
	const small = Array.from({ length: MANY - 1 }, () => bucket.take(1));
	context.mock.timers.tick((MANY - 1) * 1_000);
	first.abort();
	await assert.rejects(large);
	await Promise.all(small);
	assert.equal(bucket.waiting, 0);
});

type Step =
	| { readonly kind: "wait"; readonly ms: number }
	| { readonly kind: "take" | "tryTake"; readonly from: number; readonly tokens: number }
	| { readonly kind: "abort"; readonly which: number };

const steps: fc.Arbitrary<Step[]> = fc.array(
	fc.oneof(
		fc.record({ kind: fc.constant("wait" as const), ms: fc.integer({ min: 1, max: 1_500 }) }),
		fc.record({
			kind: fc.constantFrom("take" as const, "tryTake" as const),
			from: fc.integer({ min: 0, max: 6 }),
			tokens: fc.integer({ min: 1, max: 4 }),
		}),
		fc.record({ kind: fc.constant("abort" as const), which: fc.nat(30) }),
	),
	{ maxLength: 60 },
);

const rates = fc.tuple(...[0, 1, 2].map(() => fc.integer({ min: 1, max: 40 })));

test("no bucket ever gives more than its burst and its rate, and everybody is served in the end", async () => {
	await fc.assert(
		fc.asyncProperty(rates, steps, async (perSecond, steps) => {
			mock.timers.enable({ apis: ["setTimeout", "Date"] });
			try {
				await follow(perSecond, steps);
			} finally {
				mock.timers.reset();
			}
		}),
		{ numRuns: 100 },
	);
});

async function follow(perSecond: readonly number[], steps: readonly Step[]): Promise<void> {
	const BURST = 4;
	const buckets = perSecond.map((rate) => bucketOf({ perSecond: rate, burst: BURST }));
	const given: { readonly bucket: TokenBucket; readonly tokens: number; readonly atMs: number }[] = [];
	const controllers: AbortController[] = [];
	const takes: Promise<void>[] = [];
	const give = (from: readonly TokenBucket[], tokens: number) => {
		for (const bucket of from) given.push({ bucket, tokens, atMs: Date.now() });
	};
	/** Small steps: what is served is noted at the time at which it is. */
	const pass = async (ms: number) => {
		for (let passedMs = 0; passedMs < ms; passedMs += 50) {
			mock.timers.tick(50);
			await turn();
		}
	};
	for (const step of steps)
		if (step.kind === "wait") await pass(step.ms);
		else if (step.kind === "abort") controllers[step.which]?.abort();
		else {
			// Each of the seven ways to choose from three, and from front or back.
			const chosen = buckets.filter((_, index) => (step.from + 1) & (1 << index));
			const from = step.tokens % 2 === 0 ? chosen : chosen.reverse();
			if (step.kind === "tryTake") {
				if (TokenBucket.tryTakeFrom(from, step.tokens)) give(from, step.tokens);
				continue;
			}
			const controller = new AbortController();
			controllers.push(controller);
			takes.push(
				TokenBucket.takeFrom(from, step.tokens, { signal: controller.signal }).then(
					() => give(from, step.tokens),
					(error: Error) => assert.equal(error.name, "AbortError"),
				),
			);
		}
	for (let round = 0; round < 400 && buckets.some(({ waiting }) => waiting > 0); round++) await pass(1_000);
	await turn();
	assert.deepEqual(
		buckets.map(({ waiting }) => waiting),
		[0, 0, 0],
	);
	await Promise.all(takes);
	for (const bucket of buckets) {
		const own = given.filter((entry) => entry.bucket === bucket);
		for (let first = 0; first < own.length; first++) {
			let sum = 0;
			for (const { tokens, atMs } of own.slice(first)) {
				sum += tokens;
				// One of the steps above may lie between the giving and the note of it.
				const seconds = (atMs - (own[first]?.atMs ?? 0) + 50) / 1_000;
				assert.ok(sum <= BURST + bucket.perSecond * seconds + 1e-6, `${sum} in ${seconds} s`);
			}
		}
	}
}

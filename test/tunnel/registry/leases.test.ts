import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Claim, MemoryLeases } from "../../../src/tunnel/registry/leases.js";

const KEEP_MS = 1_000;

const claim = (identity: string, epoch: number, more: Partial<Claim> = {}): Claim => ({
	...{ name: "app", kind: "http", identity, epoch, shared: false },
	...more,
});

test("epochs of an identity only grow, over restarts as well", async () => {
	let wallMs = 5_000;
	const epochs: number[] = [];
	for (let restart = 0; restart < 3; restart++) {
		wallMs += 10;
		const leases = new MemoryLeases(
			() => 0,
			() => wallMs,
		);
		// A clock that is set back while it runs does not matter.
		for (const step of [0, 0, -3_000, 4_000]) {
			wallMs += step;
			epochs.push(await leases.nextEpoch("a"));
		}
	}
	assert.deepEqual(
		epochs,
		[...new Set(epochs)].sort((a, b) => a - b),
	);
});

test("the same identity takes over, also as another kind; the older epoch has nothing then", async () => {
	const leases = new MemoryLeases(() => 0);
	assert.equal(await leases.acquire(claim("a", 1)), undefined);
	assert.equal((await leases.acquire(claim("b", 9)))?.code, "taken");
	assert.equal((await leases.acquire(claim("a", 1)))?.code, "taken");
	assert.equal(await leases.acquire(claim("a", 2, { kind: "tls" })), undefined);
	assert.equal((await leases.acquire(claim("a", 1)))?.code, "superseded");
	await leases.release("app", "a", 1, KEEP_MS);
	assert.equal((await leases.acquire(claim("b", 9)))?.code, "taken", "the release came too late to matter");
	await leases.release("app", "a", 2, 0);
	assert.equal(await leases.acquire(claim("b", 9)), undefined);
});

test("a name that is kept is its identity's alone until then", async () => {
	let now = 0;
	const leases = new MemoryLeases(() => now);
	await leases.acquire(claim("a", 1));
	await leases.release("app", "a", 1, KEEP_MS);
	now = KEEP_MS - 1;
	assert.equal((await leases.acquire(claim("b", 1)))?.code, "taken");
	assert.equal(await leases.acquire(claim("a", 2)), undefined);
	await leases.release("app", "a", 2, KEEP_MS);
	now += KEEP_MS;
	assert.equal(await leases.acquire(claim("b", 1)), undefined);
});

test("names that are kept for nobody who comes are bounded", async () => {
	const leases = new MemoryLeases(() => 0);
	for (let index = 0; index < 10_000; index++) {
		await leases.acquire(claim("a", 1, { name: `n${index}` }));
		await leases.release(`n${index}`, "a", 1, KEEP_MS);
	}
	assert.ok(leases.size <= 4_096, String(leases.size));
	assert.equal(
		(await leases.acquire(claim("b", 1, { name: "n9999" })))?.code,
		"taken",
		"the last is still kept",
	);
});

interface Step {
	readonly identity: string;
	readonly name: string;
	readonly epoch: number;
	readonly does: "acquire" | "keep" | "free" | "wait";
}

const step: fc.Arbitrary<Step> = fc.record({
	identity: fc.constantFrom("a", "b", "shared"),
	name: fc.constantFrom("x", "y"),
	epoch: fc.integer({ min: 1, max: 4 }),
	does: fc.constantFrom("acquire", "keep", "free", "wait"),
});

/** Who has a name, kept as simply as can be. */
interface Known {
	identity: string;
	epochs: number[];
	keptUntilMs: number;
}

test("whatever comes in any order, a name is one identity's, and one epoch's unless it is shared", async () => {
	await fc.assert(
		fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
			let now = 0;
			const leases = new MemoryLeases(() => now);
			const model = new Map<string, Known>();
			for (const { identity, name, epoch, does } of steps) {
				const known = model.get(name);
				const isFree = known === undefined || (known.epochs.length === 0 && now >= known.keptUntilMs);
				if (does === "wait") now += KEEP_MS / 2;
				else if (does === "acquire") {
					const shared = identity === "shared";
					const refusal = await leases.acquire({ name, kind: "http", identity, epoch, shared });
					const mayHave =
						isFree ||
						(known.identity === identity &&
							!known.epochs.includes(epoch) &&
							(shared || known.epochs.every((each) => each < epoch)));
					assert.equal(refusal === undefined, mayHave);
					if (refusal !== undefined) continue;
					const others = shared && !isFree ? known.epochs : [];
					model.set(name, { identity, epochs: [...others, epoch], keptUntilMs: 0 });
				} else {
					await leases.release(name, identity, epoch, does === "keep" ? KEEP_MS : 0);
					if (known?.identity !== identity || !known.epochs.includes(epoch)) continue;
					known.epochs = known.epochs.filter((each) => each !== epoch);
					if (known.epochs.length === 0) known.keptUntilMs = does === "keep" ? now + KEEP_MS : now;
				}
			}
		}),
		{ numRuns: 300 },
	);
});

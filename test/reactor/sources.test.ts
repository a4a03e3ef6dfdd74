import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import fc from "fast-check";
import {
	NOT_COUNTED,
	type SourceLimits,
	Sources,
	sourcePlaces,
	TOO_FAST,
	TOO_MANY,
} from "../../src/reactor/records/sources.js";
import type { ThreadOptions } from "./sources-thread.js";

const UNLIMITED: SourceLimits = {
	connections: Number.POSITIVE_INFINITY,
	perSecond: Number.POSITIVE_INFINITY,
};
/** A table of one set, in which every address meets every other. */
const ONE_SET = 8;

interface Address {
	readonly family: 4 | 6;
	readonly bytes: Uint8Array;
}

function ipv4(...bytes: number[]): Address {
	return { family: 4, bytes: Uint8Array.from([...bytes, ...new Array<number>(12).fill(0)]) };
}

function ipv6(...words: number[]): Address {
	const bytes = new Uint8Array(16);
	for (const [index, word] of words.entries()) bytes.set([word >> 8, word & 255], 2 * index);
	return { family: 6, bytes };
}

function enter(sources: Sources, { family, bytes }: Address, limits = UNLIMITED, nowMs = 0): number {
	return sources.enter(family, bytes, 0, limits, nowMs);
}

test("an address may hold as many connections as the limit says, and one more when one has left", () => {
	const sources = new Sources(1_024);
	const limits = { ...UNLIMITED, connections: 3 };
	const client = ipv4(192, 0, 2, 1);
	const places = [1, 2, 3].map(() => enter(sources, client, limits));
	assert.equal(new Set(places).size, 1, "all of them are counted in one place");
	assert.equal(enter(sources, client, limits), TOO_MANY);
	assert.equal(enter(sources, ipv4(192, 0, 2, 2), limits) >= 0, true, "its neighbour is not meant");
	sources.leave(places[0] ?? -1);
	assert.equal(enter(sources, client, limits), places[0]);
	assert.equal(enter(sources, client, limits), TOO_MANY);
	assert.deepEqual(sources.summary(), { addresses: 2, most: 3 });
});

test("an address may ask as often as the limit says, over all its connections, and again when its bucket fills", () => {
	const sources = new Sources(1_024);
	const client = ipv4(192, 0, 2, 1);
	const place = enter(sources, client, UNLIMITED, 1_000);
	assert.equal(enter(sources, client, UNLIMITED, 1_000), place);
	const asks = (nowMs: number) => sources.takeRequest(place, 2, nowMs);
	assert.deepEqual([asks(1_000), asks(1_000), asks(1_000), asks(1_400)], [true, true, false, false]);
	assert.deepEqual([asks(1_600), asks(1_600)], [true, false]);
	assert.deepEqual([asks(9_000), asks(9_000), asks(9_000)], [true, true, false], "a second's worth at most");
	const neighbour = enter(sources, ipv4(192, 0, 2, 2), UNLIMITED, 9_000);
	assert.equal(sources.takeRequest(neighbour, 2, 9_000), true);
	// Its rate is remembered when it has gone and come back.
	sources.leave(place);
	sources.leave(place);
	assert.equal(enter(sources, client, UNLIMITED, 9_000), place);
	assert.equal(asks(9_000), false);
});

test("requests of all together have a bucket of their own, and all threads share it", () => {
	const sources = new Sources(1_024);
	const other = new Sources(1_024, sources.buffer);
	assert.equal(sources.takeRequestToken(2, 1_000), 0);
	assert.equal(other.takeRequestToken(2, 1_000), 0);
	assert.equal(sources.takeRequestToken(2, 1_000), 500, "milliseconds until there is one");
	assert.equal(sources.takeToken(2, 1_000), 0, "connections are counted beside them");
	assert.equal(other.takeRequestToken(2, 1_500), 0);
});

test("an address that asked lately is not the one whose place is given away", () => {
	const sources = new Sources(ONE_SET);
	const asking = enter(sources, ipv4(10, 0, 0, 0));
	for (let last = 1; last < ONE_SET; last++) enter(sources, ipv4(10, 0, 0, last), UNLIMITED, 1);
	sources.takeRequest(asking, 1, 2);
	for (let place = 0; place < ONE_SET; place++) sources.leave(place);
	assert.notEqual(enter(sources, ipv4(10, 0, 0, 99), UNLIMITED, 3), asking);
});

test("IPv6 addresses of one /64 count together, and those of the next one do not", () => {
	const sources = new Sources(1_024);
	const limits = { ...UNLIMITED, connections: 2 };
	const customer = [0x2001, 0xdb8, 0x1234, 0x5678] as const;
	assert.ok(enter(sources, ipv6(...customer, 0, 0, 0, 1), limits) >= 0);
	assert.ok(enter(sources, ipv6(...customer, 0xffff, 0xffff, 0xffff, 0xffff), limits) >= 0);
	assert.equal(enter(sources, ipv6(...customer, 0xdead, 0xbeef, 0, 7), limits), TOO_MANY);
	assert.ok(enter(sources, ipv6(0x2001, 0xdb8, 0x1234, 0x5679), limits) >= 0);
	assert.deepEqual(sources.summary(), { addresses: 2, most: 2 });
});

test("an IPv4 address is never taken for the IPv6 address of the same bits", () => {
	fc.assert(
		fc.property(fc.uint8Array({ minLength: 4, maxLength: 4 }), fc.boolean(), (bits, ipv4First) => {
			const sources = new Sources(ONE_SET);
			const limits = { ...UNLIMITED, connections: 1 };
			const bytes = new Uint8Array(16);
			bytes.set(bits);
			const pair: Address[] = [
				{ family: 4, bytes },
				{ family: 6, bytes },
			];
			const [first, second] = ipv4First ? pair : pair.reverse();
			const places = [first, second].map((address) => enter(sources, address as Address, limits));
			assert.ok(places.every((place) => place >= 0));
			assert.notEqual(places[0], places[1]);
		}),
	);
});

test("what lies behind the four bytes of an IPv4 address does not matter", () => {
	const sources = new Sources(ONE_SET);
	const clean = ipv4(10, 1, 2, 3);
	const dirty: Address = {
		family: 4,
		bytes: Uint8Array.from(clean.bytes, (byte, i) => (i < 4 ? byte : 0xff)),
	};
	assert.equal(enter(sources, clean), enter(sources, dirty));
});

test("a bucket holds one second's worth, refills with time, and never holds more", () => {
	const sources = new Sources(1_024);
	const limits = { ...UNLIMITED, perSecond: 4 };
	const client = ipv4(198, 51, 100, 7);
	const taken = (nowMs: number): number => {
		let count = 0;
		for (;;) {
			const place = enter(sources, client, limits, nowMs);
			if (place === TOO_FAST) return count;
			sources.leave(place);
			count++;
		}
	};
	for (const [nowMs, expected, why] of [
		[1_000, 4, "full at first"],
		[1_000, 0, "empty"],
		[1_249, 0, "a quarter of a second is not over"],
		[1_250, 1, "now it is"],
		[1_750, 2, "two more"],
		[3_600_000, 4, "an hour's rest is worth no more than a second's"],
	] as const)
		assert.equal(taken(nowMs), expected, `${why}, at ${nowMs}`);
});

test("a rate below one per second still lets one in, and the next when its time has come", () => {
	const sources = new Sources(1_024);
	for (const take of [
		(nowMs: number) => enter(sources, ipv4(10, 0, 0, 1), { ...UNLIMITED, perSecond: 0.5 }, nowMs) >= 0,
		(nowMs: number) => sources.takeToken(0.5, nowMs) === 0,
	])
		assert.deepEqual([10_000, 10_001, 11_999, 12_001].map(take), [true, false, false, true]);
});

test("whoever is turned away for coming too fast holds nothing, and pays nothing", () => {
	const sources = new Sources(1_024);
	const limits = { connections: 5, perSecond: 1 };
	const client = ipv4(10, 0, 0, 1);
	const place = enter(sources, client, limits, 1_000);
	for (let nowMs = 1_010; nowMs < 2_000; nowMs += 10)
		assert.equal(enter(sources, client, limits, nowMs), TOO_FAST);
	assert.equal(sources.heldAt(place), 1);
	assert.equal(enter(sources, client, limits, 2_001), place, "knocking has not put it off");
});

test("a client that holds too many does not lose a token for asking", () => {
	const sources = new Sources(1_024);
	const client = ipv4(10, 0, 0, 1);
	const place = enter(sources, client, { connections: 1, perSecond: 2 }, 1_000);
	for (let again = 0; again < 10; again++)
		assert.equal(enter(sources, client, { connections: 1, perSecond: 2 }, 1_000), TOO_MANY);
	sources.leave(place);
	assert.equal(enter(sources, client, { connections: 1, perSecond: 2 }, 1_000), place);
});

test("limits that a reload brings hold for addresses that were there before them", () => {
	const sources = new Sources(1_024);
	const client = ipv4(10, 0, 0, 1);
	for (let count = 0; count < 5; count++) enter(sources, client, UNLIMITED, 1_000);
	assert.equal(enter(sources, client, { ...UNLIMITED, connections: 5 }, 1_000), TOO_MANY);
	const slow = { ...UNLIMITED, perSecond: 2 };
	const results = [1, 2, 3].map(() => enter(sources, client, slow, 1_000));
	assert.ok((results[0] ?? -1) >= 0 && (results[1] ?? -1) >= 0, "a full bucket to begin with");
	assert.equal(results[2], TOO_FAST);
});

test("a full set gives its places to nobody while all of them hold connections", () => {
	const sources = new Sources(ONE_SET);
	const limits = { ...UNLIMITED, connections: 1 };
	const holders = Array.from({ length: ONE_SET }, (_, last) => ipv4(10, 0, 0, last));
	const places = holders.map((holder) => enter(sources, holder, limits));
	assert.deepEqual([...places].sort(), [0, 1, 2, 3, 4, 5, 6, 7]);
	const stranger = ipv4(10, 0, 1, 1);
	// Nobody counts it, so no limit holds for it, however often it comes.
	for (let again = 0; again < 3; again++) assert.equal(enter(sources, stranger, limits), NOT_COUNTED);
	for (const holder of holders) assert.equal(enter(sources, holder, limits), TOO_MANY);
	assert.equal(sources.heldAt(NOT_COUNTED), 1, "it is known to have the one");
	// The first place that is left is its own, and it counts from there on.
	sources.leave(places[3] ?? -1);
	assert.equal(enter(sources, stranger, limits), places[3]);
	assert.equal(enter(sources, stranger, limits), TOO_MANY);
	assert.equal(enter(sources, holders[3] as Address, limits), NOT_COUNTED);
	assert.deepEqual(sources.summary(), { addresses: ONE_SET, most: 1 });
});

test("of empty places the one whose bucket has refilled longest is given away", () => {
	const sources = new Sources(ONE_SET);
	const limits = { ...UNLIMITED, perSecond: 1 };
	const visit = (address: Address, nowMs: number): number => {
		const place = enter(sources, address, limits, nowMs);
		if (place >= 0) sources.leave(place);
		return place;
	};
	const guests = Array.from({ length: ONE_SET }, (_, last) => ipv4(10, 0, 0, last));
	for (const [index, guest] of guests.entries()) assert.ok(visit(guest, 1_000 + index) >= 0);
	assert.equal(visit(ipv4(10, 0, 1, 1), 1_100), 0, "the first one's place");
	// All others are still remembered for having come just now.
	for (const guest of guests.slice(1)) assert.equal(visit(guest, 1_101), TOO_FAST);
});

/** What the table must answer, as long as no set of it is full. */
class Model {
	readonly #addresses = new Map<string, { held: number; tokens: number; countedMs: number }>();

	enter(key: string, limits: SourceLimits, nowMs: number): "in" | typeof TOO_MANY | typeof TOO_FAST {
		let state = this.#addresses.get(key);
		if (state === undefined) {
			state = { held: 0, tokens: Number.POSITIVE_INFINITY, countedMs: nowMs };
			this.#addresses.set(key, state);
		}
		if (state.held >= limits.connections) return TOO_MANY;
		if (limits.perSecond !== Number.POSITIVE_INFINITY) {
			const refill = ((nowMs - state.countedMs) * limits.perSecond) / 1_000;
			state.tokens = Math.min(Math.max(1, limits.perSecond), state.tokens + refill);
			state.countedMs = nowMs;
			if (state.tokens < 1) return TOO_FAST;
			state.tokens--;
		}
		state.held++;
		return "in";
	}

	leave(key: string): void {
		const state = this.#addresses.get(key);
		if (state !== undefined) state.held--;
	}

	summary(): { addresses: number; most: number } {
		const held = [...this.#addresses.values()].map((state) => state.held);
		return { addresses: held.filter((count) => count > 0).length, most: Math.max(0, ...held) };
	}
}

const someAddress = fc.oneof(
	fc.nat(9).map((last) => ipv4(203, 0, 113, last)),
	fc.tuple(fc.nat(9), fc.nat(0xffff)).map(([net, host]) => ipv6(0x2001, 0xdb8, 0, net, 0, 0, 0, host)),
	// The same bits as some of the first.
	fc.nat(9).map((last) => ipv6(0xcb00, 0x7100 + last)),
);
const someLimits = fc.record(
	{
		connections: fc.constantFrom(1, 2, 5, Number.POSITIVE_INFINITY),
		perSecond: fc.constantFrom(0.5, 1, 3, 10, Number.POSITIVE_INFINITY),
	},
	{ noNullPrototype: true },
);
const step = fc.oneof(
	{ weight: 3, arbitrary: fc.record({ kind: fc.constant("enter" as const), address: someAddress }) },
	{ weight: 2, arbitrary: fc.record({ kind: fc.constant("leave" as const), which: fc.nat(1_000) }) },
	{ weight: 1, arbitrary: fc.record({ kind: fc.constant("wait" as const), ms: fc.nat(2_000) }) },
	{ weight: 1, arbitrary: fc.record({ kind: fc.constant("reload" as const), limits: someLimits }) },
);

test("whatever comes, goes, waits and is reloaded: the table answers as a Map of all addresses would", () => {
	fc.assert(
		fc.property(fc.array(step, { maxLength: 200, size: "max" }), someLimits, (steps, first) => {
			const sources = new Sources(1_024);
			const model = new Model();
			const present: { key: string; place: number }[] = [];
			let limits: SourceLimits = first;
			let nowMs = 1_000;
			for (const each of steps) {
				if (each.kind === "wait") nowMs += each.ms;
				else if (each.kind === "reload") limits = each.limits;
				else if (each.kind === "leave") {
					const [gone] = present.splice(each.which % Math.max(1, present.length), 1);
					if (gone === undefined) continue;
					sources.leave(gone.place);
					model.leave(gone.key);
				} else {
					const { family, bytes } = each.address;
					const key = `${family} ${bytes.subarray(0, family === 4 ? 4 : 8).join(".")}`;
					const place = enter(sources, each.address, limits, nowMs);
					const expected = model.enter(key, limits, nowMs);
					if (expected === "in") assert.ok(place >= 0, `${place} for ${key}`);
					else assert.equal(place, expected);
					if (place >= 0) present.push({ key, place });
				}
			}
			assert.deepEqual(sources.summary(), model.summary());
			for (const { key, place } of present)
				assert.equal(sources.heldAt(place), present.filter((other) => other.key === key).length);
		}),
		{ numRuns: 300 },
	);
});

test("in a crowded set, too, no address loses a connection that it has, and none is let in beyond its limit", () => {
	const crowded = fc.oneof(
		fc.record({ kind: fc.constant("enter" as const), last: fc.nat(15) }),
		fc.record({ kind: fc.constant("leave" as const), which: fc.nat(1_000) }),
	);
	fc.assert(
		fc.property(
			fc.array(crowded, { maxLength: 300, size: "max" }),
			fc.integer({ min: 1, max: 3 }),
			(steps, connections) => {
				const sources = new Sources(ONE_SET);
				const present: { last: number; place: number }[] = [];
				const heldBy = (last: number) => present.filter((each) => each.last === last).length;
				for (const each of steps) {
					if (each.kind === "leave") {
						const [gone] = present.splice(each.which % Math.max(1, present.length), 1);
						if (gone !== undefined) sources.leave(gone.place);
						continue;
					}
					const { last } = each;
					const place = enter(sources, ipv4(10, 0, 0, last), { ...UNLIMITED, connections });
					const holders = new Set(present.map((other) => other.last));
					if (heldBy(last) === connections) assert.equal(place, TOO_MANY);
					else if (heldBy(last) === 0 && holders.size === ONE_SET) assert.equal(place, NOT_COUNTED);
					else assert.ok(place >= 0);
					if (place >= 0) {
						assert.ok(
							present.every((other) => (other.place === place) === (other.last === last)),
							"one place, one address",
						);
						present.push({ last, place });
					}
				}
				for (const { last, place } of present) assert.equal(sources.heldAt(place), heldBy(last));
			},
		),
		{ numRuns: 300 },
	);
});

test("the bucket of all clients together says how long to wait, and a token that was not needed comes back", () => {
	const sources = new Sources(1_024);
	const taken = [1, 2, 3, 4].map(() => sources.takeToken(4, 5_000));
	assert.deepEqual(taken, [0, 0, 0, 0]);
	assert.equal(sources.takeToken(4, 5_000), 250);
	assert.equal(sources.takeToken(4, 5_100), 150, "asking costs nothing");
	sources.giveToken();
	assert.equal(sources.takeToken(4, 5_100), 0);
	for (let count = 0; count < 100; count++) sources.giveToken();
	assert.deepEqual(
		[1, 2, 3, 4, 5].map(() => sources.takeToken(4, 5_100) === 0),
		[true, true, true, true, false],
		"never more than a second's worth",
	);
});

test("a table has a power of two of places, four for each session, and a thousand at least", () => {
	for (const [sessions, places] of [
		[1, 1_024],
		[256, 1_024],
		[257, 2_048],
		[10_000, 65_536],
	] as const)
		assert.equal(sourcePlaces(sessions), places, String(sessions));
});

test("two threads that come and go at once lose no count, exceed no limit, and take no token twice", async () => {
	const PLACES = 1_024;
	const ADDRESSES = 16;
	const TOKENS_PER_SECOND = 1_000;
	const LIMIT = 7;
	const STAY = 3;
	const sources = new Sources(PLACES);
	const holds = new SharedArrayBuffer(4 * ADDRESSES);
	const found = new SharedArrayBuffer(8);
	const workerData: ThreadOptions = {
		places: PLACES,
		buffer: sources.buffer,
		rounds: 150_000,
		stay: STAY,
		addresses: ADDRESSES,
		limit: LIMIT,
		holds,
		found,
		tokensPerSecond: TOKENS_PER_SECOND,
	};
	const threads = [1, 2].map(
		() => new Worker(new URL("./sources-thread.js", import.meta.url), { workerData }),
	);
	for (const [code] of await Promise.all(threads.map((thread) => once(thread, "exit"))))
		assert.equal(code, 0);
	assert.deepEqual([...new Int32Array(found)], [0, TOKENS_PER_SECOND], "limits exceeded, tokens taken");
	assert.deepEqual(sources.summary(), { addresses: ADDRESSES, most: 2 * STAY });
	const limits = { ...UNLIMITED, connections: 2 * STAY + 1 };
	for (let address = 0; address < ADDRESSES; address++) {
		const place = enter(sources, ipv4(10, 0, 0, address), limits);
		assert.equal(sources.heldAt(place), 2 * STAY + 1);
		assert.equal(enter(sources, ipv4(10, 0, 0, address), limits), TOO_MANY);
	}
});

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Owner, Owners } from "../../src/reactor/records/owners.js";

/** As many as a word has bits for: reactors as the configuration allows, rows of both sides of a million sessions. */
const REACTORS = 256;
const SLOTS = 1 << 22;

interface Opened {
	readonly kind: Owner["kind"];
	readonly reactor: number;
	readonly slot: number;
}

const opened: fc.Arbitrary<Opened> = fc.record(
	{
		kind: fc.constantFrom("connection" as const, "pipe" as const),
		reactor: fc.oneof(fc.nat(REACTORS - 1), fc.constantFrom(0, REACTORS - 1)),
		slot: fc.oneof(fc.nat(SLOTS - 1), fc.constantFrom(0, SLOTS - 1)),
	},
	{ noNullPrototype: true },
);

function note(owners: Owners, fd: number, { kind, reactor, slot }: Opened, nowMs = 0): void {
	if (kind === "pipe") owners.pipeOpened(fd, reactor, slot, nowMs);
	else owners.connectionOpened(fd, reactor, slot, nowMs);
}

test("whoever got a descriptor is read back as it was written, up to the last reactor and the largest slot", () => {
	const owners = new Owners(64);
	fc.assert(
		fc.property(opened, fc.nat(63), fc.nat(2 ** 31), (owner, fd, nowSeconds) => {
			note(owners, fd, owner, nowSeconds * 1_000 + 999);
			const { word: _, ...read } = owners.of(fd) ?? {};
			assert.deepEqual(read, { ...owner, sinceSeconds: nowSeconds });
		}),
		{ numRuns: 2_000 },
	);
});

test("two owners have one word only if they are the same", () => {
	const owners = new Owners(2);
	fc.assert(
		fc.property(opened, opened, (one, other) => {
			note(owners, 0, one);
			note(owners, 1, other);
			const same = one.kind === other.kind && one.reactor === other.reactor && one.slot === other.slot;
			assert.equal(owners.of(0)?.word === owners.of(1)?.word, same);
		}),
	);
});

test("a pipe is never taken for the connection of its number", () => {
	const owners = new Owners(8);
	owners.connectionOpened(3, 1, 5, 0);
	owners.pipeOpened(4, 1, 5, 0);
	assert.deepEqual([owners.of(3)?.kind, owners.of(4)?.kind], ["connection", "pipe"]);
});

test("a descriptor that no reactor ever had has no owner, and the last one to have it stays written down", () => {
	const owners = new Owners(8);
	assert.equal(owners.of(0), undefined);
	owners.connectionOpened(0, 0, 0, 0);
	assert.deepEqual(owners.of(0), { word: 0, reactor: 0, kind: "connection", slot: 0, sinceSeconds: 0 });
	owners.pipeOpened(0, 2, 7, 61_000);
	assert.equal(owners.of(0)?.reactor, 2);
	assert.equal(owners.of(0)?.sinceSeconds, 61);
});

test("another thread's view of the memory says the same", () => {
	const owners = new Owners(16);
	const view = new Owners(16, owners.buffer);
	owners.connectionOpened(9, 255, SLOTS - 1, 5_000);
	assert.deepEqual(view.of(9), owners.of(9));
	assert.equal(view.of(8), undefined);
});

test("a number beyond the limit is nobody's, and noting it hurts no other", () => {
	const owners = new Owners(4);
	for (let fd = 0; fd < 4; fd++) owners.connectionOpened(fd, 1, fd, 1_000);
	for (const fd of [4, 5, 1_000_000]) {
		owners.connectionOpened(fd, 2, 9, 9_000);
		owners.pipeOpened(fd, 2, 9, 9_000);
		assert.equal(owners.of(fd), undefined);
	}
	for (let fd = 0; fd < 4; fd++)
		assert.deepEqual([owners.of(fd)?.slot, owners.of(fd)?.sinceSeconds], [fd, 1]);
});

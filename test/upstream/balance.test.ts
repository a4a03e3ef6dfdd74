import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Balance } from "../../src/config/config.js";
import { Balancer } from "../../src/upstream/balance.js";
import { Board } from "../../src/upstream/board.js";
import type { UpstreamPlan } from "../../src/upstream/plan.js";

const NOW_MS = 1_000_000;
const FAR_MS = 60_000;
const BALANCES: readonly Balance[] = ["round_robin", "least_connections", "source_hash"];

/** Addresses are numbered through; their hashes stay with them when others go. */
function plan(balance: Balance, boards: readonly number[]): UpstreamPlan {
	return {
		slot: 0,
		balance,
		proxyProtocol: "off",
		pool: null,
		host: null,
		trailers: false,
		ejectFailures: 3,
		authority: Uint8Array.of(0x75),
		ejectForMs: 10_000,
		addresses: boards.map((board) => ({
			board,
			sockaddr: new Uint8Array(16),
			hash: Math.imul(board + 1, 0x9e37_79b1),
		})),
	};
}

function upTo(count: number): number[] {
	return Array.from({ length: count }, (_, index) => index);
}

function source(number: number): Uint8Array {
	return Uint8Array.of(10, number >> 16, number >> 8, number);
}

/** The board's address that the next session gets, or -1. */
function choose(balancer: Balancer, tried = 0, from = 1, nowMs = NOW_MS): number {
	const index = balancer.choose(tried, source(from), 0, 4, nowMs);
	return index < 0 ? -1 : (balancer.plan.addresses[index]?.board ?? Number.NaN);
}

/** How many of `sessions` each address gets. */
function shares(balancer: Balancer, sessions: number): Map<number, number> {
	const counts = new Map<number, number>();
	for (let session = 0; session < sessions; session++) {
		const board = choose(balancer, 0, session);
		counts.set(board, (counts.get(board) ?? 0) + 1);
	}
	return counts;
}

function sorted(counts: Map<number, number>): [number, number][] {
	return [...counts].sort(([a], [b]) => a - b);
}

test("round robin gives each address the same, wherever it begins", () => {
	for (const count of [1, 2, 3, 7, 40]) {
		for (const turn of [0, 1, 5, 0xffff_fff0]) {
			const balancer = new Balancer(plan("round_robin", upTo(count)), new Board(), turn);
			// Where the turn wraps at 2^32 one address may come twice.
			const slack = turn > 1_000 ? 1 : 0;
			for (const [, share] of shares(balancer, count * 30)) assert.ok(Math.abs(share - 30) <= slack);
		}
	}
});

test("reactors begin round robin at different addresses", () => {
	const board = new Board();
	const firsts = upTo(4).map((reactor) => choose(new Balancer(plan("round_robin", upTo(4)), board, reactor)));
	assert.deepEqual(new Set(firsts).size, 4);
});

test("round robin gives each address the same when another is down or ejected", () => {
	for (const takeOut of [
		(board: Board) => board.setDown(0, true),
		(board: Board) => board.failed(0, 1, FAR_MS, NOW_MS),
	]) {
		const board = new Board();
		takeOut(board);
		const counts = sorted(shares(new Balancer(plan("round_robin", upTo(3)), board, 0), 300));
		assert.deepEqual(counts, [
			[1, 150],
			[2, 150],
		]);
	}
});

test("a balancer that replaces another goes on at its turn", () => {
	const board = new Board();
	const first = new Balancer(plan("round_robin", upTo(3)), board, 0);
	const before = [choose(first), choose(first)];
	const second = new Balancer(plan("round_robin", upTo(3)), board, first.turn);
	assert.deepEqual([...before, choose(second)].sort(), [0, 1, 2]);
});

test("least connections takes the address with the fewest sessions", () => {
	fc.assert(
		fc.property(fc.array(fc.nat(5), { minLength: 1, maxLength: 40 }), fc.nat(100), (active, turn) => {
			const board = new Board();
			for (const [address, sessions] of active.entries())
				for (let i = 0; i < sessions; i++) board.enter(address);
			const chosen = choose(new Balancer(plan("least_connections", upTo(active.length)), board, turn));
			assert.equal(active[chosen], Math.min(...active));
		}),
	);
});

test("with least connections, sessions that stay are spread evenly, and ties go round", () => {
	const board = new Board();
	const balancer = new Balancer(plan("least_connections", upTo(5)), board, 0);
	for (let session = 0; session < 50; session++) board.enter(choose(balancer));
	assert.deepEqual(
		upTo(5).map((address) => board.active(address)),
		[10, 10, 10, 10, 10],
	);
	// Sessions that end at once leave all equal: then it is round robin.
	assert.deepEqual(
		sorted(shares(balancer, 100)).map(([, share]) => share),
		[20, 20, 20, 20, 20],
	);
});

test("source hash sends a source to the same address each time, whatever the turn and the order of addresses", () => {
	fc.assert(
		fc.property(
			fc.oneof(
				fc.uint8Array({ minLength: 4, maxLength: 4 }),
				fc.uint8Array({ minLength: 16, maxLength: 16 }),
			),
			fc.shuffledSubarray(upTo(8), { minLength: 8 }),
			fc.nat(),
			fc.nat(40),
			(address, order, turn, offset) => {
				const board = new Board();
				const bytes = new Uint8Array(offset + address.length + 5).fill(0x5a);
				bytes.set(address, offset);
				const balancer = new Balancer(plan("source_hash", upTo(8)), board, 0);
				const first = balancer.choose(0, bytes, offset, address.length, NOW_MS);
				for (const other of [balancer, new Balancer(plan("source_hash", order), board, turn)]) {
					const index = other.choose(0, bytes, offset, address.length, NOW_MS);
					assert.equal(other.plan.addresses[index]?.board, first);
				}
			},
		),
	);
});

test("source hash gives each address a fair share of sources", () => {
	const SOURCES = 20_000;
	for (const count of [2, 3, 10]) {
		const balancer = new Balancer(plan("source_hash", upTo(count)), new Board(), 0);
		for (const [board, share] of shares(balancer, SOURCES)) {
			const fair = SOURCES / count;
			// Ten standard deviations of a fair draw: a skewed hash is far beyond.
			assert.ok(Math.abs(share - fair) < 10 * Math.sqrt(fair), `address ${board} of ${count} has ${share}`);
		}
	}
});

test("when an address goes, only its own sources move, and they spread over all others", () => {
	const board = new Board();
	const before = new Balancer(plan("source_hash", upTo(6)), board, 0);
	const after = new Balancer(plan("source_hash", [0, 1, 3, 4, 5]), board, 0);
	const movedTo = new Map<number, number>();
	for (let from = 0; from < 10_000; from++) {
		const [old, now] = [choose(before, 0, from), choose(after, 0, from)];
		if (old === 2) movedTo.set(now, (movedTo.get(now) ?? 0) + 1);
		else assert.equal(now, old);
	}
	assert.equal(movedTo.size, 5);
	for (const [, count] of movedTo) assert.ok(count > 200, `${count} of some 1,700`);
});

test("an address that goes down moves its sources only, and gets them back", () => {
	const board = new Board();
	const balancer = new Balancer(plan("source_hash", upTo(6)), board, 0);
	const before = upTo(500).map((from) => choose(balancer, 0, from));
	board.setDown(2, true);
	for (const [from, old] of before.entries()) {
		const now = choose(balancer, 0, from);
		if (old === 2) assert.notEqual(now, 2);
		else assert.equal(now, old);
	}
	board.setDown(2, false);
	assert.deepEqual(
		upTo(500).map((from) => choose(balancer, 0, from)),
		before,
	);
});

test("an address that was tried is not chosen again, until all were", () => {
	for (const balance of BALANCES) {
		const balancer = new Balancer(plan(balance, upTo(32)), new Board(), 3);
		let tried = 0;
		const chosen = new Set<number>();
		for (let attempt = 0; attempt < 32; attempt++) {
			const board = choose(balancer, tried);
			chosen.add(board);
			tried |= 1 << board;
		}
		assert.equal(chosen.size, 32, balance);
		assert.equal(tried, -1);
		assert.equal(choose(balancer, tried), -1, balance);
	}
});

test("addresses behind the 32nd are reached too", () => {
	for (const balance of BALANCES) {
		const board = new Board();
		const balancer = new Balancer(plan(balance, upTo(40)), board, 0);
		for (let session = 0; session < 2_000; session++) board.enter(choose(balancer, 0, session));
		for (const address of upTo(40)) assert.ok(board.active(address) > 0, `${balance}: address ${address}`);
	}
});

test("what is down is never chosen, what is ejected only when nothing else is left", () => {
	for (const balance of BALANCES) {
		const board = new Board();
		const balancer = new Balancer(plan(balance, upTo(3)), board, 0);
		board.failed(1, 1, FAR_MS, NOW_MS);
		board.setDown(2, true);
		for (const from of upTo(20)) assert.equal(choose(balancer, 0, from), 0, balance);
		for (const from of upTo(20)) assert.equal(choose(balancer, 1 << 0, from), 1, "the last resort");
		for (const from of upTo(20)) assert.equal(choose(balancer, 0b011, from), -1, "down is down");
		board.setDown(0, true);
		assert.equal(choose(balancer), 1);
		board.setDown(1, true);
		assert.equal(choose(balancer), -1, "down and ejected is down");
	}
});

test("an upstream without addresses gives none", () => {
	for (const balance of BALANCES) assert.equal(choose(new Balancer(plan(balance, []), new Board(), 0)), -1);
});

test("whatever is tried, down and ejected, the choice is the best that is left", () => {
	const flags = fc.record({ tried: fc.boolean(), down: fc.boolean(), ejected: fc.boolean() });
	fc.assert(
		fc.property(
			fc.constantFrom(...BALANCES),
			fc.array(flags, { maxLength: 32 }),
			fc.nat(),
			fc.nat(1 << 20),
			(balance, addresses, turn, from) => {
				const board = new Board();
				let tried = 0;
				for (const [index, address] of addresses.entries()) {
					if (address.tried) tried |= 1 << index;
					if (address.down) board.setDown(index, true);
					if (address.ejected) board.failed(index, 1, FAR_MS, NOW_MS);
				}
				const chosen = choose(new Balancer(plan(balance, upTo(addresses.length)), board, turn), tried, from);
				const usable = addresses.filter(({ tried, down }) => !tried && !down);
				if (usable.length === 0) assert.equal(chosen, -1);
				else {
					const address = addresses[chosen];
					assert.ok(address !== undefined && !address.tried && !address.down);
					assert.ok(!address.ejected || usable.every(({ ejected }) => ejected));
				}
			},
		),
	);
});

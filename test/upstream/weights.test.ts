/** Addresses that are not alike: weights, backups, and how many sessions each may have. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Balance } from "../../src/config/config.js";
import { Random } from "../../src/rig/random.js";
import { Balancer } from "../../src/upstream/balance.js";
import { Board } from "../../src/upstream/board.js";
import type { UpstreamPlan } from "../../src/upstream/plan.js";

const NOW_MS = 1_000_000;
const FAR_MS = 60_000;
const BALANCES: readonly Balance[] = ["round_robin", "least_connections", "source_hash"];

interface Address {
	readonly weight?: number;
	readonly backup?: boolean;
	readonly connectionsMax?: number;
}

/** Address 0 has place 0 on the board, and so on. */
function balancerOf(
	balance: Balance,
	addresses: readonly Address[],
	{ board = new Board(), turn = 0 }: { board?: Board; turn?: number } = {},
): Balancer {
	for (const [place, { weight = 1 }] of addresses.entries()) board.setFileWeight(place, weight);
	const plan: UpstreamPlan = {
		...{ slot: 0, balance, proxyProtocol: "off", pool: null, host: null, trailers: false },
		...{ ejectFailures: 3, authority: Uint8Array.of(0x75), ejectForMs: 10_000 },
		addresses: addresses.map(({ backup, connectionsMax }, board) => ({
			...{ board, sockaddr: new Uint8Array(16), hash: Math.imul(board + 1, 0x9e37_79b1) },
			...(backup === undefined ? {} : { backup }),
			...(connectionsMax === undefined ? {} : { connectionsMax }),
		})),
	};
	return new Balancer(plan, board, turn);
}

function weighing(...weights: number[]): Address[] {
	return weights.map((weight) => ({ weight }));
}

function choose(balancer: Balancer, tried = 0, from = 1): number {
	return balancer.choose(tried, Uint8Array.of(10, from >> 16, from >> 8, from), 0, 4, NOW_MS);
}

function sequence(balancer: Balancer, sessions: number): number[] {
	return Array.from({ length: sessions }, (_, session) => choose(balancer, 0, session));
}

function shareOf(address: number, chosen: readonly number[]): number {
	return chosen.filter((each) => each === address).length;
}

function sum(numbers: readonly number[]): number {
	return numbers.reduce((all, each) => all + each, 0);
}

const weights = fc.array(fc.integer({ min: 1, max: 256 }), { minLength: 2, maxLength: 12 });

test("round robin gives each address its weight's share, and at no time is one more than two sessions off", () => {
	fc.assert(
		fc.property(weights, fc.nat(1_000), (weights, turn) => {
			const balancer = balancerOf("round_robin", weighing(...weights), { turn });
			const counts = weights.map(() => 0);
			const all = sum(weights);
			for (let session = 1; session <= 2_000; session++) {
				const chosen = choose(balancer);
				counts[chosen] = (counts[chosen] ?? 0) + 1;
				for (const [address, weight] of weights.entries()) {
					const share = (session * weight) / all;
					assert.ok(
						Math.abs((counts[address] ?? 0) - share) <= 2,
						`${address} of ${weights}: ${counts[address]} of ${share} after ${session}`,
					);
				}
			}
		}),
		{ numRuns: 50 },
	);
});

test("round robin by weight comes in no bursts", () => {
	for (const [heavy, light, longest] of [
		[3, [1], 3],
		[5, [1, 1], 3],
		[2, [1, 1, 1], 2],
		[9, [1, 1, 1], 4],
	] as const)
		for (let turn = 0; turn < 20; turn++) {
			// Behind the first rounds, in which the phase has not come round yet.
			const chosen = sequence(balancerOf("round_robin", weighing(heavy, ...light), { turn }), 220).slice(20);
			const runs = chosen
				.join(",")
				.split(/(?:,?[1-9],?)+/)
				.map((run) => shareOf(0, run.split(",").filter(Boolean).map(Number)));
			assert.ok(Math.max(...runs) <= longest, `${heavy}:${light} ${chosen.join("")}`);
		}
});

test("reactors do not all begin with the heaviest address", () => {
	const firsts = Array.from({ length: 16 }, (_, turn) =>
		choose(balancerOf("round_robin", weighing(3, 1), { turn })),
	);
	assert.equal(new Set(firsts).size, 2, firsts.join(""));
});

test("an address that comes back has no row of sessions to make good, nor has another one had them", () => {
	const board = new Board();
	const balancer = balancerOf("round_robin", weighing(256, 1, 1), { board });
	sequence(balancer, 1_000);
	board.setDown(0, true);
	const without = sequence(balancer, 200);
	for (const address of [1, 2]) assert.ok(Math.abs(shareOf(address, without) - 100) <= 2, without.join(""));
	board.setDown(1, true);
	sequence(balancer, 1_000);
	board.setDown(0, false);
	board.setDown(1, false);
	const again = sequence(balancer, 258 * 4);
	for (const address of [1, 2]) assert.ok(Math.abs(shareOf(address, again) - 4) <= 3, again.join(""));
});

test("no address starves while others come and go", () => {
	fc.assert(
		fc.property(weights, fc.nat(), fc.nat(), (weights, seed, turn) => {
			const random = new Random(seed);
			const board = new Board();
			const balancer = balancerOf("round_robin", weighing(...weights), { board, turn });
			const all = sum(weights);
			// The last one is there all the time; the others are at random.
			const [last, own] = [weights.length - 1, weights.at(-1) ?? 1];
			let since = 0;
			for (let session = 0; session < 2_000; session++) {
				for (let other = 0; other < last; other++) board.setDown(other, random.chance(0.5));
				since = choose(balancer) === last ? 0 : since + 1;
				// Its turn ends two of its own from the last one at most; then only turns are before it that ended sooner.
				assert.ok(since <= Math.ceil((2 * all) / own) + weights.length, `${since} sessions of ${weights}`);
			}
		}),
		{ numRuns: 30 },
	);
});

test("least connections gives each address sessions by its weight", () => {
	fc.assert(
		fc.property(weights, (weights) => {
			const board = new Board();
			const balancer = balancerOf("least_connections", weighing(...weights), { board });
			const all = sum(weights);
			for (let session = 0; session < 2 * all; session++) board.enter(choose(balancer));
			for (const [address, weight] of weights.entries()) assert.equal(board.active(address), 2 * weight);
		}),
		{ numRuns: 50 },
	);
});

test("with least connections, sessions that end at once go round by weight", () => {
	const balancer = balancerOf("least_connections", weighing(3, 1));
	const chosen = sequence(balancer, 400);
	assert.ok(Math.abs(shareOf(0, chosen) - 300) <= 2, chosen.join(""));
});

test("source hash gives each address its weight's share of sources", () => {
	const SOURCES = 20_000;
	for (const each of [
		[3, 1],
		[1, 256],
		[5, 1, 2, 8],
	]) {
		const chosen = sequence(balancerOf("source_hash", weighing(...each)), SOURCES);
		for (const [address, weight] of each.entries()) {
			const fair = (SOURCES * weight) / sum(each);
			// Ten standard deviations of a fair draw: a skewed hash is far beyond.
			assert.ok(Math.abs(shareOf(address, chosen) - fair) < 10 * Math.sqrt(fair), `${address} of ${each}`);
		}
	}
});

test("a heavier weight takes sources from the others, and moves none between them", () => {
	const board = new Board();
	const balancer = balancerOf("source_hash", weighing(1, 1, 1, 1), { board });
	const before = sequence(balancer, 2_000);
	board.setWeight(2, 3);
	const after = sequence(balancer, 2_000);
	for (const [from, old] of before.entries()) assert.ok(after[from] === old || after[from] === 2);
	assert.ok(Math.abs(shareOf(2, after) - 1_000) < 150);
	board.setWeight(2, 1);
	assert.deepEqual(sequence(balancer, 2_000), before);
});

test("a weight that an operator changes holds from the next session on", () => {
	const board = new Board();
	const balancer = balancerOf("round_robin", weighing(1, 1), { board });
	assert.equal(shareOf(0, sequence(balancer, 100)), 50);
	// Another thread's view of the same memory.
	new Board(board.buffer).setWeight(0, 4);
	assert.ok(Math.abs(shareOf(0, sequence(balancer, 100)) - 80) <= 2);
});

test("backups get a session only while no other address can", () => {
	const flags = fc.record({
		...{ tried: fc.boolean(), down: fc.boolean(), ejected: fc.boolean(), backup: fc.boolean() },
		...{ full: fc.boolean(), weight: fc.integer({ min: 1, max: 256 }) },
	});
	fc.assert(
		fc.property(
			fc.constantFrom(...BALANCES),
			fc.array(flags, { minLength: 1, maxLength: 32 }),
			fc.nat(),
			fc.nat(1 << 20),
			(balance, addresses, turn, from) => {
				const board = new Board();
				let tried = 0;
				for (const [index, address] of addresses.entries()) {
					if (address.tried) tried |= 1 << index;
					if (address.down) board.setDown(index, true);
					if (address.ejected) board.failed(index, 1, FAR_MS, NOW_MS);
					if (address.full) board.enter(index);
				}
				const plan = addresses.map(({ weight, backup }) => ({ weight, backup, connectionsMax: 1 }));
				const chosen = choose(balancerOf(balance, plan, { board, turn }), tried, from);
				const usable = addresses.filter((each) => !each.tried && !each.down && !each.full);
				const tier = (each: { ejected: boolean; backup: boolean }): number =>
					(each.ejected ? 2 : 0) + (each.backup ? 1 : 0);
				if (usable.length === 0) assert.equal(chosen, -1);
				else {
					const address = addresses[chosen];
					assert.ok(address !== undefined && usable.includes(address));
					assert.equal(tier(address), Math.min(...usable.map(tier)));
				}
			},
		),
	);
});

test("an address has as many sessions as it may, and gets the next one when one has ended", () => {
	for (const balance of BALANCES) {
		const board = new Board();
		const balancer = balancerOf(balance, [{ connectionsMax: 2 }, { connectionsMax: 3 }], { board });
		for (let session = 0; session < 5; session++) {
			const address = choose(balancer, 0, session);
			assert.ok(board.tryEnter(address, address + 2), balance);
		}
		assert.equal(choose(balancer), -1, balance);
		board.leave(1);
		assert.equal(choose(balancer), 1, balance);
	}
	const alone = new Board();
	const single = balancerOf("round_robin", [{ connectionsMax: 1 }], { board: alone });
	assert.equal(choose(single), 0);
	alone.enter(0);
	assert.equal(choose(single), -1);
});

test("addresses behind the 32nd have weights too", () => {
	const balancer = balancerOf("round_robin", weighing(...Array.from({ length: 40 }, (_, at) => at + 1)));
	const chosen = sequence(balancer, 820);
	assert.ok(Math.abs(shareOf(39, chosen) - 40) <= 2);
});

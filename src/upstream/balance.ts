/** Which address of an upstream a session gets. Runs in the reactor; allocates nothing. */
import type { Board } from "./board.js";
import type { AddressPlan, UpstreamPlan } from "./plan.js";

/** `tried` has a bit for each of the first 32 addresses; further ones are reached by later sessions. */
const TRIED_MAX = 32;

export class Balancer {
	readonly plan: UpstreamPlan;
	readonly #board: Board;
	readonly #places: ReadonlySet<number>;
	#turn: number;

	/** `turn`: where round robin begins, so that several reactors do not walk in step. */
	constructor(plan: UpstreamPlan, board: Board, turn: number) {
		this.plan = plan;
		this.#board = board;
		this.#places = new Set(plan.addresses.map((address) => address.board));
		this.#turn = turn;
	}

	/** One of its addresses has this place on the board. */
	has(board: number): boolean {
		return this.#places.has(board);
	}

	/** Where round robin stands, for the balancer that replaces this one. */
	get turn(): number {
		return this.#turn;
	}

	/**
	 * Index of the address to dial, or -1 when all have been tried or are down. An address that is only
	 * ejected (a guess from failed connects) is a last resort; one that active checks found down is not used.
	 */
	choose(
		tried: number,
		source: Uint8Array,
		sourceOffset: number,
		sourceLength: number,
		nowMs: number,
	): number {
		// A further try of the same session is not another session's turn.
		if (tried === 0) this.#turn = (this.#turn + 1) >>> 0;
		const healthy = this.#pick(tried, source, sourceOffset, sourceLength, nowMs, false);
		return healthy >= 0 ? healthy : this.#pick(tried, source, sourceOffset, sourceLength, nowMs, true);
	}

	#pick(
		tried: number,
		source: Uint8Array,
		sourceOffset: number,
		sourceLength: number,
		nowMs: number,
		lastResort: boolean,
	): number {
		const { addresses, balance } = this.plan;
		const count = addresses.length;
		// Of one there is nothing to choose.
		if (count === 1) return this.#isUsable(0, tried, nowMs, lastResort) ? 0 : -1;
		const usable = this.#countUsable(tried, nowMs, lastResort);
		if (usable === 0) return -1;
		// The turn counts usable addresses only: the neighbour of one that is down does not get its share.
		let toPass = this.#turn % usable;
		let best = -1;
		let bestScore = 0;
		for (let step = 0; step < count; step++) {
			// Ties go round as well, so the other two begin at the turn.
			const index = balance === "round_robin" ? step : (this.#turn + step) % count;
			if (!this.#isUsable(index, tried, nowMs, lastResort)) continue;
			if (balance === "round_robin") {
				if (toPass-- === 0) return index;
				continue;
			}
			const address = addresses[index] as AddressPlan; // usable, so it is there
			const score =
				balance === "least_connections"
					? -this.#board.active(address.board)
					: weigh(source, sourceOffset, sourceLength, address.hash);
			if (best === -1 || score > bestScore) {
				best = index;
				bestScore = score;
			}
		}
		return best;
	}

	#countUsable(tried: number, nowMs: number, lastResort: boolean): number {
		let usable = 0;
		for (let index = 0; index < this.plan.addresses.length; index++)
			if (this.#isUsable(index, tried, nowMs, lastResort)) usable++;
		return usable;
	}

	#isUsable(index: number, tried: number, nowMs: number, lastResort: boolean): boolean {
		const address = this.plan.addresses[index];
		if (address === undefined || this.#board.isDown(address.board)) return false;
		// Addresses without a bit are only a session's first choice: it would not know that it had tried one.
		if (tried !== 0 && (index >= TRIED_MAX || (tried & (1 << index)) !== 0)) return false;
		return lastResort || !this.#board.isEjected(address.board, nowMs);
	}
}

/**
 * Rendezvous hashing: each address has a weight for each source, and the heaviest wins. When an address
 * goes, only its own sources move.
 */
function weigh(source: Uint8Array, offset: number, length: number, seed: number): number {
	let hash = seed | 0;
	for (let i = 0; i < length; i++) hash = Math.imul(hash ^ (source[offset + i] as number), 0x01000193);
	// Murmur3's finish: FNV alone leaves the last byte's influence in the low bits.
	hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
	hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
	return (hash ^ (hash >>> 16)) >>> 0;
}

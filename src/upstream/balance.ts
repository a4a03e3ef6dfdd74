/** Which address of an upstream a session gets. Runs in the reactor; allocates nothing. */
import { f64 } from "../parts/at.js";
import type { Board } from "./board.js";
import type { AddressPlan, UpstreamPlan } from "./plan.js";
import { WeightedTurns } from "./weighted-turns.js";

/** `tried` has a bit for each of the first 32 addresses; further ones are reached by later sessions. */
const TRIED_MAX = 32;

/** No number of changes. */
const NEVER = -1;

export class Balancer {
	readonly plan: UpstreamPlan;
	readonly #board: Board;
	readonly #places: ReadonlySet<number>;
	readonly #turns: WeightedTurns;
	/** Addresses that are chosen from: 1. */
	readonly #candidates: Uint8Array;
	/** Sessions per weight of those. */
	readonly #loads: Float64Array;
	/** Some address is a backup, or may be full. */
	readonly #hasTiers: boolean;
	/** The board's weights were read at this number of changes. */
	#readAt = NEVER;
	/** The same while all addresses are alike: then this one look is all that weights, backups and limits cost. */
	#plainAt = NEVER;
	#turn: number;

	/** `turn`: where round robin begins, so that several reactors do not walk in step. */
	constructor(plan: UpstreamPlan, board: Board, turn: number) {
		this.plan = plan;
		this.#board = board;
		this.#places = new Set(plan.addresses.map((address) => address.board));
		this.#turn = turn;
		this.#turns = new WeightedTurns(plan.addresses.length);
		this.#candidates = new Uint8Array(plan.addresses.length);
		this.#loads = new Float64Array(plan.addresses.length);
		this.#hasTiers = plan.addresses.some(
			({ backup, connectionsMax }) => backup === true || connectionsMax !== undefined,
		);
		this.#readWeights(board.weightChanges);
	}

	/** One of its addresses has this place on the board. */
	has(board: number): boolean {
		return this.#places.has(board);
	}

	/** Where round robin stands, for the balancer that replaces this one. */
	get turn(): number {
		return this.#turn;
	}

	/** Weights are read again when some have changed. */
	#areAlike(): boolean {
		const changes = this.#board.weightChanges;
		if (changes !== this.#readAt) this.#readWeights(changes);
		return this.#plainAt === changes;
	}

	#readWeights(changes: number): void {
		const { addresses } = this.plan;
		let areAlike = !this.#hasTiers;
		for (let index = 0; index < addresses.length; index++) {
			const { board } = addresses[index] as AddressPlan; // index is below their count
			this.#turns.setWeight(index, this.#board.weight(board));
			areAlike &&= this.#turns.weight(index) === this.#turns.weight(0);
		}
		this.#readAt = changes;
		this.#plainAt = areAlike ? changes : NEVER;
		this.#turns.begin(this.#turn);
	}

	/**
	 * Index of the address to dial, or -1 when all have been tried, are down or have all the sessions that they may. An
	 * address that is only ejected (a guess from failed connects) is a last resort, behind backups; one that active checks
	 * found down is not used.
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
		if (this.#board.weightChanges !== this.#plainAt && !this.#areAlike())
			return this.#chooseOfUnlike(tried, source, sourceOffset, sourceLength, nowMs);
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

	/** Addresses have weights, limits, or are backups: those that come first, then backups, then both though they be ejected. */
	#chooseOfUnlike(tried: number, source: Uint8Array, offset: number, length: number, nowMs: number): number {
		for (let tier = 0; tier < 4; tier++) {
			if (!this.#findCandidates(tried, nowMs, (tier & 1) === 1, tier >= 2)) continue;
			if (this.plan.balance === "source_hash") return this.#heaviest(source, offset, length);
			if (this.plan.balance === "least_connections") this.#keepLeastLoaded(); // between equals it goes round
			return this.#turns.take(this.#candidates);
		}
		return -1;
	}

	/** False: there are none. */
	#findCandidates(tried: number, nowMs: number, backups: boolean, lastResort: boolean): boolean {
		const { addresses } = this.plan;
		let found = false;
		for (let index = 0; index < addresses.length; index++) {
			const { board, backup = false, connectionsMax } = addresses[index] as AddressPlan; // index is below their count
			const isOne =
				backup === backups &&
				this.#isUsable(index, tried, nowMs, lastResort) &&
				(connectionsMax === undefined || this.#board.active(board) < connectionsMax);
			this.#candidates[index] = isOne ? 1 : 0;
			found ||= isOne;
		}
		return found;
	}

	/** Of the candidates those that have the fewest sessions for their weight. */
	#keepLeastLoaded(): void {
		const { addresses } = this.plan;
		let least = Number.POSITIVE_INFINITY;
		for (let index = 0; index < addresses.length; index++) {
			if (this.#candidates[index] !== 1) continue;
			// Read once: other reactors change it meanwhile, and somebody must be left.
			const load = this.#board.active((addresses[index] as AddressPlan).board) / this.#turns.weight(index);
			this.#loads[index] = load;
			least = Math.min(least, load);
		}
		for (let index = 0; index < addresses.length; index++)
			if (f64(this.#loads, index) > least) this.#candidates[index] = 0;
	}

	/** Weighted rendezvous: the hash as a number between 0 and 1, to the power of 1 / weight. With equal weights the same as without. */
	#heaviest(source: Uint8Array, offset: number, length: number): number {
		let best = -1;
		let bestScore = Number.NEGATIVE_INFINITY;
		for (let index = 0; index < this.#candidates.length; index++) {
			if (this.#candidates[index] !== 1) continue;
			const { hash } = this.plan.addresses[index] as AddressPlan; // index is below their count
			const share = (weigh(source, offset, length, hash) + 0.5) / 0x1_0000_0000;
			const score = Math.log(share) / this.#turns.weight(index);
			if (score <= bestScore) continue;
			best = index;
			bestScore = score;
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

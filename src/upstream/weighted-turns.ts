/**
 * Round robin by weight, spread as evenly as it goes: weights 3 and 1 give a a b a, and not a a a b. Allocates nothing
 * after it was made.
 *
 * It is worst-case fair queueing (Bennett and Zhang, WF2Q+, 1997), of which a session is the packet. Each address has its
 * next turn between two times, `#from` and `#from` + 1 / weight; the clock moves on by 1 / (all weights) with each session;
 * and of the turns that have begun, the one that ends first is taken. An address is so never more than about one session
 * ahead of its share or behind it, and one that was away for a while has no more than that to make good.
 */
import { f64, u8 } from "../parts/at.js";

/** Steps of it are spread over (0, 1) as evenly as they can be. */
const GOLDEN = 0.618_033_988_749_895;

export class WeightedTurns {
	readonly #weights: Float64Array;
	/** When the next turn of each address begins. */
	readonly #from: Float64Array;
	/** Those that could be taken the last time: 1. */
	readonly #were: Uint8Array;
	#clock = 0;

	constructor(addresses: number) {
		this.#weights = new Float64Array(addresses).fill(1);
		this.#from = new Float64Array(addresses);
		this.#were = new Uint8Array(addresses);
	}

	/** `phase`: several reactors that begin with different ones do not all begin with the same address. */
	begin(phase: number): void {
		this.#clock = 0;
		for (let index = 0; index < this.#from.length; index++)
			this.#from[index] = (((phase + index + 1) * GOLDEN) % 1) / f64(this.#weights, index);
	}

	setWeight(index: number, weight: number): void {
		this.#weights[index] = weight;
	}

	weight(index: number): number {
		return f64(this.#weights, index);
	}

	/** Whose turn it is of those that are 1 in `candidates`, or -1. */
	take(candidates: Uint8Array): number {
		let all = 0;
		let soonest = Number.POSITIVE_INFINITY;
		for (let index = 0; index < this.#from.length; index++) {
			const isOne = candidates[index] === 1;
			const was = u8(this.#were, index) === 1;
			this.#were[index] = isOne ? 1 : 0;
			if (!isOne) continue;
			const weight = f64(this.#weights, index);
			all += weight;
			// Who comes back has one turn to make good at most; who has waited has what it waited for.
			if (!was) this.#from[index] = Math.max(f64(this.#from, index), this.#clock - 1 / weight);
			soonest = Math.min(soonest, f64(this.#from, index));
		}
		if (all === 0) return -1;
		// Whose turns come later are all that there are: they need not wait for those that are away.
		this.#clock = Math.max(this.#clock, soonest);
		let taken = -1;
		let takenTo = Number.POSITIVE_INFINITY;
		for (let index = 0; index < this.#from.length; index++) {
			if (candidates[index] !== 1 || f64(this.#from, index) > this.#clock) continue;
			const to = f64(this.#from, index) + 1 / f64(this.#weights, index);
			if (to >= takenTo) continue;
			taken = index;
			takenTo = to;
		}
		this.#from[taken] = takenTo;
		this.#clock += 1 / all;
		return taken;
	}
}

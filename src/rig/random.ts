/** Random numbers from a seed: sfc32, small and fast. The same seed gives the same run, which is how a failure replays. */
export class Random {
	#a = 0;
	#b = 0;
	#c = 0;
	#counter = 1;

	constructor(seed: number) {
		this.#a = seed | 0;
		this.#b = Math.floor(seed / 2 ** 32) | 0;
		this.#c = 0x9e3779b9 | 0;
		// The first outputs still show the seed.
		for (let i = 0; i < 12; i++) this.word();
	}

	/** 32 random bits, as a signed integer. */
	word(): number {
		const sum = (((this.#a + this.#b) | 0) + this.#counter) | 0;
		this.#counter = (this.#counter + 1) | 0;
		this.#a = this.#b ^ (this.#b >>> 9);
		this.#b = (this.#c + (this.#c << 3)) | 0;
		this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
		return sum;
	}

	/** 0 ≤ fraction < 1 */
	fraction(): number {
		return (this.word() >>> 0) / 4294967296;
	}

	/** 0 … limit-1 */
	below(limit: number): number {
		return Math.floor(this.fraction() * limit);
	}

	/** low … high, both included. */
	between(low: number, high: number): number {
		return low + this.below(high - low + 1);
	}

	chance(probability: number): boolean {
		return probability > 0 && this.fraction() < probability;
	}

	pick<T>(values: readonly T[]): T {
		return values[this.below(values.length)] as T; // below() stays within
	}

	/** A number whose order of magnitude is random: small ones as likely as large ones. */
	magnitude(limit: number): number {
		return Math.max(1, Math.floor(Math.exp(this.fraction() * Math.log(limit + 1))));
	}
}

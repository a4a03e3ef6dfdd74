/**
 * The numbers of the packets (QUIC) or records (DTLS) that a hello has come in. Servers drop a number that they have seen, so who
 * uses one twice for two pieces wants one of them to be read here, and another one, sent later, by the server.
 */
import { f64, u8 } from "../../parts/at.js";

/** Clients send a hello in two packets, and repeat it a few times. */
const NUMBERS = 32;

export const NUMBER_NEW = 0;
export const NUMBER_SEEN = 1;
export const NUMBERS_FULL = 2;

export class SeenNumbers {
	readonly #numbers: Float64Array;
	readonly #counts: Uint8Array;

	constructor(places: number) {
		this.#numbers = new Float64Array(places * NUMBERS);
		this.#counts = new Uint8Array(places);
	}

	clear(place: number): void {
		this.#counts[place] = 0;
	}

	add(place: number, number: number): number {
		const count = u8(this.#counts, place);
		for (let i = 0; i < count; i++)
			if (f64(this.#numbers, place * NUMBERS + i) === number) return NUMBER_SEEN;
		if (count === NUMBERS) return NUMBERS_FULL;
		this.#numbers[place * NUMBERS + count] = number;
		this.#counts[place] = count + 1;
		return NUMBER_NEW;
	}

	/** -1: none was seen. */
	highest(place: number): number {
		let highest = -1;
		for (let i = 0; i < u8(this.#counts, place); i++)
			highest = Math.max(highest, f64(this.#numbers, place * NUMBERS + i));
		return highest;
	}
}

/** The few lowest of many rows, by two keys, found in one pass, without sorting nine thousand rows to close sixteen. */
import { cell } from "./at.js";

export class Lowest<Row extends number = number> {
	readonly slots: Row[] = [];
	readonly #first: number[] = [];
	readonly #second: number[] = [];
	readonly #most: number;

	/** Keeps so many. */
	constructor(most: number) {
		this.#most = most;
	}

	/** Of rows with equal keys, the one that was offered first stays in front. */
	offer(slot: Row, first: number, second: number): void {
		let place = this.slots.length;
		while (place > 0 && this.#isBefore(first, second, place - 1)) place--;
		if (place === this.#most) return;
		this.slots.splice(place, 0, slot);
		this.#first.splice(place, 0, first);
		this.#second.splice(place, 0, second);
		if (this.slots.length <= this.#most) return;
		this.slots.pop();
		this.#first.pop();
		this.#second.pop();
	}

	#isBefore(first: number, second: number, place: number): boolean {
		const other = cell(this.#first, place);
		return first < other || (first === other && second < cell(this.#second, place));
	}
}

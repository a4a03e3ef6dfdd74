/** Bytes written one after the other into an array that may be too small. */
import { ADDRESS_TEXT_LIMIT_BYTES, writeAddressText } from "../address.js";
import { at } from "../bytes.js";
import { ZERO } from "./grammar.js";

/**
 * Below this a loop is faster than the call that moves memory (measured: about 60 ns for the call, 0.8 per byte).
 */
const MOVE_FROM_BYTES = 96;

const NOTHING: Uint8Array = new Uint8Array(0);

/**
 * Writes into `target` from `at` on. Once something does not fit, nothing more is written and `isFull` stays true,
 * so that a head is written without a check at each step.
 */
export class Writer {
	#target: Uint8Array = NOTHING;
	position = 0;
	isFull = false;

	begin(target: Uint8Array, position: number): void {
		this.#target = target;
		this.position = position;
		this.isFull = false;
	}

	/** Lets go of the array, so that nothing is kept alive by a writer. */
	end(): void {
		this.#target = NOTHING;
	}

	byte(value: number): void {
		if (this.isFull || this.position >= this.#target.length) this.isFull = true;
		else this.#target[this.position++] = value;
	}

	bytes(source: Uint8Array): void {
		this.span(source, 0, source.length);
	}

	/** Copies source[start, end). The source may be the array that is written to, where the two do not overlap. */
	span(source: Uint8Array, start: number, end: number): void {
		const target = this.#target;
		let position = this.position;
		if (end - start > target.length - position || this.isFull) {
			this.isFull = true;
			return;
		}
		if (source === target && end - start >= MOVE_FROM_BYTES) {
			target.copyWithin(position, start, end);
			this.position = position + end - start;
			return;
		}
		for (let i = start; i < end; i++) target[position++] = at(source, i);
		this.position = position;
	}

	/** A whole number from 0 to 2^53 - 1, in decimal digits. */
	number(value: number): void {
		let digits = 1;
		for (let rest = value; rest >= 10; rest = Math.floor(rest / 10)) digits++;
		const end = this.position + digits;
		if (this.isFull || end > this.#target.length) {
			this.isFull = true;
			return;
		}
		let rest = value;
		for (let i = end - 1; i >= this.position; i--) {
			this.#target[i] = ZERO + (rest % 10);
			rest = Math.floor(rest / 10);
		}
		this.position = end;
	}

	address(family: 4 | 6, address: Uint8Array, offset: number): void {
		if (this.isFull || this.#target.length - this.position < ADDRESS_TEXT_LIMIT_BYTES) this.isFull = true;
		else this.position += writeAddressText(this.#target, this.position, family, address, offset);
	}
}

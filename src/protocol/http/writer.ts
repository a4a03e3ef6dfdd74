/** Bytes written one after the other into an array that may be too small. */
import { writeAddressText } from "../address.js";
import { at } from "../bytes.js";
import { ZERO } from "./grammar.js";

/** Below this a loop is faster than the call that moves memory (measured: about 28 ns for the call, 1 per byte). */
const MOVE_FROM_BYTES = 32;

const NOTHING: Uint8Array = new Uint8Array(0);

/**
 * Writes into `target` from `position` on. What does not fit is not written, and `position` counts it all the same: a
 * head is written without a check at each step, and whether all of it is there is asked once, at the end.
 */
export class Writer {
	#target: Uint8Array = NOTHING;
	position = 0;

	begin(target: Uint8Array, position: number): void {
		this.#target = target;
		this.position = position;
	}

	/** Lets go of the array, so that nothing is kept alive by a writer. False: not all that was written did fit. */
	end(): boolean {
		const isWhole = this.position <= this.#target.length;
		this.#target = NOTHING;
		return isWhole;
	}

	byte(value: number): void {
		// Beyond the end of a typed array this does nothing.
		this.#target[this.position++] = value;
	}

	bytes(source: Uint8Array): void {
		const target = this.#target;
		let position = this.position;
		for (let i = 0; i < source.length; i++) target[position++] = at(source, i);
		this.position = position;
	}

	/** Copies source[start, end). The source may be the array that is written to, where the two do not overlap. */
	span(source: Uint8Array, start: number, end: number): void {
		const target = this.#target;
		let position = this.position;
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
		let rest = value;
		for (let i = end - 1; i >= this.position; i--) {
			this.#target[i] = ZERO + (rest % 10);
			rest = Math.floor(rest / 10);
		}
		this.position = end;
	}

	address(family: 4 | 6, address: Uint8Array, offset: number): void {
		this.position += writeAddressText(this.#target, this.position, family, address, offset);
	}
}

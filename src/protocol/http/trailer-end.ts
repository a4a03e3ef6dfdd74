/** Where a trailer section ends (RFC 9112, 7.1.2), for those who pass it on as it is: behind its first empty line. */
import { at } from "../bytes.js";
import { CR, LF } from "./grammar.js";

export class TrailerEnd {
	/** What has come of a line, its end not counted. */
	#lineBytes = 0;

	/** Begins a new section. */
	reset(): void {
		this.#lineBytes = 0;
	}

	/** The position behind the empty line, or -1: all of bytes[start, end) belongs to the section. */
	find(bytes: Uint8Array, start: number, end: number): number {
		for (let position = start; position < end; position++) {
			const byte = at(bytes, position);
			if (byte === CR) continue;
			if (byte !== LF) this.#lineBytes++;
			else if (this.#lineBytes > 0) this.#lineBytes = 0;
			else return position + 1;
		}
		return -1;
	}
}

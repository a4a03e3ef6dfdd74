/**
 * A name for each session. Most are short and lie in a column; a longer one, up to 253 bytes are legal, is kept on the heap
 * until the session ends or has another.
 */
import { u8 } from "../../parts/at.js";
import { Columns, type Layout, SESSION } from "../../parts/columns.js";
import { forget } from "../../parts/forget.js";
import type { Session } from "./numbers.js";

export class Names extends Columns {
	readonly length = this.u8(SESSION);
	/** As many bytes for each session as fit its row. */
	readonly bytes: Uint8Array;
	/** Bytes that fit a row. */
	readonly width: number;
	readonly #long = new Map<number, Uint8Array>();

	/** `width`: bytes that fit a row. */
	constructor(layout: Layout, width: number) {
		super(layout);
		this.width = width;
		this.bytes = this.u8(SESSION, width);
	}

	/** The session has this name from now on. */
	keep(session: Session, name: Uint8Array, length: number): void {
		this.length[session] = length;
		forget(this.#long, session);
		if (length > this.width) this.#long.set(session, name.slice(0, length));
		// Of a long one the first part, for whoever only looks at the table.
		const start = session * this.width;
		for (let i = 0; i < length && i < this.width; i++) this.bytes[start + i] = u8(name, i);
	}

	/** It has none. */
	clear(session: Session): void {
		if (u8(this.length, session) !== 0) this.length[session] = 0;
		forget(this.#long, session);
	}

	lengthOf(session: Session): number {
		return u8(this.length, session);
	}

	/** Where its bytes are: from {@link startOf} on. */
	bytesOf(session: Session): Uint8Array {
		return u8(this.length, session) > this.width ? (this.#long.get(session) as Uint8Array) : this.bytes; // kept with its length
	}

	startOf(session: Session): number {
		return u8(this.length, session) > this.width ? 0 : session * this.width;
	}
}

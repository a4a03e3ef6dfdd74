/**
 * To which session belongs what lies in memory that all sessions share: what was recognised last, or the head that was read
 * last. Writing marks it, and reading checks the mark.
 */

import { i32 } from "../../parts/at.js";
import { NONE, type Slot } from "./numbers.js";
import type { Table } from "./table.js";

export class Tag {
	readonly #table: Table;
	#slot: Slot = NONE;
	#generation = 0;

	constructor(table: Table) {
		this.#table = table;
	}

	/** It is this row's from now on. */
	mark(slot: Slot): void {
		this.#slot = slot;
		this.#generation = i32(this.#table.generation, slot);
	}

	/** It belongs to no session. */
	clear(): void {
		this.#slot = NONE;
	}

	/** It is this row's, and of its present owner. */
	is(slot: Slot): boolean {
		return slot === this.#slot && i32(this.#table.generation, slot) === this.#generation;
	}
}

/**
 * Connections that had more than their share of a turn, and wait for the next one: first in, first out.
 *
 * A list threaded through the table by its columns `queueNext` and `queuePrevious`. A row is in it once at most, and
 * leaves it when its connection is closed, so the table's size bounds it, and nothing that clients do can fill it.
 *
 *     head ──► row ──► row ──► row ◄── tail      rows behind `#later` were queued during the run that is
 *                       ▲                        under way, and wait for the next one
 *                    #later
 */

import { i32 } from "../../parts/at.js";
import { QUEUED } from "./marks.js";
import { NONE, type Slot } from "./numbers.js";
import type { Table } from "./table.js";

export class TurnQueue {
	readonly #table: Table;
	#head: Slot = NONE;
	#tail: Slot = NONE;
	/** The first row that was queued during the run that is under way. */
	#later: Slot = NONE;
	#isRunning = false;
	/** How many wait. */
	length = 0;

	constructor(table: Table) {
		this.#table = table;
	}

	/** Gives a connection another turn after the others have had theirs. One that waits already keeps its place. */
	add(slot: Slot): void {
		const { flags, queueNext, queuePrevious } = this.#table;
		if ((i32(flags, slot) & QUEUED) !== 0) return;
		flags[slot] = i32(flags, slot) | QUEUED;
		queueNext[slot] = NONE;
		queuePrevious[slot] = this.#tail;
		if (this.#tail === NONE) this.#head = slot;
		else queueNext[this.#tail] = slot;
		this.#tail = slot;
		if (this.#isRunning && this.#later === NONE) this.#later = slot;
		this.length++;
	}

	/** Its connection is about to be closed. */
	remove(slot: Slot): void {
		const { flags, queueNext, queuePrevious } = this.#table;
		if ((i32(flags, slot) & QUEUED) === 0) return;
		flags[slot] = i32(flags, slot) & ~QUEUED;
		const next = i32(queueNext, slot);
		const previous = i32(queuePrevious, slot);
		if (next === NONE) this.#tail = previous;
		else queuePrevious[next] = previous;
		if (previous === NONE) this.#head = next;
		else queueNext[previous] = next;
		if (this.#later === slot) this.#later = next;
		this.length--;
	}

	/** Runs what was queued before this call, while `goesOn`; what is queued meanwhile waits for the next call. */
	run(each: (slot: Slot) => void, goesOn: () => boolean): void {
		this.#isRunning = true;
		while (this.#head !== this.#later && goesOn()) {
			const slot = this.#head;
			this.remove(slot);
			each(slot);
		}
		this.#isRunning = false;
		this.#later = NONE;
	}
}

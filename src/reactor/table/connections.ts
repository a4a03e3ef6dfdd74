/**
 * What is known of every connection, a client's or an upstream's. Each cell is 0 until there is something to say, and again
 * when its row is released, so that what a connection never does touches no memory.
 */

import { assert } from "../../parts/assert.js";
import { i32, u32 } from "../../parts/at.js";
import { CONNECTION, Columns } from "../../parts/columns.js";
import { type Fd, NONE, type Session, type Slot } from "./numbers.js";
import { timeOf } from "./times.js";

/** Bits of `heldWhere` for how many bytes of a chunk wait; where they begin is above. */
const LENGTH_BITS = 16;
const LENGTH_MASK = 2 ** LENGTH_BITS - 1;

export class Connections extends Columns {
	/** In which of the wheel's ticks its deadline is; 0 = it has none. */
	readonly due = this.u32(CONNECTION);
	/**
	 * BLOCKED: when this connection last took any of what we have for it. Otherwise: since when bytes are under way to it of which
	 * none has been acknowledged; 0 while none are, or some were. A stamp (`times.ts`).
	 */
	readonly since = this.u32(CONNECTION);
	/** Bytes handed to the kernel for this connection. */
	readonly sent = this.f64(CONNECTION);
	/** NONE while the row is free. */
	readonly fd = this.i32<Fd>(CONNECTION);
	/** Counts the slot's owners. An event that carries another generation is news for an earlier one. */
	readonly generation = this.i32(CONNECTION);
	/** The session that it belongs to; NONE: it is nobody's. */
	readonly session = this.references<Session>(CONNECTION);
	/** The wheel's bucket list; while the row is free, `next` is the free list. */
	readonly next = this.i32(CONNECTION);
	readonly previous = this.i32(CONNECTION);
	/** Its neighbours in the queue of rows that wait for another turn (`turn-queue.ts`). */
	readonly queueNext = this.i32<Slot>(CONNECTION);
	readonly queuePrevious = this.i32<Slot>(CONNECTION);
	/** Bytes that its peer had acknowledged when that was asked last; the low 32 bits, for comparing. */
	readonly acknowledged = this.i32(CONNECTION);
	readonly flags = this.i32(CONNECTION);
	/** What waits for this connection lies in a chunk (its number + 1), or in a pipe (-1 - its number); 0: nothing waits. */
	readonly held = this.i32(CONNECTION);
	/** Where in the chunk, and how many bytes, 16 bits each; or how many are in the pipe. */
	readonly heldWhere = this.u32(CONNECTION);
	readonly state = this.u8(CONNECTION);

	/** The chunk in which bytes wait for this connection, or NONE. */
	chunkOf(slot: Slot): number {
		const held = i32(this.held, slot);
		return held > 0 ? held - 1 : NONE;
	}

	/** The pipe in which bytes wait for this connection, or NONE. */
	pipeOf(slot: Slot): number {
		const held = i32(this.held, slot);
		return held < 0 ? -1 - held : NONE;
	}

	/** Where in its chunk the bytes begin that wait. */
	chunkStart(slot: Slot): number {
		return u32(this.heldWhere, slot) >>> LENGTH_BITS;
	}

	/** How many bytes wait, in a chunk or in a pipe. */
	heldBytes(slot: Slot): number {
		const held = i32(this.held, slot);
		if (held === 0) return 0;
		const where = u32(this.heldWhere, slot);
		return held > 0 ? where & LENGTH_MASK : where;
	}

	/** Bytes of a chunk wait for this connection: of one that it did not have before, or fewer of the one that it has. */
	holdChunk(slot: Slot, chunk: number, start: number, length: number): void {
		const held = i32(this.held, slot);
		assert(held === 0 || held === chunk + 1, "one thing waits for a connection, a chunk or a pipe");
		assert(start <= LENGTH_MASK && length > 0 && length <= LENGTH_MASK, "a chunk's places fit 16 bits");
		this.held[slot] = chunk + 1;
		this.heldWhere[slot] = (start << LENGTH_BITS) | length;
	}

	/** So many bytes of a pipe wait for this connection. */
	holdPipe(slot: Slot, pipe: number, bytes: number): void {
		assert(i32(this.held, slot) === 0, "one thing waits for a connection, a chunk or a pipe");
		this.held[slot] = -1 - pipe;
		this.heldWhere[slot] = bytes;
	}

	/** Nothing waits any more. */
	holdNothing(slot: Slot): void {
		this.held[slot] = 0;
	}

	/** The time of `since`; 0: there is none. */
	sinceMs(slot: Slot, nowMs: number): number {
		const since = u32(this.since, slot);
		return since === 0 ? 0 : timeOf(since, nowMs);
	}
}

/**
 * What was read ahead of a connection, or put back: it lies in the connection's inbox, and comes before what is in the kernel.
 */

import { EAGAIN } from "../../kernel/constants.js";
import { assert } from "../../parts/assert.js";
import { i32 } from "../../parts/at.js";
import type { MemoryContext } from "../memory/context.js";
import { AHEAD, ENDING } from "../table/marks.js";
import { NONE, type Slot } from "../table/numbers.js";

/**
 * Puts bytes back that were taken and have no use yet: they come first again. `sinceMs`: when the message began that they are of. Whoever takes what may have to be put
 * back has seen that a chunk is free, and that nothing was ahead; and knows whether there is more to be read.
 */
export function putBack(core: MemoryContext, slot: Slot, offset: number, length: number, sinceMs = 0): void {
	const { inboxes, chunks, kernel, table } = core;
	const chunk = chunks.take();
	assert(chunk !== NONE && !inboxes.has(slot), "a chunk is free, and the inbox is empty");
	inboxes.open(slot, chunk, sinceMs);
	inboxes.end[slot] = length;
	kernel.memory.copyWithin(chunks.offsetOf(chunk), offset, offset + length);
	core.budget.buffered(length);
	table.flags[slot] = i32(table.flags, slot) | AHEAD;
}

/**
 * What the kernel said behind bytes that were put back. An error it says once: behind a reset it would report an
 * end, so it is kept for the next read.
 */
export function behind(core: MemoryContext, slot: Slot, ahead: number, count: number): number {
	if (count >= 0) return ahead + count;
	if (count !== -EAGAIN) noteEnd(core, slot, count);
	return ahead;
}

export function copyAhead(core: MemoryContext, slot: Slot, offset: number, length: number): number {
	const { inboxes, chunks, kernel } = core;
	const count = Math.min(length, inboxes.length(slot));
	const start = chunks.offsetOf(i32(inboxes.chunk, slot) - 1) + i32(inboxes.start, slot);
	kernel.memory.copyWithin(offset, start, start + count);
	return count;
}

export function takeAhead(core: MemoryContext, slot: Slot, offset: number, length: number): number {
	return dropAhead(core, slot, copyAhead(core, slot, offset, length));
}

/** Takes up to `length` bytes of it out; the last one gives the chunk back. Returns how many there were. */
export function dropAhead(core: MemoryContext, slot: Slot, length: number): number {
	const { inboxes, chunks, table } = core;
	const count = Math.min(length, inboxes.length(slot));
	inboxes.start[slot] = i32(inboxes.start, slot) + count;
	core.budget.buffered(-count);
	if (inboxes.has(slot) && inboxes.length(slot) === 0) {
		chunks.give(i32(inboxes.chunk, slot) - 1);
		inboxes.chunk[slot] = 0;
		table.flags[slot] = i32(table.flags, slot) & ~AHEAD;
	}
	return count;
}

/** What was taken from the inbox leaves its room to what is still to come. */
export function moveToFront(core: MemoryContext, slot: Slot): void {
	const { inboxes, kernel, chunks } = core;
	const start = i32(inboxes.start, slot);
	if (start === 0) return;
	const end = i32(inboxes.end, slot);
	const place = chunks.offsetOf(i32(inboxes.chunk, slot) - 1);
	kernel.memory.copyWithin(place, place + start, place + end);
	inboxes.start[slot] = 0;
	inboxes.end[slot] = end - start;
}

/** The end or an error stands behind bytes. It is noted, because nothing else announces it, and no more bytes are to be waited for. */
export function noteEnd(core: MemoryContext, slot: Slot, result: number): void {
	const { inboxes, table } = core;
	if (result < 0) inboxes.failure[slot] = result;
	table.flags[slot] = i32(table.flags, slot) | ENDING;
}

export function takeChunk(core: MemoryContext): number {
	return core.budget.room < core.chunks.bytes ? NONE : core.chunks.take();
}

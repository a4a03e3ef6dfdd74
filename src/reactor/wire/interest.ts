/**
 * What readiness reports of a connection. Always edges: peeked bytes stay in the kernel, and level-triggered readiness would
 * report them for ever.
 */
import { EPOLLET, EPOLLIN, EPOLLOUT, EPOLLPRI, EPOLLRDHUP } from "../../kernel/constants.js";
import { i32 } from "../../parts/at.js";
import type { MemoryContext } from "../memory/context.js";
import { WATCHES_OUT } from "../table/marks.js";

/** Writability is not asked for until something blocks, because every new socket would report it at once. */
const INPUT = EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLET;

/** News of a connection is heard from now on. A negative errno: there is no memory for it. */
export function watch({ kernel, table }: MemoryContext, slot: number): number {
	return kernel.readiness.add(i32(table.fd, slot), INPUT, slot, i32(table.generation, slot));
}

/**
 * The same for one that is being made: writability is how a finished connect shows. Even one that finished within the call is
 * reported by this.
 */
export function watchConnecting({ kernel, table }: MemoryContext, slot: number): number {
	table.flags[slot] = i32(table.flags, slot) | WATCHES_OUT;
	return kernel.readiness.add(i32(table.fd, slot), INPUT | EPOLLOUT, slot, i32(table.generation, slot));
}

/** From now on readiness reports when there is room. */
export function watchOut({ kernel, table }: MemoryContext, slot: number): void {
	const flags = i32(table.flags, slot);
	if ((flags & WATCHES_OUT) !== 0) return;
	table.flags[slot] = flags | WATCHES_OUT;
	// Modifying reports the state as it is now, so an edge in between is not lost.
	kernel.readiness.modify(i32(table.fd, slot), INPUT | EPOLLOUT, slot, i32(table.generation, slot));
}

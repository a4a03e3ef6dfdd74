/**
 * Memory that libc's allocator keeps after it was freed. V8 compiles on threads of its own, and what a
 * burst of compilation freed stays in their arenas: some megabytes that no session uses.
 */
import * as libc from "./libc.js";

const M_ARENA_MAX = -8;

/** Arenas for all threads together. Reactors allocate next to nothing, so they do not contend. */
const ARENAS = 2;

/** Asks for few arenas. Before threads are started, for those that exist already keep theirs. */
export function limitArenas(): void {
	libc.mallopt?.(M_ARENA_MAX, ARENAS);
}

/** Gives freed memory back to the system. Takes a fifth of a millisecond, and seldom more than one. */
export function trimHeap(): void {
	libc.mallocTrim?.(0);
}

/** The allocator keeps arenas: glibc's does, musl's does not. */
export function hasArenas(): boolean {
	return libc.mallopt !== undefined;
}

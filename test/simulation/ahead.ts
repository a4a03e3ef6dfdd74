/** What the reactor has taken from a connection before it had a use for it: it comes first when that is read again. */

import { i32 } from "../../src/parts/at.js";
import type { Slot } from "../../src/reactor/table/numbers.js";
import type { SimulatedSocket } from "./descriptors.js";
import type { World } from "./world.js";

/** Bytes in the inbox of a connection. */
export function aheadOf(world: World, socket: SimulatedSocket): number {
	const { table, inboxes } = world.reactor.core;
	const { slot, generation, registered } = socket;
	// Of one that is closed the row is somebody else's.
	if (!registered || i32(table.generation, slot) !== generation) return 0;
	return inboxes.length(slot as Slot);
}

/** Bytes that have come and have not been used, in the kernel or in the inbox. */
export function unusedOf(world: World, socket: SimulatedSocket): number {
	return socket.available + aheadOf(world, socket);
}

/** Bytes that were taken for good. */
export function usedOf(world: World, socket: SimulatedSocket): number {
	return socket.taken - aheadOf(world, socket);
}

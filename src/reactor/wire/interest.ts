/** From when on news of a connection is heard. */

import { i32 } from "../../parts/at.js";
import { WATCHES_OUT } from "../table/marks.js";
import type { Slot } from "../table/numbers.js";
import type { WireContext } from "./context.js";

/** News of a connection is heard from now on. A negative errno: there is no memory for it. */
export function watch({ engine }: WireContext, slot: Slot): number {
	return engine.watch(slot);
}

/** The same for one that is being made: EPOLLOUT is how a finished connect shows. */
export function watchConnecting({ engine, table }: WireContext, slot: Slot): number {
	table.flags[slot] = i32(table.flags, slot) | WATCHES_OUT;
	return engine.watchConnecting(slot);
}

/** From now on it is told when there is room. */
export function watchOut({ engine, table }: WireContext, slot: Slot): void {
	const flags = i32(table.flags, slot);
	if ((flags & WATCHES_OUT) !== 0) return;
	table.flags[slot] = flags | WATCHES_OUT;
	engine.watchRoom(slot);
}

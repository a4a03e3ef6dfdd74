/** How a connection ends: what it holds is given back, its descriptor last. Its session or the pool has let go of it before. */

import { assert } from "../../parts/assert.js";
import { i32, u8 } from "../../parts/at.js";
import { scalarIndex } from "../records/counters.js";
import { FLOW, KIND, SOCKET } from "../table/fields.js";
import { AHEAD, BLOCKED, ENDING, SECURED } from "../table/marks.js";
import { NONE, type Slot } from "../table/numbers.js";
import { FREE } from "../table/states.js";
import { dropAhead } from "./ahead.js";
import type { WireContext } from "./context.js";
import { freeSession } from "./tls.js";
import { goodbye } from "./transport.js";

/**
 * Gives back all that a connection holds, and closes it; with a reset, what the kernel holds for it is dropped, too. What is not a
 * socket has no descriptor of its own: others may live on the one that its row names.
 */
export function hangUp(core: WireContext, slot: Slot, reset: boolean): void {
	const { table, engine } = core;
	assert(u8(table.state, slot) !== FREE, "a connection is closed once");
	core.wheel.cancel(slot);
	core.queue.remove(slot);
	const chunk = table.chunkOf(slot);
	if (chunk !== NONE) core.chunks.give(chunk);
	const pipe = table.pipeOf(slot);
	if (pipe !== NONE) core.pipes.discard(pipe);
	core.budget.buffered(-table.heldBytes(slot));
	// What the peer has not been told by TLS so far, it is told as well as the socket's room allows.
	if (!reset && (i32(table.flags, slot) & (BLOCKED | SECURED)) === SECURED) goodbye(core, slot);
	endTransport(core, slot);
	if ((i32(table.flags, slot) & KIND) !== SOCKET) return;
	if (reset) engine.reset(slot);
	else engine.close(slot);
}

/** Gives the library's session and what was read ahead back; the descriptor stays. */
function endTransport(core: WireContext, slot: Slot): void {
	const flags = i32(core.table.flags, slot);
	if ((flags & ENDING) !== 0) core.inboxes.failure[slot] = 0;
	if ((flags & (SECURED | AHEAD)) === 0) return;
	dropAhead(core, slot, core.inboxes.length(slot));
	if ((flags & SECURED) !== 0) freeSession(core, slot);
}

/**
 * The row is free, and counted as closed. There is no system call from here to there: the ledger looks from another
 * thread, and a call may keep this one, on a busy machine, for as long as the ledger looks.
 */
export function releaseRow(core: WireContext, slot: Slot): void {
	const { table, counters } = core;
	if ((i32(table.flags, slot) & KIND) === FLOW) counters.add(FLOWS_CLOSED, 1);
	counters.add(table.isClient(slot) ? DOWNSTREAM_CLOSED : UPSTREAM_CLOSED, 1);
	table.release(slot);
}

const FLOWS_CLOSED = scalarIndex("flowsClosed");
const DOWNSTREAM_CLOSED = scalarIndex("downstreamClosed");
const UPSTREAM_CLOSED = scalarIndex("upstreamClosed");

/** Bulk goes from socket to pipe to socket, inside the kernel; what the peer does not take waits in that one pipe. */

import { EINVAL } from "../../../kernel/constants.js";
import { i32 } from "../../../parts/at.js";
import { CHUNK_BYTES } from "../../memory/arena.js";
import { BULK, PACED } from "../../table/marks.js";
import type { Next } from "../../table/next.js";
import { NONE, type Slot } from "../../table/numbers.js";
import { drainPipe } from "../../wire/outbox.js";
import type { RelayContext } from "./context.js";
import { moveByCopy } from "./copy.js";
import { MORE, nothingReceived, passed } from "./direction.js";

/** What one splice asks for: more than any pipe holds. */
const SPLICE_BYTES = 1 << 20;

/** A splice that moved less than this ends bulk: for small messages receive and send are cheaper. */
const BULK_MIN_BYTES = 4096;

export function moveBySplice(core: RelayContext, from: Slot, to: Slot): Next {
	const { table, engine, pipes } = core;
	const most = (i32(table.flags, from) & PACED) === 0 ? SPLICE_BYTES : CHUNK_BYTES;
	const room = Math.min(core.budget.room, most);
	const pipe = room < CHUNK_BYTES ? NONE : pipes.borrow();
	if (pipe === NONE) return moveByCopy(core, from, to, CHUNK_BYTES);
	const count = engine.fillPipe(from, pipes.writeEnd(pipe), room);
	if (count <= 0) {
		pipes.giveBack(pipe);
		if (count !== -EINVAL && count !== 0) return nothingReceived(core, from, to, count);
		// A kind of socket that cannot be spliced; or an end, which a splice also reports before an urgent mark:
		// a receive tells them apart.
		table.flags[from] = i32(table.flags, from) & ~BULK;
		return MORE;
	}
	if (count < BULK_MIN_BYTES) table.flags[from] = i32(table.flags, from) & ~BULK;
	return passed(core, from, to, drainPipe(core, to, pipe, count));
}

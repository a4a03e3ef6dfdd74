/**
 * The mode in which bytes pass untouched. Each direction is *from* a connection *to* its peer:
 *
 *     received into scratch ──► sent at once ──► what the peer does not take waits in one chunk,
 *                                                and nothing more is read until it is gone
 *     bulk: spliced socket → pipe → socket; what the peer does not take waits in that one pipe
 *
 * Readiness is edge-triggered: READABLE and BLOCKED remember what the edges said.
 */

import { ECONNRESET, EPOLLERR, EPOLLOUT } from "../../../kernel/constants.js";
import { i32 } from "../../../parts/at.js";
import { failed } from "../../end/failure.js";
import { CHUNK_BYTES } from "../../memory/arena.js";
import { FULL_READS } from "../../table/fields.js";
import { AHEAD, BLOCKED, BULK, ENDED, LOOKED_AFTER, PACED, READABLE } from "../../table/marks.js";
import { type Next, STAY } from "../../table/next.js";
import type { Session, Slot } from "../../table/numbers.js";
import { RELAY } from "../../table/states.js";
import { stamp } from "../../table/times.js";
import { noteNews } from "../../wire/news.js";
import { mayMove, mostToMove } from "../../wire/pace.js";
import { takeError } from "../../wire/transport.js";
import type { RelayContext } from "./context.js";
import { moveByCopy } from "./copy.js";
import { armRelay } from "./deadlines.js";
import { flush, MORE } from "./direction.js";
import { moveBySplice } from "./splice.js";

/** Buffers that a direction may move before others have their turn. */
const ROUNDS_PER_TURN = 16;
/** A splice moves up to a pipe's fill, which is many buffers. */
const ROUNDS_PER_SPLICE = 8;

/** The upstream is connected: bytes begin to pass, first those that were only peeked. `events`: of the upstream's connection. */
export function beginRelay(core: RelayContext, session: Session, events: number): Next {
	const { table } = core;
	const link = table.linkOf(session);
	table.state[session] = RELAY;
	table.state[link] = RELAY;
	table.active[session] = stamp(core.nowMs);
	table.flags[session] = i32(table.flags, session) | LOOKED_AFTER;
	armRelay(core, session);
	if ((i32(table.flags, session) & PACED) !== 0) table.flags[link] = i32(table.flags, link) | PACED;
	// READABLE has been kept since the client's first bytes: they were peeked, or not looked at while dialling. Or they were taken.
	if ((i32(table.flags, session) & AHEAD) !== 0) table.flags[session] = i32(table.flags, session) | READABLE;
	const next = relaying(core, link, events | EPOLLOUT);
	return next === STAY ? pump(core, session, link) : next;
}

/** News of either side. */
export function relaying(core: RelayContext, slot: Slot, events: number): Next {
	const { table } = core;
	const peer = table.peerOf(slot);
	const flags = noteNews(core, slot, events);
	if ((events & EPOLLERR) !== 0 && ((flags & ENDED) !== 0 || (i32(table.flags, peer) & BLOCKED) !== 0))
		// Reading would not come upon the error: the end was read before, or the peer takes none of what is in front.
		// A goodbye through TLS may have met the error, and taken it.
		return failed(core, slot, takeError(core, slot) || ECONNRESET);
	if ((events & EPOLLOUT) !== 0 && (flags & BLOCKED) !== 0) {
		const flushed = flush(core, slot, peer);
		if (flushed !== STAY) return flushed;
		const pumped = pump(core, peer, slot);
		if (pumped !== STAY) return pumped;
	}
	return pump(core, slot, peer);
}

/** The connection had more than its share of an earlier turn. */
export function relayQueued(core: RelayContext, slot: Slot): Next {
	return pump(core, slot, core.table.peerOf(slot));
}

function pump(core: RelayContext, from: Slot, to: Slot): Next {
	const { flags } = core.table;
	for (let round = 0; ; ) {
		const mine = i32(flags, from);
		if ((mine & (READABLE | ENDED)) !== READABLE || (i32(flags, to) & BLOCKED) !== 0) return STAY;
		if (round >= ROUNDS_PER_TURN || (core.budget.turnBytes <= 0 && (round > 0 || isMuch(core, from)))) break;
		if ((mine & PACED) !== 0 && !mayMove(core, core.table.sessionOf(from))) return STAY;
		const most = (mine & PACED) === 0 ? CHUNK_BYTES : mostToMove(core, core.table.sessionOf(from), to);
		const bulk = (mine & BULK) !== 0 && most === CHUNK_BYTES;
		const next = bulk ? moveBySplice(core, from, to) : moveByCopy(core, from, to, most);
		if (next !== MORE) return next;
		round += bulk ? ROUNDS_PER_SPLICE : 1;
	}
	core.queue.add(from);
	return STAY;
}

/**
 * The last read of it filled the buffer. A connection with little to say does not wait behind bulk: when the turn's
 * bytes are spent, it gets its one buffer all the same.
 */
function isMuch({ table }: RelayContext, from: Slot): boolean {
	return (i32(table.flags, from) & (BULK | FULL_READS)) !== 0;
}

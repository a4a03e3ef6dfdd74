/**
 * What is the same for both ways to move bytes *from* a connection *to* its peer: what a read that brought nothing says, what
 * becomes of bytes that were sent, and how the end of a stream is carried on.
 *
 * Results: MORE, or where the session goes: STAY when this direction is done for now.
 */

import { EAGAIN } from "../../../kernel/constants.js";
import { i32, u8 } from "../../../parts/at.js";
import { failed } from "../../end/failure.js";
import { CHUNK_BYTES, IN_AT } from "../../memory/arena.js";
import { CLIENT_CLOSED, UPSTREAM_CLOSED } from "../../records/reasons.js";
import { BLOCKED, ENDED, READABLE, SHUT } from "../../table/marks.js";
import { end, type Next, STAY } from "../../table/next.js";
import type { Slot } from "../../table/numbers.js";
import { stamp } from "../../table/times.js";
import { EMPTIED, flushOutbox, leave, moved, send } from "../../wire/outbox.js";
import { receive } from "../../wire/transport.js";
import type { RelayContext } from "./context.js";

/** Bytes were moved, and there may be more of them. */
export const MORE = -1;

/** Buffers that a direction may still fetch from a connection that is about to be closed. */
const LAST_ROUNDS = 16;

export const CLIENT_ENDED_FIRST = 1;
export const UPSTREAM_ENDED_FIRST = 2;

/** A read brought nothing: `result` is what it said. */
export function nothingReceived(core: RelayContext, from: Slot, to: Slot, result: number): Next {
	const { flags } = core.table;
	if (result === 0) return ended(core, from, to);
	if (result !== -EAGAIN) return failed(core, from, -result);
	flags[from] = i32(flags, from) & ~READABLE;
	return STAY;
}

/** What became of bytes for `to`. */
export function passed(core: RelayContext, from: Slot, to: Slot, result: number): Next {
	if (result < 0) return writeFailed(core, to, from, -result);
	return result === EMPTIED ? MORE : STAY;
}

/** Sends what waits for `to`. When nothing is left, `from` may be read again, or its end is carried on. */
export function flush(core: RelayContext, to: Slot, from: Slot): Next {
	const result = flushOutbox(core, to);
	if (result < 0) return writeFailed(core, to, from, -result);
	if (result === EMPTIED && (i32(core.table.flags, from) & ENDED) !== 0) return endDirection(core, to);
	return STAY;
}

/** The last bytes of `from` are with `to` as `result` says, and behind them is the end, which need not be read. */
export function passedLast(core: RelayContext, from: Slot, to: Slot, result: number): Next {
	if (result < 0) return writeFailed(core, to, from, -result);
	return ended(core, from, to);
}

/** The end of a stream was read. */
function ended(core: RelayContext, from: Slot, to: Slot): Next {
	const { table, wheel } = core;
	table.flags[from] = (i32(table.flags, from) & ~READABLE) | ENDED;
	const session = table.sessionOf(from);
	// The end itself was heard just now: the other side has its whole time from here.
	table.active[session] = stamp(core.nowMs);
	if (u8(table.firstEnd, session) === 0)
		table.firstEnd[session] = table.isClient(from) ? CLIENT_ENDED_FIRST : UPSTREAM_ENDED_FIRST;
	const closesAtMs = core.nowMs + core.policyOf(session).halfClosedMs;
	if (closesAtMs < wheel.deadlineOf(session)) wheel.arm(session, closesAtMs);
	return (i32(table.flags, to) & BLOCKED) === 0 ? endDirection(core, to) : STAY;
}

/** Everything from the peer has been sent to `to`: carry the end on, or end the session when both directions have ended. */
function endDirection(core: RelayContext, to: Slot): Next {
	const { table, engine } = core;
	const from = table.peerOf(to);
	// Flushing comes back here when it has been said.
	if (!leave(core, to)) return STAY;
	if ((i32(table.flags, to) & ENDED) !== 0 && (i32(table.flags, from) & BLOCKED) === 0) {
		const wasClient = u8(table.firstEnd, table.sessionOf(to)) === CLIENT_ENDED_FIRST;
		return end(wasClient ? CLIENT_CLOSED : UPSTREAM_CLOSED);
	}
	table.flags[to] = i32(table.flags, to) | SHUT;
	engine.shutdownWrite(to);
	return STAY;
}

/**
 * `to` takes nothing more, for good. What it said before (an early answer, then a reset, is common) still
 * belongs to its peer.
 */
export function writeFailed(core: RelayContext, to: Slot, from: Slot, errno: number): Next {
	const { table } = core;
	if ((i32(table.flags, from) & (BLOCKED | SHUT)) === 0) {
		for (let round = 0; round < LAST_ROUNDS; round++) {
			const count = receive(core, to, IN_AT, CHUNK_BYTES);
			if (count <= 0) break;
			const sent = send(core, from, IN_AT, count);
			if (sent > 0) moved(core, from, sent);
			if (sent < count) break;
		}
	}
	return failed(core, to, errno);
}

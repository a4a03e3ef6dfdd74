/**
 * The last words of a session: what its client is told, and the time that it has to hear it.
 *
 *     told ──► FLUSH ──all taken──► LINGER ──its end, or a second──► closed
 *       └──────all taken at once─────▲
 *
 * Closing at once would answer the client's next byte with a reset, and a reset destroys the answer before it is read.
 */

import { EAGAIN, ECONNRESET, EPOLLERR, EPOLLHUP, EPOLLOUT } from "../../kernel/constants.js";
import { assert } from "../../parts/assert.js";
import { i32, u8 } from "../../parts/at.js";
import { SCRATCH_BYTES } from "../memory/arena.js";
import {
	CLIENT_CLOSED,
	HANDSHAKE_TIMEOUT,
	LIFETIME,
	MEMORY_PRESSURE,
	STALL_TIMEOUT,
} from "../records/reasons.js";
import { BLOCKED } from "../table/marks.js";
import { end, type Next, STAY } from "../table/next.js";
import type { Session } from "../table/numbers.js";
import { FLUSH, LINGER } from "../table/states.js";
import { dropAhead } from "../wire/ahead.js";
import { lifetimeDeadline, lookAtBoth, nextLook, stallDeadline } from "../wire/liveness.js";
import { noteNews } from "../wire/news.js";
import { block, EMPTIED, flushOutbox, keep, leave, mayKeep, moved, send } from "../wire/outbox.js";
import { lowerWater } from "../wire/socket-options.js";
import { takeError } from "../wire/transport.js";
import type { EndContext } from "./context.js";
import { failed } from "./failure.js";

/** How long a client that was told may go on saying what it was saying. */
const LINGER_MS = 1_000;

/** Reads per turn: one that pours must not keep the others waiting. */
const READS_PER_TURN = 16;

/** Tells the client something, the last that it hears, and ends the session as `reason` when it has heard. */
export function tell(core: EndContext, session: Session, words: Uint8Array, reason: number): Next {
	lowerWater(core, session);
	const found = emptySocket(core, session);
	core.kernel.memory.set(words, 0);
	// A socket with an empty send buffer takes it whole. If the client is gone already, it cannot be told.
	const sent = send(core, session, 0, words.length);
	if (sent > 0) moved(core, session, sent);
	if (sent >= 0 && sent < words.length && found !== ENDED && mayKeep(core)) {
		// Earlier answers fill its socket: this one waits for its turn.
		keep(core, session, sent, words.length - sent);
		block(core, session);
		return flushThenEnd(core, session, reason);
	}
	// An ordinary end would say that it has been told all.
	if (sent < words.length && found !== ENDED && reason === CLIENT_CLOSED)
		return sent < 0 ? failed(core, session, -sent) : end(MEMORY_PRESSURE);
	wasTold(core, session, reason);
	// A client that never asked for anything does not get a further second.
	if (reason === HANDSHAKE_TIMEOUT || found === ENDED) return end(reason);
	return linger(core, session, reason, found === MORE);
}

/** Nothing more is heard from the client: it ends when it has taken what waits for it. */
export function flushThenEnd(core: EndContext, session: Session, reason: number): Next {
	const { table, wheel } = core;
	assert((i32(table.flags, session) & BLOCKED) !== 0, "something waits for the client");
	table.state[session] = FLUSH;
	table.reason[session] = reason;
	wheel.arm(session, Math.min(flushDeadline(core, session), nextLook(core, session)));
	return STAY;
}

/** Ends our direction. The client has a second to end its own, or to hear what was said last. */
export function lingerThenEnd(core: EndContext, session: Session, reason: number): Next {
	const found = emptySocket(core, session);
	if (found !== ENDED) return linger(core, session, reason, found === MORE);
	// It was told, and what it was told has only just gone: that is not to be destroyed by a reset.
	wasTold(core, session, reason);
	return end(reason);
}

function linger(core: EndContext, session: Session, reason: number, hasMore: boolean): Next {
	if (!leave(core, session)) return flushThenEnd(core, session, reason);
	wasTold(core, session, reason);
	if (core.engine.shutdownWrite(session) < 0) return end(reason);
	core.wheel.arm(session, core.nowMs + LINGER_MS);
	if (hasMore) core.queue.add(session);
	return STAY;
}

function wasTold({ table }: EndContext, session: Session, reason: number): void {
	table.state[session] = LINGER;
	table.reason[session] = reason;
}

// FLUSH

/** News of a client that is still to take what waits for it. */
export function flushing(core: EndContext, session: Session, events: number): Next {
	noteNews(core, session, events);
	if ((events & (EPOLLERR | EPOLLHUP)) !== 0)
		// Both sides have ended it, and no error says how.
		return failed(core, session, takeError(core, session) || ECONNRESET);
	if ((events & EPOLLOUT) === 0) return STAY;
	const result = flushOutbox(core, session);
	if (result < 0) return failed(core, session, -result);
	return result === EMPTIED ? lingerThenEnd(core, session, u8(core.table.reason, session)) : STAY;
}

export function flushTimedOut(core: EndContext, session: Session): Next {
	const lookAgainMs = lookAtBoth(core, session);
	const deadlineMs = flushDeadline(core, session);
	if (deadlineMs <= core.nowMs)
		return end(stallDeadline(core, session) <= core.nowMs ? STALL_TIMEOUT : LIFETIME);
	core.wheel.arm(session, Math.min(deadlineMs, lookAgainMs));
	return STAY;
}

/** The lifetime does not cut an answer: from then on the client has `stall` to take the last one. */
function flushDeadline(core: EndContext, session: Session): number {
	const lastMs = lifetimeDeadline(core, session) + core.policyOf(session).stallMs;
	return Math.min(stallDeadline(core, session), lastMs);
}

// LINGER

/** A client that was told goes on, or ends. */
export function lingering(core: EndContext, session: Session): Next {
	const found = emptySocket(core, session);
	if (found === ENDED) return end(u8(core.table.reason, session));
	if (found === MORE) core.queue.add(session);
	return STAY;
}

/**
 * Its second is over. It may still be taking what it was told, a long last answer for one: then it goes on, within its
 * lifetime and for as long as it acknowledges something within `stall`. Closed now, its next byte would be answered by a
 * reset (RFC 9112, 9.6).
 */
export function lingerTimedOut(core: EndContext, session: Session): Next {
	const isTaking = core.engine.undelivered(session) > 0 && lifetimeDeadline(core, session) > core.nowMs;
	if (!isTaking) return end(u8(core.table.reason, session));
	lookAtBoth(core, session);
	if (stallDeadline(core, session) <= core.nowMs) return end(STALL_TIMEOUT);
	core.wheel.arm(session, core.nowMs + LINGER_MS);
	return STAY;
}

const EMPTY = 0;
const MORE = 1;
const ENDED = 2;

/** Throws away what has come: all of it, a turn's share, or up to the client's end. */
function emptySocket(core: EndContext, session: Session): number {
	dropAhead(core, session, core.inboxes.length(session));
	for (let read = 0; read < READS_PER_TURN; read++) {
		const count = core.engine.discard(session, SCRATCH_BYTES);
		if (count === -EAGAIN) return EMPTY;
		if (count <= 0) return ENDED;
	}
	return MORE;
}

/**
 * How bytes come and go on a connection: plain, from and to the engine; or through TLS, by a session of the library
 * over the same descriptor. Steps and modes see no difference:
 *
 *     peek      shows what has come, and leaves it there
 *     gather    what a peek showed is not enough: TLS shows one record at a time. When there is more, look again,
 *               unless the turn's bytes are spent
 *     receive   takes it
 *     putBack   what was taken has no use yet
 *     discard   takes what a peek showed
 *     transmit  sends what is taken at once
 *     goodbye   nothing more follows
 *
 * Results are the kernel's: a count, 0 at the end of the stream, a negative errno. An end that nobody said by TLS
 * is none: ECONNABORTED, for whoever is on the path can forge it. EPROTO: TLS failed, `tlsFailures` says why.
 */

import { ENOBUFS, EPOLLIN, EPOLLOUT } from "../../kernel/constants.js";
import { f64, i32, u8 } from "../../parts/at.js";
import { SCRAP_AT, SCRAP_BYTES } from "../memory/arena.js";
import { AHEAD, ENDING, NAGLED, READABLE, SECURED } from "../table/marks.js";
import { type Link, NONE, type Slot } from "../table/numbers.js";
import { behind, copyAhead, dropAhead, moveToFront, takeAhead, takeChunk } from "./ahead.js";
import type { WireContext } from "./context.js";
import { notReadable } from "./news.js";
import { NOT_KNOWN } from "./secures.js";
import { endNagle } from "./socket-options.js";
import {
	fillInbox,
	goodbyeSecured,
	isDrained,
	isSecured,
	peekSecured,
	receiveSecured,
	sendSecured,
} from "./tls.js";

export { putBack } from "./ahead.js";
export { holdsPart, isSecured, noteFailure } from "./tls.js";

export function peek(core: WireContext, slot: Slot, offset: number, length: number): number {
	const flags = i32(core.table.flags, slot);
	if ((flags & SECURED) !== 0) return peekSecured(core, slot, offset, length);
	const ahead = (flags & AHEAD) !== 0 ? copyAhead(core, slot, offset, length) : 0;
	if (ahead === length) return ahead;
	const failure = (flags & ENDING) === 0 ? 0 : i32(core.inboxes.failure, slot);
	if (failure !== 0) return ahead === 0 ? failure : ahead;
	const count = core.engine.peek(slot, offset + ahead, length - ahead);
	return ahead === 0 ? count : behind(core, slot, ahead, count);
}

export function receive(core: WireContext, slot: Slot, offset: number, length: number): number {
	const flags = i32(core.table.flags, slot);
	if ((flags & SECURED) !== 0) return receiveSecured(core, slot, offset, length);
	const ahead = (flags & AHEAD) !== 0 ? takeAhead(core, slot, offset, length) : 0;
	if (ahead === length) return ahead;
	const failure = (flags & ENDING) === 0 ? 0 : i32(core.inboxes.failure, slot);
	if (failure !== 0) return ahead === 0 ? failure : ahead;
	const count = core.engine.receive(slot, offset + ahead, length - ahead);
	return ahead === 0 ? count : behind(core, slot, ahead, count);
}

/** The error that an event has announced: the kernel's, or one that a read has taken note of, of TLS too. */
export function takeError(core: WireContext, slot: Slot): number {
	const isNoted = (i32(core.table.flags, slot) & ENDING) !== 0;
	const failure = isNoted ? i32(core.inboxes.failure, slot) : 0;
	return failure === 0 ? core.engine.takeError(slot) : -failure;
}

/** Takes bytes that were peeked. */
export function discard(core: WireContext, slot: Slot, length: number): void {
	const flags = i32(core.table.flags, slot);
	let left = length;
	if ((flags & AHEAD) !== 0) left -= dropAhead(core, slot, left);
	while (left > 0) {
		const count =
			(flags & SECURED) !== 0
				? receiveSecured(core, slot, SCRAP_AT, Math.min(left, SCRAP_BYTES), true)
				: core.engine.discard(slot, left);
		if (count <= 0) return; // it was reset meanwhile, which the next read tells
		left -= count;
	}
}

/**
 * Sends what is taken at once: up to `length` bytes. `more`: a further send, a shutdown or a close follows in this turn; until
 * then they may be held.
 */
export function transmit(
	core: WireContext,
	slot: Slot,
	offset: number,
	length: number,
	more = false,
): number {
	const { table } = core;
	const flags = i32(table.flags, slot);
	if ((flags & SECURED) !== 0) return sendSecured(core, slot, offset, length);
	if ((flags & NAGLED) !== 0 && f64(table.sent, slot) > 0) endNagle(core, slot as Link);
	return core.engine.send(slot, offset, length, more);
}

/**
 * All that had come was read, as far as the count of the last read can tell. An end that was announced can still
 * follow, and urgent data hides what is behind it.
 */
export function emptied(core: WireContext, slot: Slot): void {
	const flags = i32(core.table.flags, slot);
	if ((flags & AHEAD) !== 0) return;
	// Through TLS a count says nothing.
	if ((flags & SECURED) !== 0 && !isDrained(core, slot)) return;
	notReadable(core, slot);
}

/**
 * A peek has shown `seen` bytes, and they are not enough. Returns how many there are now, more when another peek is
 * worth it; or a negative errno: ENOBUFS when no chunk is free. `sinceMs`: when the message began, for `Inboxes.sinceMs`. For plain connections, which show all there is, that is what was seen.
 */
export function gather(core: WireContext, slot: Slot, seen: number, sinceMs: number): number {
	if (!isSecured(core, slot)) return seen;
	const { inboxes, table } = core;
	if (!inboxes.has(slot)) {
		const chunk = takeChunk(core);
		if (chunk === NONE) return -ENOBUFS;
		inboxes.open(slot, chunk, sinceMs);
		table.flags[slot] = i32(table.flags, slot) | AHEAD;
	} else {
		inboxes.sinceMs[slot] = sinceMs;
		moveToFront(core, slot);
	}
	return fillInbox(core, slot);
}

/** Says that nothing more follows. False: there is no room for that yet, or bytes are in front of it; then it is to be asked again. */
export function goodbye(core: WireContext, slot: Slot): boolean {
	return isSecured(core, slot) ? goodbyeSecured(core, slot) : core.engine.isFlushed(slot);
}

/** Bytes that were taken for sending, as they travel: what acknowledgements count. */
export function sentBytes(core: WireContext, slot: Slot): number {
	if (isSecured(core, slot)) return core.tls.written(f64(core.secures.session, slot));
	return f64(core.table.sent, slot);
}

/** What an event means through TLS: a read may have had to write first, and what was known of the kernel is of before. */
export function newsOf(core: WireContext, slot: Slot, events: number): number {
	const flags = i32(core.table.flags, slot);
	if ((flags & SECURED) === 0) return events;
	// Nothing may have been read since the earlier news; so what is taken from here on may have been there before these.
	if ((flags & READABLE) !== 0 && (events & EPOLLIN) !== 0) core.secures.takenWhenEmpty[slot] = NOT_KNOWN;
	if ((events & EPOLLOUT) === 0) return events;
	if (u8(core.secures.readWaits, slot) === 0) return events;
	core.secures.readWaits[slot] = 0;
	return events | EPOLLIN;
}

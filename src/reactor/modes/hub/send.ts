/**
 * What goes out to a subscriber. What its socket does not take of a message that has begun is kept for it, in memory of its own that
 * is as long as the rest of that message; so is what has to be said behind it. Messages that have not begun stay in the log.
 *
 * Results: SENT, WAITS, or a negative errno. Behind WAITS the subscriber is blocked, and news tells when there is room.
 */
import { EAGAIN, ENOBUFS } from "../../../kernel/constants.js";
import { i32 } from "../../../parts/at.js";
import { CHUNK_BYTES, IN_AT } from "../../memory/arena.js";
import { SECURED } from "../../table/marks.js";
import type { Session } from "../../table/numbers.js";
import { block, flushOutbox, isBlocked, moved, send } from "../../wire/outbox.js";
import { transmit } from "../../wire/transport.js";
import type { Leftover } from "./amid.js";
import type { Batch } from "./batches.js";
import type { HubContext } from "./context.js";
import type { HubTraffic } from "./traffic.js";

export const SENT = 0;
export const WAITS = 1;

/** What sending once costs, in bytes of a turn: a system call that the kernel carries out up to the receiver. */
const SEND_COST_BYTES = 8_192;

/** What may be said to somebody who takes nothing, beside a message: answers, pongs. Whoever asks for more than that is closed. */
const SAID_MAX_BYTES = 64 * 1024;

/** Sends some bytes, behind what waits. ENOBUFS: too much waits already. */
export function say(core: HubContext, hub: HubTraffic, session: Session, bytes: Uint8Array): number {
	if (hub.leftovers.has(session) || isBlocked(core, session)) return keepBehind(core, hub, session, bytes);
	return sendPieces(core, hub, session, bytes, 0, bytes.length, bytes);
}

/** Sends a message from where it lies in the log, which is being read. Whoever calls this has seen that nothing waits. */
export function sendMessage(
	core: HubContext,
	hub: HubTraffic,
	session: Session,
	at: number,
	bytes: number,
): number {
	return sendPieces(core, hub, session, hub.log.ring, at, at + bytes, null);
}

/** `own`: the same bytes, in memory that stays what it is; `null`: they have to be copied to be kept. */
function sendPieces(
	core: HubContext,
	hub: HubTraffic,
	session: Session,
	from: Uint8Array,
	start: number,
	end: number,
	own: Uint8Array | null,
): number {
	for (let at = start; at < end; ) {
		const length = Math.min(end - at, CHUNK_BYTES);
		core.kernel.memory.set(from.subarray(at, at + length), IN_AT);
		const sent = transmitSome(core, session, IN_AT, length);
		if (sent < 0) return sent;
		at += sent;
		if (sent === length) continue;
		// TLS may have encrypted what it did not send: the same bytes have to be offered again.
		const isBegun = at > start || own !== null || (i32(core.table.flags, session) & SECURED) !== 0;
		return isBegun ? keepRest(core, hub, session, from, at, end, own) : waitForRoom(core, hub, session);
	}
	return SENT;
}

/** Sends all of a batch that is for it, from its beginning. Returns how many bytes went, or a negative errno. */
export function sendBatch(core: HubContext, session: Session, { at, bytes }: Batch): number {
	return transmitSome(core, session, at, bytes);
}

/** It has taken `sent` bytes of a batch, and no more: what is left of the message that those end in is kept. Returns as above. */
export function keepOfBatch(
	core: HubContext,
	hub: HubTraffic,
	session: Session,
	batch: Batch,
	sent: number,
	end: number,
): number {
	if (sent === end) return waitForRoom(core, hub, session);
	return keepRest(core, hub, session, core.kernel.memory, batch.at + sent, batch.at + end, null);
}

/** Returns how many bytes went; 0: none for now; or a negative errno. */
function transmitSome(core: HubContext, session: Session, at: number, length: number): number {
	core.budget.turnBytes -= SEND_COST_BYTES;
	// Through TLS one record goes at a time, which does not say that there is no room for the next one: nobody would tell of it later.
	const isSecured = (i32(core.table.flags, session) & SECURED) !== 0;
	const sent = isSecured ? send(core, session, at, length) : transmit(core, session, at, length);
	if (sent > 0) {
		moved(core, session, sent);
		return sent;
	}
	return sent === -EAGAIN ? 0 : sent;
}

function keepRest(
	core: HubContext,
	hub: HubTraffic,
	session: Session,
	from: Uint8Array,
	start: number,
	end: number,
	own: Uint8Array | null,
): number {
	const length = end - start;
	if (core.budget.room < length) return -ENOBUFS;
	const leftover: Leftover =
		own === null
			? { bytes: Uint8Array.prototype.slice.call(from, start, end), start: 0, said: 0 }
			: { bytes: own, start, said: length };
	hub.leftovers.set(session, leftover);
	count(core, hub, length);
	return waitForRoom(core, hub, session);
}

function waitForRoom(core: HubContext, hub: HubTraffic, session: Session): number {
	if (!isBlocked(core, session)) hub.figures.add("blocked", 1);
	block(core, session);
	return WAITS;
}

function keepBehind(core: HubContext, hub: HubTraffic, session: Session, bytes: Uint8Array): number {
	const before = hub.leftovers.get(session);
	const waiting = before === undefined ? 0 : before.bytes.length - before.start;
	const said = (before?.said ?? 0) + bytes.length;
	if (said > SAID_MAX_BYTES || core.budget.room < bytes.length) return -ENOBUFS;
	const all = new Uint8Array(waiting + bytes.length);
	if (before !== undefined) all.set(before.bytes.subarray(before.start));
	all.set(bytes, waiting);
	hub.leftovers.set(session, { bytes: all, start: 0, said });
	count(core, hub, bytes.length);
	return WAITS;
}

/** There is room again: sends what was kept. SENT: nothing waits any more, and it is blocked no more. */
export function flushLeftover(core: HubContext, hub: HubTraffic, session: Session): number {
	const leftover = hub.leftovers.get(session);
	while (leftover !== undefined && leftover.start < leftover.bytes.length) {
		const { bytes, start } = leftover;
		const length = Math.min(bytes.length - start, CHUNK_BYTES);
		core.kernel.memory.set(bytes.subarray(start, start + length), IN_AT);
		const sent = transmitSome(core, session, IN_AT, length);
		if (sent < 0) return sent;
		leftover.start += sent;
		count(core, hub, -sent);
		if (sent < length) return WAITS;
	}
	hub.leftovers.delete(session);
	if (isBlocked(core, session)) hub.figures.add("blocked", -1);
	// Nothing of it is in the outbox of the wire: this says only that it takes bytes again.
	flushOutbox(core, session);
	return SENT;
}

/** It ends, or is about to be told why: what was kept for it is no longer needed. */
export function dropLeftover(core: HubContext, hub: HubTraffic, session: Session): void {
	const leftover = hub.leftovers.get(session);
	if (isBlocked(core, session)) hub.figures.add("blocked", -1);
	if (leftover === undefined) return;
	hub.leftovers.delete(session);
	count(core, hub, leftover.start - leftover.bytes.length);
}

function count(core: HubContext, hub: HubTraffic, bytes: number): void {
	core.budget.buffered(bytes);
	hub.figures.add("outboxBytes", bytes);
}

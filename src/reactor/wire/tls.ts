/**
 * How bytes come and go through TLS: by a session of the library over the connection's descriptor. It shows one record at a
 * time, so what is not enough is read on into the connection's inbox.
 */

import { EAGAIN, ECONNABORTED, EPIPE, EPROTO } from "../../kernel/constants.js";
import { FAILED, READ_AHEAD_BYTES, TRUNCATED, WANT_READ, WANT_WRITE } from "../../kernel/openssl/tls.js";
import { f64, i32, u8 } from "../../parts/at.js";
import { scalarIndex } from "../records/counters.js";
import { READABLE, SECURED } from "../table/marks.js";
import { type Link, NONE, type Slot } from "../table/numbers.js";
import { copyAhead, dropAhead, noteEnd, takeAhead } from "./ahead.js";
import type { WireContext } from "./context.js";
import { watchOut } from "./interest.js";
import { notReadable } from "./news.js";
import { BROKEN, NOT_KNOWN, OPEN, SAID_GOODBYE } from "./secures.js";

export function isSecured(core: WireContext, slot: Slot): boolean {
	return (i32(core.table.flags, slot) & SECURED) !== 0;
}

export function peekSecured(core: WireContext, slot: Slot, offset: number, length: number): number {
	const { secures, inboxes } = core;
	if (inboxes.has(slot)) {
		const count = fillInbox(core, slot);
		return count > 0 ? copyAhead(core, slot, offset, length) : count;
	}
	const failure = i32(inboxes.failure, slot);
	if (failure !== 0) return failure;
	const count = core.tls.peek(f64(secures.session, slot), offset, length);
	return count > 0 ? count : outcome(core, slot, count);
}

/** Records that are read at once: a peer may put a single byte into each. */
const RECORDS_MAX = 256;
/** What each of them counts against what a turn may move: it takes as long as copying so much does. */
const RECORD_COST_BYTES = 1_024;

/** Nothing speaks against a further read. */
const MORE = 1;

/**
 * Reads on into the inbox, as far as there is anything, or a share of it: when it has got more, there may be yet more.
 * Returns how much is in it, or, when nothing is, why.
 */
export function fillInbox(core: WireContext, slot: Slot): number {
	const { secures, inboxes, tls, chunks } = core;
	const place = chunks.offsetOf(i32(inboxes.chunk, slot) - 1);
	const before = i32(inboxes.end, slot);
	let end = before;
	let result = i32(inboxes.failure, slot) || MORE;
	for (let record = 0; result > 0 && end < chunks.bytes && record < RECORDS_MAX; record++) {
		core.budget.turnBytes -= RECORD_COST_BYTES;
		result = tls.read(f64(secures.session, slot), place + end, chunks.bytes - end);
		if (result > 0) end += result;
		else result = outcome(core, slot, result);
	}
	inboxes.end[slot] = end;
	core.budget.buffered(end - before);
	if (result <= 0 && result !== -EAGAIN) noteEnd(core, slot, result);
	const count = inboxes.length(slot);
	if (count > 0) return count;
	dropAhead(core, slot, 0);
	return result;
}

/** `few`: no more than was asked for is needed, so nothing is learnt about what else there may be. */
export function receiveSecured(
	core: WireContext,
	slot: Slot,
	offset: number,
	length: number,
	few = false,
): number {
	const { secures, tls } = core;
	if (core.inboxes.has(slot)) return takeAhead(core, slot, offset, length);
	const failure = i32(core.inboxes.failure, slot);
	if (failure !== 0) return failure;
	const session = f64(secures.session, slot);
	let count = 0;
	for (let record = 0; count < length && record < RECORDS_MAX; record++) {
		core.budget.turnBytes -= RECORD_COST_BYTES;
		const result = tls.read(session, offset + count, length - count);
		if (result <= 0) {
			const told = outcome(core, slot, result);
			if (count === 0) return told;
			if (told === -EAGAIN) notReadable(core, slot);
			else noteEnd(core, slot, told);
			break;
		}
		count += result;
		if (few) break;
		if (isDrained(core, slot)) {
			notReadable(core, slot);
			break;
		}
	}
	return count;
}

/** Nothing waits in the session, nor, as the size of its last read from there says, in the kernel. */
export function isDrained(core: WireContext, slot: Slot): boolean {
	const { secures, tls } = core;
	if ((i32(core.table.flags, slot) & READABLE) === 0) return true;
	const session = f64(secures.session, slot);
	if (i32(core.inboxes.failure, slot) !== 0 || tls.holds(session)) return false;
	const taken = tls.taken(session);
	const since = taken - f64(secures.takenWhenEmpty, slot);
	// None: what was announced since has not been asked for.
	if (since === 0 || since >= READ_AHEAD_BYTES) return false;
	secures.takenWhenEmpty[slot] = taken;
	return true;
}

/** What a read that brought nothing says, in the kernel's words. */
function outcome(core: WireContext, slot: Slot, result: number): number {
	const { secures, tls } = core;
	const session = f64(secures.session, slot);
	switch (result) {
		case 0:
			return 0;
		case WANT_WRITE:
			secures.readWaits[slot] = 1;
			watchOut(core, slot);
			return -EAGAIN;
		case WANT_READ:
			secures.takenWhenEmpty[slot] = tls.isAmidRecord(session) ? NOT_KNOWN : tls.taken(session);
			return -EAGAIN;
		case TRUNCATED:
			return broke(core, slot, -ECONNABORTED);
		case FAILED:
			noteFailure(core, slot, tls.lastReason());
			return broke(core, slot, -EPROTO);
		default:
			return broke(core, slot, result);
	}
}

/** The session must not be read again: the next read is told the same. */
function broke(core: WireContext, slot: Slot, failure: number): number {
	core.secures.phase[slot] = BROKEN;
	noteEnd(core, slot, failure);
	return failure;
}

/** The session is of no use any more; the reason is for the log. */
export function noteFailure(core: WireContext, slot: Slot, reason: string): void {
	core.secures.phase[slot] = BROKEN;
	const session = core.table.sessionOf(slot);
	// A pooled connection has no session.
	if (session !== NONE) core.tlsFailures.set(session, reason);
}

export function sendSecured(core: WireContext, slot: Slot, offset: number, length: number): number {
	const { secures, tls } = core;
	// A read has found it cut, and says how; or a write its peer gone.
	if (u8(secures.phase, slot) === BROKEN) return i32(core.inboxes.failure, slot) || -EPIPE;
	const result = tls.write(f64(secures.session, slot), offset, length);
	const waits = result === WANT_WRITE || result === WANT_READ;
	secures.writeWaits[slot] = waits ? 1 : 0;
	if (result > 0) return result;
	if (waits) return -EAGAIN;
	if (result === FAILED) noteFailure(core, slot, tls.lastReason());
	secures.phase[slot] = BROKEN;
	return result === FAILED ? -EPROTO : result < 0 && result > -4096 ? result : -EPIPE;
}

/** Part of a TLS record has been taken from the kernel, and none of it can be shown yet. */
export function holdsPart(core: WireContext, slot: Slot): boolean {
	return isSecured(core, slot) && core.tls.holds(f64(core.secures.session, slot));
}

/** Says that nothing more follows. False: there is no room for that yet, and it is to be asked again. */
export function goodbyeSecured(core: WireContext, slot: Slot): boolean {
	if (u8(core.secures.phase, slot) !== OPEN) return true;
	const { secures, tls } = core;
	if (u8(secures.writeWaits, slot) !== 0) {
		// Within a record nothing can be said: its peer sees that the stream was cut.
		secures.phase[slot] = BROKEN;
		return true;
	}
	const result = tls.shutdown(f64(secures.session, slot));
	if (result === WANT_WRITE) return false;
	secures.phase[slot] = result === 0 ? SAID_GOODBYE : BROKEN;
	return true;
}

export function freeSession(core: WireContext, slot: Slot): void {
	const { secures, tls, counters, table } = core;
	table.flags[slot] = i32(table.flags, slot) & ~SECURED;
	const session = f64(secures.session, slot);
	const place = table.placeOf(slot as Link);
	const phase = u8(secures.phase, slot);
	if (place >= 0 && (phase === OPEN || phase === SAID_GOODBYE))
		core.certificates.remember(i32(secures.address, place), session);
	tls.free(session);
	secures.end(slot);
	// At once, and not with the gauges of a turn's end: the ledger holds it against the rows at any moment.
	counters.set(TLS_SESSIONS, tls.live);
}

const TLS_SESSIONS = scalarIndex("tlsSessions");

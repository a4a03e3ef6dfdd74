/**
 * How bytes come and go on a connection: plain, from and to the kernel; or through TLS, by a session of the library
 * over the same descriptor. Whoever sniffs, relays or exchanges sees no difference:
 *
 *     peek      shows what has come, and leaves it there
 *     gather    what a peek showed is not enough: TLS shows one record at a time. When there is more, look again,
 *               unless the turn's bytes are spent
 *     receive   takes it
 *     putBack   what was taken has no use yet
 *     discard   takes what a peek showed
 *     transmit  sends what the kernel takes at once
 *     goodbye   nothing more follows
 *
 * Results are the kernel's: a count, 0 at the end of the stream, a negative errno. An end that nobody said by TLS
 * is none: ECONNABORTED, for whoever is on the path can forge it. EPROTO: TLS failed, `tlsFailures` says why.
 */
import {
	EAGAIN,
	ECONNABORTED,
	EINTR,
	ENOBUFS,
	EPIPE,
	EPOLLIN,
	EPOLLOUT,
	EPROTO,
} from "../../kernel/constants.js";
import { FAILED, READ_AHEAD_BYTES, TRUNCATED, WANT_READ, WANT_WRITE } from "../../kernel/openssl/tls.js";
import { at } from "../../parts/at.js";
import { NONE } from "../../parts/none.js";
import { makeHeadRoom } from "../admission/room.js";
import { type Core, SCRAP_AT, SCRAP_BYTES } from "../core.js";
import { scalarIndex } from "../records/counters.js";
import { AHEAD, ENDING, READABLE, SECURED, URGENT } from "../table/table.js";
import { watchOut } from "./outbox.js";
import { BROKEN, NOT_KNOWN, OPEN, SAID_GOODBYE } from "./secures.js";

export function isSecured(core: Core, slot: number): boolean {
	return (at(core.table.flags, slot) & SECURED) !== 0;
}

export function peek(core: Core, slot: number, offset: number, length: number): number {
	const flags = at(core.table.flags, slot);
	if ((flags & SECURED) !== 0) return peekSecured(core, slot, offset, length);
	const ahead = (flags & AHEAD) !== 0 ? copyAhead(core, slot, offset, length) : 0;
	if (ahead === length) return ahead;
	const failure = (flags & ENDING) === 0 ? 0 : at(core.inboxes.failure, slot);
	if (failure !== 0) return ahead === 0 ? failure : ahead;
	const fd = at(core.table.fd, slot);
	let count = core.kernel.peek(fd, offset + ahead, length - ahead);
	while (count === -EINTR) count = core.kernel.peek(fd, offset + ahead, length - ahead);
	return ahead === 0 ? count : behind(core, slot, ahead, count);
}

export function receive(core: Core, slot: number, offset: number, length: number): number {
	const flags = at(core.table.flags, slot);
	if ((flags & SECURED) !== 0) return receiveSecured(core, slot, offset, length);
	const ahead = (flags & AHEAD) !== 0 ? takeAhead(core, slot, offset, length) : 0;
	if (ahead === length) return ahead;
	const failure = (flags & ENDING) === 0 ? 0 : at(core.inboxes.failure, slot);
	if (failure !== 0) return ahead === 0 ? failure : ahead;
	const fd = at(core.table.fd, slot);
	let count = core.kernel.receive(fd, offset + ahead, length - ahead);
	while (count === -EINTR) count = core.kernel.receive(fd, offset + ahead, length - ahead);
	return ahead === 0 ? count : behind(core, slot, ahead, count);
}

/**
 * What the kernel said behind bytes that were put back. An error it says once: behind a reset it would report an
 * end, so it is kept for whoever reads next.
 */
function behind(core: Core, slot: number, ahead: number, count: number): number {
	if (count >= 0) return ahead + count;
	if (count !== -EAGAIN) noteEnd(core, slot, count);
	return ahead;
}

/** The error that an event has announced: the kernel's, or one that a read has taken note of, of TLS too. */
export function takeError(core: Core, slot: number): number {
	const isNoted = (at(core.table.flags, slot) & ENDING) !== 0;
	const failure = isNoted ? at(core.inboxes.failure, slot) : 0;
	return failure === 0 ? core.kernel.takeError(at(core.table.fd, slot)) : -failure;
}

/** Takes bytes that were peeked. */
export function discard(core: Core, slot: number, length: number): void {
	const flags = at(core.table.flags, slot);
	const fd = at(core.table.fd, slot);
	let left = length;
	if ((flags & AHEAD) !== 0) left -= dropAhead(core, slot, left);
	while (left > 0) {
		const count =
			(flags & SECURED) !== 0
				? receiveSecured(core, slot, SCRAP_AT, Math.min(left, SCRAP_BYTES), true)
				: core.kernel.discard(fd, left);
		if (count > 0) left -= count;
		else if (count !== -EINTR) return; // it was reset meanwhile, which the next read tells
	}
}

/**
 * Puts bytes back that were taken and have no use yet: they come first again. Whoever takes what may have to be put
 * back has seen that a chunk is free, and that nothing was ahead; and knows whether there is more to be read.
 */
export function putBack(core: Core, slot: number, offset: number, length: number): void {
	const { inboxes, chunks, kernel, table } = core;
	const chunk = chunks.take();
	if (chunk === NONE) throw new Error("no chunk, although one was available");
	inboxes.open(slot, chunk);
	inboxes.end[slot] = length;
	kernel.memory.copyWithin(chunks.offsetOf(chunk), offset, offset + length);
	core.buffered(length);
	table.flags[slot] = at(table.flags, slot) | AHEAD;
}

/** Sends what the kernel takes at once: up to `length` bytes. */
export function transmit(core: Core, slot: number, offset: number, length: number): number {
	if (isSecured(core, slot)) return sendSecured(core, slot, offset, length);
	const fd = at(core.table.fd, slot);
	let count = core.kernel.send(fd, offset, length);
	while (count === -EINTR) count = core.kernel.send(fd, offset, length);
	return count;
}

/**
 * All that had come was read, as far as the count of the last read can tell. An end that was announced can still
 * follow, and urgent data hides what is behind it.
 */
export function emptied(core: Core, slot: number): void {
	const flags = at(core.table.flags, slot);
	if ((flags & AHEAD) !== 0) return;
	// Through TLS a count says nothing.
	if ((flags & SECURED) !== 0 && !isDrained(core, slot)) return;
	notReadable(core, slot);
}

function notReadable(core: Core, slot: number): void {
	const { flags } = core.table;
	const mine = at(flags, slot);
	if ((mine & (ENDING | URGENT)) === 0) flags[slot] = mine & ~READABLE;
}

/**
 * A peek has shown `seen` bytes, and they are not enough. Returns how many there are now, more when another peek is
 * worth it; or a negative errno. For plain connections, which show all there is, that is what was seen.
 */
export function gather(core: Core, slot: number, seen: number): number {
	if (!isSecured(core, slot)) return seen;
	const { inboxes, table } = core;
	if (!inboxes.has(slot)) {
		let chunk = takeChunk(core);
		if (chunk === NONE && makeHeadRoom(core, slot)) chunk = takeChunk(core);
		if (chunk === NONE) return -ENOBUFS;
		inboxes.open(slot, chunk);
		table.flags[slot] = at(table.flags, slot) | AHEAD;
	} else moveToFront(core, slot);
	return fillInbox(core, slot);
}

function takeChunk(core: Core): number {
	return core.bufferRoom < core.chunks.bytes ? NONE : core.chunks.take();
}

/** Part of a TLS record has been taken from the kernel, and none of it can be shown yet. */
export function holdsPart(core: Core, slot: number): boolean {
	return isSecured(core, slot) && core.tls.holds(at(core.secures.session, slot));
}

/** Says that nothing more follows. False: there is no room for that yet, and it is to be asked again. */
export function goodbye(core: Core, slot: number): boolean {
	if (!isSecured(core, slot) || at(core.secures.phase, slot) !== OPEN) return true;
	const { secures, tls } = core;
	if (at(secures.writeWaits, slot) !== 0) {
		// Within a record nothing can be said: its peer sees that the stream was cut.
		secures.phase[slot] = BROKEN;
		return true;
	}
	const result = tls.shutdown(at(secures.session, slot));
	if (result === WANT_WRITE) return false;
	secures.phase[slot] = result === 0 ? SAID_GOODBYE : BROKEN;
	return true;
}

/** Bytes that have gone to the kernel, as they travel: what its acknowledgements count. */
export function sentBytes(core: Core, slot: number): number {
	if (isSecured(core, slot)) return core.tls.written(at(core.secures.session, slot));
	return at(core.table.sent, slot);
}

/** What an event means through TLS: a read may have had to write first, and what was known of the kernel is of before. */
export function newsOf(core: Core, slot: number, events: number): number {
	const flags = at(core.table.flags, slot);
	if ((flags & SECURED) === 0) return events;
	// Nothing may have been read since the earlier news; so what is taken from here on may have been there before these.
	if ((flags & READABLE) !== 0 && (events & EPOLLIN) !== 0) core.secures.takenWhenEmpty[slot] = NOT_KNOWN;
	if ((events & EPOLLOUT) === 0) return events;
	if (at(core.secures.readWaits, slot) === 0) return events;
	core.secures.readWaits[slot] = 0;
	return events | EPOLLIN;
}

/** Gives the library's session and what was read ahead back; the descriptor stays. */
export function endTransport(core: Core, slot: number): void {
	const flags = at(core.table.flags, slot);
	if ((flags & ENDING) !== 0) core.inboxes.failure[slot] = 0;
	if ((flags & (SECURED | AHEAD)) === 0) return;
	dropAhead(core, slot, core.inboxes.length(slot));
	if ((flags & SECURED) !== 0) freeSession(core, slot);
}

function freeSession(core: Core, slot: number): void {
	const { secures, tls, counters, table } = core;
	table.flags[slot] = at(table.flags, slot) & ~SECURED;
	const session = at(secures.session, slot);
	const place = slot - table.sessions;
	const phase = at(secures.phase, slot);
	if (place >= 0 && (phase === OPEN || phase === SAID_GOODBYE))
		core.certificates.remember(at(secures.address, place), session);
	tls.free(session);
	secures.end(slot);
	// At once, and not with the gauges of a turn's end: the ledger holds it against the rows at any moment.
	counters.set(TLS_SESSIONS, tls.live);
}

// What was read ahead.

function copyAhead(core: Core, slot: number, offset: number, length: number): number {
	const { inboxes, chunks, kernel } = core;
	const count = Math.min(length, inboxes.length(slot));
	const start = chunks.offsetOf(at(inboxes.chunk, slot) - 1) + at(inboxes.start, slot);
	kernel.memory.copyWithin(offset, start, start + count);
	return count;
}

function takeAhead(core: Core, slot: number, offset: number, length: number): number {
	return dropAhead(core, slot, copyAhead(core, slot, offset, length));
}

/** Takes up to `length` bytes of it out; the last one gives the chunk back. Returns how many there were. */
function dropAhead(core: Core, slot: number, length: number): number {
	const { inboxes, chunks, table } = core;
	const count = Math.min(length, inboxes.length(slot));
	inboxes.start[slot] = at(inboxes.start, slot) + count;
	core.buffered(-count);
	if (inboxes.has(slot) && inboxes.length(slot) === 0) {
		chunks.give(at(inboxes.chunk, slot) - 1);
		inboxes.chunk[slot] = 0;
		table.flags[slot] = at(table.flags, slot) & ~AHEAD;
	}
	return count;
}

// Through TLS.

function peekSecured(core: Core, slot: number, offset: number, length: number): number {
	const { secures, inboxes } = core;
	if (inboxes.has(slot)) {
		const count = fillInbox(core, slot);
		return count > 0 ? copyAhead(core, slot, offset, length) : count;
	}
	const failure = at(inboxes.failure, slot);
	if (failure !== 0) return failure;
	const count = core.tls.peek(at(secures.session, slot), offset, length);
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
function fillInbox(core: Core, slot: number): number {
	const { secures, inboxes, tls, chunks } = core;
	const place = chunks.offsetOf(at(inboxes.chunk, slot) - 1);
	const before = at(inboxes.end, slot);
	let end = before;
	let result = at(inboxes.failure, slot) || MORE;
	for (let record = 0; result > 0 && end < chunks.bytes && record < RECORDS_MAX; record++) {
		core.turnBytes -= RECORD_COST_BYTES;
		result = tls.read(at(secures.session, slot), place + end, chunks.bytes - end);
		if (result > 0) end += result;
		else result = outcome(core, slot, result);
	}
	inboxes.end[slot] = end;
	core.buffered(end - before);
	if (result <= 0 && result !== -EAGAIN) noteEnd(core, slot, result);
	const count = inboxes.length(slot);
	if (count > 0) return count;
	dropAhead(core, slot, 0);
	return result;
}

/** What was taken from the inbox leaves its room to what is still to come. */
function moveToFront(core: Core, slot: number): void {
	const { inboxes, kernel, chunks } = core;
	const start = at(inboxes.start, slot);
	if (start === 0) return;
	const end = at(inboxes.end, slot);
	const place = chunks.offsetOf(at(inboxes.chunk, slot) - 1);
	kernel.memory.copyWithin(place, place + start, place + end);
	inboxes.start[slot] = 0;
	inboxes.end[slot] = end - start;
}

/** The end or an error stands behind bytes: whoever waits for more of them need not, and nothing else announces it. */
function noteEnd(core: Core, slot: number, result: number): void {
	const { inboxes, table } = core;
	if (result < 0) inboxes.failure[slot] = result;
	table.flags[slot] = at(table.flags, slot) | ENDING;
}

/** `few`: no more than was asked for is needed, so nothing is learnt about what else there may be. */
function receiveSecured(core: Core, slot: number, offset: number, length: number, few = false): number {
	const { secures, tls } = core;
	if (core.inboxes.has(slot)) return takeAhead(core, slot, offset, length);
	const failure = at(core.inboxes.failure, slot);
	if (failure !== 0) return failure;
	const session = at(secures.session, slot);
	let count = 0;
	for (let record = 0; count < length && record < RECORDS_MAX; record++) {
		core.turnBytes -= RECORD_COST_BYTES;
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
function isDrained(core: Core, slot: number): boolean {
	const { secures, tls } = core;
	if ((at(core.table.flags, slot) & READABLE) === 0) return true;
	const session = at(secures.session, slot);
	if (at(core.inboxes.failure, slot) !== 0 || tls.holds(session)) return false;
	const taken = tls.taken(session);
	const since = taken - at(secures.takenWhenEmpty, slot);
	// None: what was announced since has not been asked for.
	if (since === 0 || since >= READ_AHEAD_BYTES) return false;
	secures.takenWhenEmpty[slot] = taken;
	return true;
}

/** What a read that brought nothing says, in the kernel's words. */
function outcome(core: Core, slot: number, result: number): number {
	const { secures, tls } = core;
	const session = at(secures.session, slot);
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

/** The session must not be read again: whoever reads next is told the same. */
function broke(core: Core, slot: number, failure: number): number {
	core.secures.phase[slot] = BROKEN;
	noteEnd(core, slot, failure);
	return failure;
}

/** The session is of no use any more; the reason is for the log. */
export function noteFailure(core: Core, slot: number, reason: string): void {
	core.secures.phase[slot] = BROKEN;
	const client = core.table.clientOf(slot);
	// A pooled connection is nobody's.
	if (client !== NONE) core.tlsFailures.set(client, reason);
}

function sendSecured(core: Core, slot: number, offset: number, length: number): number {
	const { secures, tls } = core;
	// A read has found it cut, and says how; or a write its peer gone.
	if (at(secures.phase, slot) === BROKEN) return at(core.inboxes.failure, slot) || -EPIPE;
	const result = tls.write(at(secures.session, slot), offset, length);
	const waits = result === WANT_WRITE || result === WANT_READ;
	secures.writeWaits[slot] = waits ? 1 : 0;
	if (result > 0) return result;
	if (waits) return -EAGAIN;
	if (result === FAILED) noteFailure(core, slot, tls.lastReason());
	secures.phase[slot] = BROKEN;
	return result === FAILED ? -EPROTO : result < 0 && result > -4096 ? result : -EPIPE;
}

const TLS_SESSIONS = scalarIndex("tlsSessions");

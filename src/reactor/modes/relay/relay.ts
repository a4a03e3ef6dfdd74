/**
 * The mode in which bytes pass untouched. Each direction is *from* a connection *to* its peer:
 *
 *     received into scratch ──► sent at once ──► what the peer does not take waits in one chunk,
 *                                                and nothing more is read until it is gone
 *     bulk: spliced socket → pipe → socket; what the peer does not take waits in that one pipe
 *
 * Readiness is edge-triggered: READABLE and BLOCKED remember what the edges said.
 */
import { EAGAIN, ECONNRESET, EINTR, EINVAL, EPOLLERR, EPOLLOUT } from "../../../kernel/constants.js";
import { at } from "../../../parts/at.js";
import { NONE } from "../../../parts/none.js";
import { CHUNK_BYTES, type Core } from "../../core.js";
import { close, closeFailed } from "../../end/close.js";
import { FROM_CLIENT } from "../../records/counters.js";
import {
	CLIENT_CLOSED,
	HALF_CLOSED_TIMEOUT,
	IDLE_TIMEOUT,
	LIFETIME,
	STALL_TIMEOUT,
	UPSTREAM_CLOSED,
} from "../../records/reasons.js";
import {
	BLOCKED,
	BULK,
	ENDED,
	LASTING,
	LOOKED_AFTER,
	READABLE,
	RELAY,
	SECURED,
	SHUT,
	URGENT,
} from "../../table/table.js";
import { noteNews } from "../../wire/news.js";
import {
	block,
	drainPipe,
	EMPTIED,
	flushOutbox,
	keep,
	leave,
	lifetimeDeadline,
	lookAtBoth,
	mayKeep,
	moved,
	send,
	sendOrKeep,
	stallDeadline,
	unlessQueued,
} from "../../wire/outbox.js";
import { setLastingOptions } from "../../wire/socket-options.js";
import { discard, emptied, peek, receive, takeError } from "../../wire/transport.js";

/** Buffers that a direction may move before others have their turn. */
const ROUNDS_PER_TURN = 16;
/** What one splice asks for: more than any pipe holds. */
const SPLICE_BYTES = 1 << 20;
/** Buffers that a direction may still fetch from a connection that is about to be closed. */
const LAST_ROUNDS = 16;
/** A splice moves up to a pipe's fill, which is many buffers. */
const ROUNDS_PER_SPLICE = 8;

/** Reads in a row that fill the buffer: then the direction is bulk, and worth a pipe. */
const BULK_READS = 4;

/** A splice that moved less than this ends bulk: for small messages receive and send are cheaper. */
const BULK_MIN_BYTES = 4096;

/**
 * A session that has lived so long gets the socket options that only lasting ones need. Most sessions of a
 * busy gateway end before, and six system calls are a fifth of what a short one costs.
 */
const LASTING_MS = 1_000;

/** Where reads go. */
const SCRATCH_AT = 0;

const UPSTREAM_ENDED_FIRST = 2;
const CLIENT_ENDED_FIRST = 1;

/** The upstream is connected: bytes begin to pass, first those that were only peeked. */
export function beginRelay(core: Core, client: number, link: number, events: number): void {
	const { table } = core;
	table.state[client] = RELAY;
	table.state[link] = RELAY;
	table.activeMs[client] = core.nowMs;
	table.flags[client] = at(table.flags, client) | LOOKED_AFTER;
	core.wheel.arm(client, Math.min(earliestDeadline(core, client), core.nowMs + LASTING_MS));
	// READABLE has been kept since the client's first bytes: they were peeked, or not looked at while dialling.
	const generation = at(table.generation, client);
	relay(core, link, events | EPOLLOUT);
	if (at(table.generation, client) === generation) pump(core, client, link);
}

/** News of either side. */
export function relay(core: Core, slot: number, events: number): void {
	const { table } = core;
	const peer = at(table.peer, slot);
	const flags = noteNews(core, slot, events);
	if ((events & EPOLLERR) !== 0 && ((flags & ENDED) !== 0 || (at(table.flags, peer) & BLOCKED) !== 0)) {
		// Reading would not come upon the error: the end was read before, or the peer takes none of what is in front.
		// A goodbye through TLS may have met the error, and taken it.
		closeFailed(core, slot, takeError(core, slot) || ECONNRESET);
		return;
	}
	if ((events & EPOLLOUT) !== 0 && (flags & BLOCKED) !== 0) {
		// Each step may end the session; its row then belongs to a later generation.
		const generation = at(table.generation, slot);
		flush(core, slot, peer);
		if (at(table.generation, slot) !== generation) return;
		pump(core, peer, slot);
		if (at(table.generation, slot) !== generation) return;
	}
	pump(core, slot, peer);
}

/** The connection had more than its share of an earlier turn. */
export function relayQueued(core: Core, slot: number): void {
	pump(core, slot, at(core.table.peer, slot));
}

function pump(core: Core, from: number, to: number): void {
	const { flags } = core.table;
	for (let round = 0; ; ) {
		const mine = at(flags, from);
		if ((mine & (READABLE | ENDED)) !== READABLE || (at(flags, to) & BLOCKED) !== 0) return;
		if (round >= ROUNDS_PER_TURN || (core.turnBytes <= 0 && (round > 0 || isMuch(core, from)))) break;
		const bulk = (mine & BULK) !== 0;
		if (!(bulk ? moveBySplice(core, from, to) : moveByCopy(core, from, to))) return;
		round += bulk ? ROUNDS_PER_SPLICE : 1;
	}
	core.enqueue(from);
}

/**
 * The last read of it filled the buffer. Whoever says little does not wait behind those who say much: when the turn's
 * bytes are spent, it gets its one buffer all the same.
 */
function isMuch({ table }: Core, from: number): boolean {
	return (at(table.flags, from) & BULK) !== 0 || at(table.fullReads, from) > 0;
}

// Each way to move bytes returns false when this direction is done for now, or the session is closed.

function moveByCopy(core: Core, from: number, to: number): boolean {
	if (!mayKeep(core)) return moveByPeek(core, from, to);
	const count = receive(core, from, SCRATCH_AT, CHUNK_BYTES);
	if (count <= 0) return nothingReceived(core, from, to, count);
	noteRead(core, from, count);
	return deliver(core, from, to, count);
}

/**
 * No chunk is left to hold what the peer might not take. Then bytes stay in the kernel until they are
 * sent: one call more, and nothing held.
 */
function moveByPeek(core: Core, from: number, to: number): boolean {
	const count = peek(core, from, SCRATCH_AT, CHUNK_BYTES);
	if (count <= 0) return nothingReceived(core, from, to, count);
	const sent = send(core, to, SCRATCH_AT, count);
	if (sent < 0) return writeFailed(core, to, from, -sent);
	if (sent > 0) {
		discard(core, from, sent);
		moved(core, to, sent);
	}
	if (sent < count) {
		block(core, to);
		return false;
	}
	noteRead(core, from, count);
	return true;
}

function noteRead(core: Core, from: number, count: number): void {
	const { flags, fullReads, peer } = core.table;
	const mine = at(flags, from);
	if (((mine | at(flags, at(peer, from))) & SECURED) !== 0 || (mine & URGENT) !== 0) {
		// It cannot be spliced, however much it is. Through TLS a count does not tell whether that was all.
		fullReads[from] = count === CHUNK_BYTES ? 1 : 0;
		if ((mine & SECURED) !== 0 || count < CHUNK_BYTES) emptied(core, from);
		return;
	}
	if (count === CHUNK_BYTES) {
		const reads = at(fullReads, from) + 1;
		if (reads >= BULK_READS) {
			flags[from] = at(flags, from) | BULK;
			fullReads[from] = 0;
		} else fullReads[from] = reads;
		return;
	}
	fullReads[from] = 0;
	emptied(core, from);
}

function nothingReceived(core: Core, from: number, to: number, result: number): boolean {
	const { flags } = core.table;
	if (result === 0) return ended(core, from, to);
	// A splice that was interrupted; receiving and peeking try again themselves.
	if (result === -EINTR) return true;
	if (result !== -EAGAIN) {
		closeFailed(core, from, -result);
		return false;
	}
	flags[from] = at(flags, from) & ~READABLE;
	return false;
}

/** Sends `count` scratch bytes; what the peer does not take goes into a chunk. */
function deliver(core: Core, from: number, to: number, count: number): boolean {
	return passed(core, from, to, sendOrKeep(core, to, SCRATCH_AT, count));
}

/** What became of bytes for `to`: true when more may follow. */
function passed(core: Core, from: number, to: number, result: number): boolean {
	return result < 0 ? writeFailed(core, to, from, -result) : result === EMPTIED;
}

/**
 * Sends bytes that come before the client's own: a PROXY header. They are not counted as relayed.
 * False when they can neither be sent nor kept.
 */
export function sendFirst(core: Core, link: number, offset: number, length: number): boolean {
	const sent = Math.max(0, send(core, link, offset, length));
	// Pipes may hold what is left of the share although a chunk is free.
	if (sent < length && (core.chunks.available === 0 || core.bufferRoom < length - sent)) return false;
	core.table.sent[link] = sent - length;
	core.counters.moved(at(core.table.listener, core.table.clientOf(link)), FROM_CLIENT, sent - length);
	if (sent === length) return true;
	keep(core, link, offset + sent, length - sent);
	block(core, link);
	return true;
}

function moveBySplice(core: Core, from: number, to: number): boolean {
	const { table, kernel, pipes } = core;
	const room = Math.min(core.bufferRoom, SPLICE_BYTES);
	const pipe = room < CHUNK_BYTES ? NONE : pipes.borrow();
	if (pipe === NONE) return moveByCopy(core, from, to);
	const count = kernel.splice(at(table.fd, from), pipes.writeEnd(pipe), room);
	if (count <= 0) {
		pipes.giveBack(pipe);
		if (count !== -EINVAL && count !== 0) return nothingReceived(core, from, to, count);
		// A kind of socket that cannot be spliced; or an end, which a splice also reports before an urgent mark:
		// a receive tells them apart.
		table.flags[from] = at(table.flags, from) & ~BULK;
		return true;
	}
	if (count < BULK_MIN_BYTES) table.flags[from] = at(table.flags, from) & ~BULK;
	return passed(core, from, to, drainPipe(core, to, pipe, count));
}

/** Sends what waits for `to`. When nothing is left, `from` may be read again, or its end carried on. */
function flush(core: Core, to: number, from: number): void {
	const result = flushOutbox(core, to);
	if (result < 0) writeFailed(core, to, from, -result);
	else if (result === EMPTIED && (at(core.table.flags, from) & ENDED) !== 0) endDirection(core, to);
}

/** The end of a stream was read. */
function ended(core: Core, from: number, to: number): boolean {
	const { table, wheel } = core;
	table.flags[from] = (at(table.flags, from) & ~READABLE) | ENDED;
	const client = table.clientOf(from);
	// The end itself was heard just now: the other side has its whole time from here.
	table.activeMs[client] = core.nowMs;
	if (at(table.firstEnd, client) === 0)
		table.firstEnd[client] = from === client ? CLIENT_ENDED_FIRST : UPSTREAM_ENDED_FIRST;
	const closesAtMs = core.nowMs + core.policyOf(client).halfClosedMs;
	if (closesAtMs < at(table.deadlineMs, client)) wheel.arm(client, closesAtMs);
	if ((at(table.flags, to) & BLOCKED) === 0) endDirection(core, to);
	return false;
}

/** Everything from the peer has been sent to `to`: carry the end on, or close when both directions have ended. */
function endDirection(core: Core, to: number): void {
	const { table, kernel } = core;
	const from = at(table.peer, to);
	// Flushing comes back here when it has been said.
	if (!leave(core, to)) return;
	if ((at(table.flags, to) & ENDED) !== 0 && (at(table.flags, from) & BLOCKED) === 0) {
		const client = table.clientOf(to);
		close(core, client, at(table.firstEnd, client) === CLIENT_ENDED_FIRST ? CLIENT_CLOSED : UPSTREAM_CLOSED);
		return;
	}
	table.flags[to] = at(table.flags, to) | SHUT;
	kernel.shutdownWrite(at(table.fd, to));
}

/**
 * `to` takes nothing more, for good. What it said before (an early answer, then a reset, is common) still
 * belongs to its peer.
 */
function writeFailed(core: Core, to: number, from: number, errno: number): boolean {
	const { table } = core;
	if ((at(table.flags, from) & (BLOCKED | SHUT)) === 0) {
		for (let round = 0; round < LAST_ROUNDS; round++) {
			const count = receive(core, to, SCRATCH_AT, CHUNK_BYTES);
			if (count <= 0) break;
			const sent = send(core, from, SCRATCH_AT, count);
			if (sent > 0) moved(core, from, sent);
			if (sent < count) break;
		}
	}
	closeFailed(core, to, errno);
	return false;
}

/** The wheel fired for a relayed session. Traffic does not touch the wheel, so first ask what holds now. */
export function relayTimedOut(core: Core, client: number): void {
	const { table } = core;
	const link = at(table.peer, client);
	if ((at(table.flags, link) & LASTING) === 0) {
		table.flags[link] = at(table.flags, link) | LASTING;
		setLastingOptions(core.kernel, at(table.fd, link), core.policyOf(client));
	}
	const lookAgainMs = lookAtBoth(core, client);
	const deadlineMs = earliestDeadline(core, client);
	if (deadlineMs > core.nowMs) core.wheel.arm(client, Math.min(deadlineMs, lookAgainMs));
	else close(core, client, overdueReason(core, client));
}

function earliestDeadline(core: Core, client: number): number {
	return Math.min(silenceDeadline(core, client), stallDeadline(core, client), lifetimeDeadline(core, client));
}

function overdueReason(core: Core, client: number): number {
	if (lifetimeDeadline(core, client) <= core.nowMs) return LIFETIME;
	if (stallDeadline(core, client) <= core.nowMs) return STALL_TIMEOUT;
	return at(core.table.firstEnd, client) !== 0 ? HALF_CLOSED_TIMEOUT : IDLE_TIMEOUT;
}

/** No byte in either direction; sooner when one direction has ended. */
function silenceDeadline(core: Core, client: number): number {
	const { idleMs, halfClosedMs } = core.policyOf(client);
	const silentMs = at(core.table.firstEnd, client) !== 0 ? halfClosedMs : idleMs;
	return unlessQueued(core, client, at(core.table.activeMs, client) + silentMs);
}

/**
 * What goes out to a connection, in either mode: bytes are sent at once, and what the peer does not take waits
 * in one chunk or one pipe of that connection, with nothing more read for it until it is gone.
 *
 * Results of sending: how much the kernel took, or a negative errno.
 */
import { EAGAIN, EINTR, EPOLLET, EPOLLIN, EPOLLOUT, EPOLLPRI, EPOLLRDHUP } from "../../kernel/constants.js";
import { at } from "../../parts/at.js";
import { fractionFor } from "../../parts/jitter.js";
import { NONE } from "../../parts/none.js";
import type { Core } from "../core.js";
import { FROM_CLIENT, scalarIndex, TO_CLIENT } from "../records/counters.js";
import { BLOCKED, LEAVING, LOOKED_AFTER, QUEUED, WATCHES_OUT } from "../table/table.js";
import { goodbye, sentBytes, transmit } from "./transport.js";

/** Nothing waits any more. */
export const EMPTIED = 0;
/** The peer takes no more for now. */
export const WAITS = 1;

/**
 * How often a session of which one side takes no more is asked whether that side acknowledges anything: a reader
 * that stops is closed so much later than `stall` at most. Where both still take, a quarter of `stall` is enough:
 * what is under way to a peer that is gone fills its buffer, or is found then.
 */
const LOOK_MS = 250;

/** Sessions that were opened together do not end together: each lives up to this part less. */
const LIFETIME_JITTER = 0.1;

/**
 * Sends `length` bytes; what the peer does not take waits in a chunk. Whoever calls this has seen that there is
 * one. Returns EMPTIED, WAITS, or a negative errno.
 */
export function sendOrKeep(core: Core, to: number, offset: number, length: number): number {
	const sent = send(core, to, offset, length);
	if (sent < 0) return sent;
	moved(core, to, sent);
	if (sent === length) return EMPTIED;
	keep(core, to, offset + sent, length - sent);
	block(core, to);
	return WAITS;
}

/** A chunk is there for whatever a receiver does not take. */
export function mayKeep(core: Core): boolean {
	return core.chunks.available > 0 && core.bufferRoom >= core.chunks.bytes;
}

/** Sends until the kernel takes no more. Returns how much it took, or a negative errno when it took nothing for another reason. */
export function send(core: Core, to: number, offset: number, length: number): number {
	let sent = 0;
	while (sent < length) {
		const count = transmit(core, to, offset + sent, length - sent);
		if (count >= 0) sent += count;
		else if (count === -EAGAIN) break;
		else {
			// What went before the error did go.
			if (sent > 0) moved(core, to, sent);
			core.sendErrno = -count;
			return count;
		}
	}
	return sent;
}

export function keep(core: Core, to: number, offset: number, length: number): void {
	const { table, chunks, kernel } = core;
	const chunk = chunks.take();
	if (chunk === NONE) throw new Error("no chunk, although one was available");
	kernel.memory.copyWithin(chunks.offsetOf(chunk), offset, offset + length);
	table.chunk[to] = chunk;
	table.chunkStart[to] = 0;
	table.chunkEnd[to] = length;
	core.buffered(length);
}

/** Moves what is in a pipe on to the peer; a pipe that is not empty afterwards stays with it. */
export function drainPipe(core: Core, to: number, pipe: number, bytes: number): number {
	const { table, kernel, pipes } = core;
	let left = bytes;
	while (left > 0) {
		const count = kernel.splice(pipes.readEnd(pipe), at(table.fd, to), left);
		if (count >= 0) left -= count;
		else if (count === -EAGAIN) break;
		else if (count !== -EINTR) {
			// What went before the error did go.
			if (bytes > left) spliced(core, to, bytes - left);
			pipes.discard(pipe);
			return count;
		}
	}
	if (bytes > left) spliced(core, to, bytes - left);
	if (left === 0) {
		pipes.giveBack(pipe);
		return EMPTIED;
	}
	table.pipe[to] = pipe;
	table.pipeBytes[to] = left;
	core.buffered(left);
	block(core, to);
	return WAITS;
}

function spliced(core: Core, to: number, count: number): void {
	moved(core, to, count);
	core.counters.add(SPLICED_BYTES, count);
}

/** Sends what waits for `to`. EMPTIED, WAITS, or a negative errno. */
export function flushOutbox(core: Core, to: number): number {
	const { table } = core;
	if (at(table.chunk, to) !== NONE) {
		const result = flushChunk(core, to);
		if (result !== EMPTIED) return result;
	}
	if (at(table.pipe, to) !== NONE) {
		const result = flushPipe(core, to);
		if (result !== EMPTIED) return result;
	}
	if ((at(table.flags, to) & LEAVING) !== 0 && !goodbye(core, to)) return WAITS;
	table.flags[to] = at(table.flags, to) & ~(BLOCKED | LEAVING);
	table.blockedAtMs[to] = 0;
	table.unheardSinceMs[to] = 0;
	return EMPTIED;
}

/**
 * Says to `to` that nothing more follows. False: its socket is too full for that, and when it has been said, flushing
 * ends with EMPTIED.
 */
export function leave(core: Core, to: number): boolean {
	if (goodbye(core, to)) return true;
	core.table.flags[to] = at(core.table.flags, to) | LEAVING;
	block(core, to);
	return false;
}

function flushChunk(core: Core, to: number): number {
	const { table, chunks } = core;
	const chunk = at(table.chunk, to);
	const start = at(table.chunkStart, to);
	const length = at(table.chunkEnd, to) - start;
	const sent = send(core, to, chunks.offsetOf(chunk) + start, length);
	if (sent < 0) return sent;
	if (sent > 0) {
		moved(core, to, sent);
		core.buffered(-sent);
		// It takes some, so it has not stalled.
		table.blockedAtMs[to] = core.nowMs;
	}
	if (sent < length) {
		table.chunkStart[to] = start + sent;
		return WAITS;
	}
	table.chunk[to] = NONE;
	chunks.give(chunk);
	return EMPTIED;
}

function flushPipe(core: Core, to: number): number {
	const { table } = core;
	const pipe = at(table.pipe, to);
	const bytes = at(table.pipeBytes, to);
	table.pipe[to] = NONE;
	table.pipeBytes[to] = 0;
	core.buffered(-bytes);
	return drainPipe(core, to, pipe, bytes);
}

/** The peer takes no more for now: watch for room, and give it `stall` to take something. */
export function block(core: Core, to: number): void {
	const { table, wheel } = core;
	table.flags[to] = at(table.flags, to) | BLOCKED;
	table.blockedAtMs[to] = core.nowMs;
	table.acknowledged[to] = acknowledgedBy(core, to);
	watchOut(core, to);
	const client = table.clientOf(to);
	const looksAtMs = core.nowMs + lookEvery(core, client);
	if (looksAtMs < at(table.deadlineMs, client)) wheel.arm(client, looksAtMs);
}

/** From now on readiness reports when there is room. */
export function watchOut(core: Core, slot: number): void {
	const { table, kernel } = core;
	const flags = at(table.flags, slot);
	if ((flags & WATCHES_OUT) !== 0) return;
	table.flags[slot] = flags | WATCHES_OUT;
	// Modifying reports the state as it is now, so an edge in between is not lost.
	const interest = EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLRDHUP | EPOLLET;
	kernel.readiness.modify(at(table.fd, slot), interest, slot, at(table.generation, slot));
}

/** The kernel took `count` bytes for `to`. */
export function moved(core: Core, to: number, count: number): void {
	const { table, counters } = core;
	const client = table.clientOf(to);
	table.sent[to] = at(table.sent, to) + count;
	table.activeMs[client] = core.nowMs;
	core.turnBytes -= count;
	if ((at(table.flags, client) & LOOKED_AFTER) === 0) lookAfter(core, client);
	counters.moved(at(table.listener, client), to === client ? TO_CLIENT : FROM_CLIENT, count);
}

/**
 * What is sent to a connection counts from here on, for another client. What was seen of its acknowledgements was seen
 * of other bytes: kept, it would make one that waited in the pool for a while look as if it had stalled all the time.
 */
export function countAnew(core: Core, slot: number): void {
	const { sent, acknowledged, unheardSinceMs } = core.table;
	sent[slot] = 0;
	acknowledged[slot] = 0;
	unheardSinceMs[slot] = 0;
}

/** Whoever moved bytes within this time is in the middle of something. */
const BUSY_MS = 1_000;

export function isBusy(core: Core, client: number): boolean {
	return core.nowMs - at(core.table.activeMs, client) < BUSY_MS;
}

/** A session that was quiet moves bytes again: is their arrival acknowledged? */
function lookAfter(core: Core, client: number): void {
	const { table, wheel } = core;
	table.flags[client] = at(table.flags, client) | LOOKED_AFTER;
	const looksAtMs = core.nowMs + lookEvery(core, client);
	if (looksAtMs < at(table.deadlineMs, client)) wheel.arm(client, looksAtMs);
}

function lookEvery(core: Core, client: number): number {
	const { blockedAtMs, peer } = core.table;
	const everyMs = core.policyOf(client).stallMs / 4;
	const link = at(peer, client);
	const isBlocked = at(blockedAtMs, client) !== 0 || (link !== NONE && at(blockedAtMs, link) !== 0);
	return isBlocked ? Math.min(LOOK_MS, everyMs) : everyMs;
}

/** When a session that is looked after is looked at next; Infinity for others. */
export function nextLook(core: Core, client: number): number {
	const isLookedAfter = (at(core.table.flags, client) & LOOKED_AFTER) !== 0;
	return isLookedAfter ? core.nowMs + lookEvery(core, client) : Number.POSITIVE_INFINITY;
}

/** Looks at both sides. Returns when to look again: Infinity when nothing is under way, and nothing was. */
export function lookAtBoth(core: Core, client: number): number {
	const { table } = core;
	const link = at(table.peer, client);
	const clientWaits = look(core, client);
	const upstreamWaits = link !== NONE && look(core, link);
	const everyMs = lookEvery(core, client);
	const wasActive = core.nowMs - at(table.activeMs, client) < everyMs;
	if (clientWaits || upstreamWaits || wasActive) return core.nowMs + everyMs;
	// Quiet: the next byte that is sent has it looked after again.
	table.flags[client] = at(table.flags, client) & ~LOOKED_AFTER;
	return Number.POSITIVE_INFINITY;
}

/**
 * A side has stalled when its peer acknowledges nothing while bytes are under way. Writability does not tell: the
 * kernel reports room only when a good part of a send buffer is free, for which a slow reader may need minutes,
 * and until that buffer is full a peer that is gone takes everything. True while bytes wait.
 */
function look(core: Core, slot: number): boolean {
	const { table, kernel } = core;
	const undelivered = kernel.undelivered(at(table.fd, slot));
	if (undelivered < 0) return false;
	const isBlocked = at(table.blockedAtMs, slot) !== 0;
	const acknowledged = acknowledgedOf(core, slot, undelivered);
	if (undelivered === 0 && !isBlocked) table.unheardSinceMs[slot] = 0;
	else if (acknowledged !== at(table.acknowledged, slot)) {
		table.unheardSinceMs[slot] = core.nowMs;
		if (isBlocked) {
			table.blockedAtMs[slot] = core.nowMs;
			table.activeMs[table.clientOf(slot)] = core.nowMs;
		}
	} else if (at(table.unheardSinceMs, slot) === 0) table.unheardSinceMs[slot] = core.nowMs;
	table.acknowledged[slot] = acknowledged;
	return undelivered > 0 || isBlocked;
}

function acknowledgedBy(core: Core, slot: number): number {
	return acknowledgedOf(core, slot, core.kernel.undelivered(at(core.table.fd, slot)));
}

function acknowledgedOf(core: Core, slot: number, undelivered: number): number {
	return (sentBytes(core, slot) - undelivered) | 0;
}

/** When a side that takes nothing has stalled: the earlier of the two. */
export function stallDeadline(core: Core, client: number): number {
	const { table } = core;
	const { stallMs } = core.policyOf(client);
	const link = at(table.peer, client);
	const theirs = link === NONE ? Number.POSITIVE_INFINITY : waitsSince(core, link);
	return Math.min(waitsSince(core, client), theirs) + stallMs;
}

/** Whoever waits for our turn is looked at again so soon. */
const TURN_AGAIN_MS = 1_000;

/**
 * A deadline of who is silent or slow. It is not due while the connection waits for its turn with us: what it has sent
 * lies unread, so nobody knows yet whether it was silent.
 */
export function unlessQueued(core: Core, client: number, deadlineMs: number): number {
	const { flags, peer } = core.table;
	const link = at(peer, client);
	const both = at(flags, client) | (link === NONE ? 0 : at(flags, link));
	return (both & QUEUED) === 0 ? deadlineMs : Math.max(deadlineMs, core.nowMs + TURN_AGAIN_MS);
}

/** Since when a side has taken nothing of what waits for it; Infinity while nothing does. */
export function waitsSince(core: Core, slot: number): number {
	const { blockedAtMs, unheardSinceMs } = core.table;
	const blocked = at(blockedAtMs, slot);
	const unheard = at(unheardSinceMs, slot);
	if (blocked !== 0) return blocked;
	return unheard === 0 ? Number.POSITIVE_INFINITY : unheard;
}

export function lifetimeDeadline(core: Core, client: number): number {
	const { lifetimeMs } = core.policyOf(client);
	if (lifetimeMs === 0) return Number.POSITIVE_INFINITY;
	return at(core.table.acceptedMs, client) + lifetimeMs * (1 - LIFETIME_JITTER * fractionFor(client));
}

const SPLICED_BYTES = scalarIndex("splicedBytes");

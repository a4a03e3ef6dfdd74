/**
 * What goes out to a connection, in either mode: bytes are sent at once, and what the peer does not take waits
 * in one chunk or one pipe of that connection, with nothing more read for it until it is gone.
 *
 * Results of sending: how much the kernel took, or a negative errno.
 */

import { EAGAIN } from "../../kernel/constants.js";
import { assert } from "../../parts/assert.js";
import { f64, i32, u16, u32 } from "../../parts/at.js";
import { FROM_CLIENT, scalarIndex, TO_CLIENT } from "../records/counters.js";
import { BLOCKED, LEAVING, LOOKED_AFTER, PACED } from "../table/marks.js";
import { type Link, NONE, type Slot } from "../table/numbers.js";
import { stamp } from "../table/times.js";
import { dropAhead } from "./ahead.js";
import type { WireContext } from "./context.js";
import { watchOut } from "./interest.js";
import { acknowledgedBy, lookAfter, lookEvery } from "./liveness.js";
import { noteMoved } from "./pace.js";
import { endNagle } from "./socket-options.js";
import { goodbye, transmit } from "./transport.js";

/** Nothing waits any more. */
export const EMPTIED = 0;
/** The peer takes no more for now. */
export const WAITS = 1;

/**
 * Sends `length` bytes; what the peer does not take waits in a chunk. Whoever calls this has seen that there is
 * one. Returns EMPTIED, WAITS, or a negative errno. `more`: as for `send`.
 */
export function sendOrKeep(
	core: WireContext,
	to: Slot,
	offset: number,
	length: number,
	more = false,
): number {
	assert(length > 0 && !isBlocked(core, to), "there is something to send, and nothing waits before it");
	const sent = send(core, to, offset, length, more);
	if (sent < 0) return sent;
	moved(core, to, sent);
	if (sent === length) return EMPTIED;
	keep(core, to, offset + sent, length - sent);
	block(core, to);
	return WAITS;
}

/** It takes no more for now. */
export function isBlocked({ table }: WireContext, slot: Slot): boolean {
	return (i32(table.flags, slot) & BLOCKED) !== 0;
}

/** A chunk is there for whatever a receiver does not take. */
export function mayKeep(core: WireContext): boolean {
	return core.chunks.available > 0 && core.budget.room >= core.chunks.bytes;
}

/** Of `sendWhole`: none of it goes, and nothing is there to keep it in. */
export const NOT_TAKEN = 2;

/**
 * Sends what must go as one, a head. Returns EMPTIED or WAITS when it goes; NOT_TAKEN when none of it does and no
 * chunk is there to keep it in, so that whoever has not taken it yet can wait; otherwise a negative errno:
 * EAGAIN when a part of it does and there is no chunk for the rest.
 */
export function sendWhole(core: WireContext, to: Slot, offset: number, length: number): number {
	if (mayKeep(core)) return sendOrKeep(core, to, offset, length);
	const sent = send(core, to, offset, length);
	if (sent === 0) return NOT_TAKEN;
	if (sent < 0) return sent;
	moved(core, to, sent);
	return sent === length ? EMPTIED : -EAGAIN;
}

/**
 * Sends until the kernel takes no more. Returns how much it took, or a negative errno when it took nothing for another reason.
 * `more`: when it takes all, a further send, a shutdown or a close follows in this turn, and the bytes may wait for that.
 */
export function send(core: WireContext, to: Slot, offset: number, length: number, more = false): number {
	let sent = 0;
	while (sent < length) {
		const count = transmit(core, to, offset + sent, length - sent, more);
		if (count >= 0) sent += count;
		else if (count === -EAGAIN) break;
		else {
			// What went before the error did go.
			if (sent > 0) moved(core, to, sent);
			return count;
		}
	}
	return sent;
}

export function keep(core: WireContext, to: Slot, offset: number, length: number): void {
	const { table, chunks, kernel } = core;
	const chunk = chunks.take();
	assert(
		chunk !== NONE && table.heldBytes(to) === 0,
		"a chunk is free, and nothing waits for this connection",
	);
	kernel.memory.copyWithin(chunks.offsetOf(chunk), offset, offset + length);
	table.holdChunk(to, chunk, 0, length);
	core.budget.buffered(length);
}

/** Moves what is in a pipe on to the peer; a pipe that is not empty afterwards stays with it. */
export function drainPipe(core: WireContext, to: Slot, pipe: number, bytes: number): number {
	const { table, engine, pipes } = core;
	let left = bytes;
	while (left > 0) {
		const count = engine.drainPipe(to, pipes.readEnd(pipe), left);
		if (count >= 0) left -= count;
		else if (count === -EAGAIN) break;
		else {
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
	table.holdPipe(to, pipe, left);
	core.budget.buffered(left);
	block(core, to);
	return WAITS;
}

function spliced(core: WireContext, to: Slot, count: number): void {
	moved(core, to, count);
	core.counters.add(SPLICED_BYTES, count);
}

/** Sends what waits for `to`. EMPTIED, WAITS, or a negative errno. */
export function flushOutbox(core: WireContext, to: Slot): number {
	const { table } = core;
	if (i32(table.held, to) !== 0) {
		const result = table.chunkOf(to) !== NONE ? flushChunk(core, to) : flushPipe(core, to);
		if (result !== EMPTIED) return result;
	}
	if ((i32(table.flags, to) & LEAVING) !== 0 && !goodbye(core, to)) return WAITS;
	table.flags[to] = i32(table.flags, to) & ~(BLOCKED | LEAVING);
	table.since[to] = 0;
	return EMPTIED;
}

/**
 * Says to `to` that nothing more follows. False: its socket is too full for that, and when it has been said, flushing
 * ends with EMPTIED.
 */
export function leave(core: WireContext, to: Slot): boolean {
	if (goodbye(core, to)) return true;
	core.table.flags[to] = i32(core.table.flags, to) | LEAVING;
	block(core, to);
	return false;
}

function flushChunk(core: WireContext, to: Slot): number {
	const { table, chunks } = core;
	const chunk = table.chunkOf(to);
	const start = table.chunkStart(to);
	const length = table.heldBytes(to);
	const sent = send(core, to, chunks.offsetOf(chunk) + start, length);
	if (sent < 0) return sent;
	if (sent > 0) {
		moved(core, to, sent);
		core.budget.buffered(-sent);
		// It takes some, so it has not stalled.
		table.since[to] = stamp(core.nowMs);
	}
	if (sent < length) {
		table.holdChunk(to, chunk, start + sent, length - sent);
		return WAITS;
	}
	table.holdNothing(to);
	chunks.give(chunk);
	return EMPTIED;
}

function flushPipe(core: WireContext, to: Slot): number {
	const { table } = core;
	const pipe = table.pipeOf(to);
	const bytes = table.heldBytes(to);
	table.holdNothing(to);
	core.budget.buffered(-bytes);
	return drainPipe(core, to, pipe, bytes);
}

/** The peer takes no more for now: watch for room, and give it `stall` to take something. */
export function block(core: WireContext, to: Slot): void {
	const { table, wheel } = core;
	table.flags[to] = i32(table.flags, to) | BLOCKED;
	const acknowledged = acknowledgedBy(core, to);
	// Its buffers may have gone on filling: who was seen to acknowledge nothing takes nothing since then.
	const client = table.sessionOf(to);
	const { stallMs } = core.policyOf(client);
	const overdueMs = u32(table.since, to) === 0 ? 0 : table.sinceMs(to, core.nowMs) + stallMs;
	const isSince = overdueMs > core.nowMs && acknowledged === i32(table.acknowledged, to);
	if (!isSince) table.since[to] = stamp(core.nowMs);
	table.acknowledged[to] = acknowledged;
	watchOut(core, to);
	const looksAtMs = Math.min(
		core.nowMs + lookEvery(core, client),
		isSince ? overdueMs : Number.POSITIVE_INFINITY,
	);
	if (looksAtMs < wheel.deadlineOf(client)) wheel.arm(client, looksAtMs);
}

/** The kernel took `count` bytes for `to`. */
export function moved(core: WireContext, to: Slot, count: number): void {
	const { table, counters } = core;
	const client = table.sessionOf(to);
	table.sent[to] = f64(table.sent, to) + count;
	table.active[client] = stamp(core.nowMs);
	core.budget.turnBytes -= count;
	const flags = i32(table.flags, client);
	if ((flags & (LOOKED_AFTER | PACED)) !== LOOKED_AFTER) {
		if ((flags & LOOKED_AFTER) === 0) lookAfter(core, client);
		if ((flags & PACED) !== 0) noteMoved(core, client, count);
	}
	counters.moved(u16(table.listener, client), to === client ? TO_CLIENT : FROM_CLIENT, count);
}

/**
 * What is sent to a connection counts from here on, for another client. What was seen of its acknowledgements was seen
 * of other bytes: kept, it would make one that waited in the pool for a while look as if it had stalled all the time.
 */
export function countAnew(core: WireContext, slot: Slot): void {
	const { sent, acknowledged, since } = core.table;
	assert(!isBlocked(core, slot), "nothing waits for it any more");
	sent[slot] = 0;
	acknowledged[slot] = 0;
	since[slot] = 0;
}

/**
 * Sends what lies ahead of `from`, in one call. Returns how much of it went, 0 when none of it could yet, or a negative errno; what
 * did not go stays ahead.
 */
export function sendAhead(core: WireContext, from: Slot, to: Slot): number {
	const { inboxes, chunks } = core;
	const offset = chunks.offsetOf(i32(inboxes.chunk, from) - 1) + i32(inboxes.start, from);
	const sent = transmit(core, to, offset, inboxes.length(from));
	if (sent <= 0) return sent === -EAGAIN ? 0 : sent;
	moved(core, to, sent);
	dropAhead(core, from, sent);
	return sent;
}

/**
 * Sends bytes that come before the client's own: a PROXY header. They are not counted as relayed.
 * False when they can neither be sent nor kept.
 */
export function sendFirst(core: WireContext, link: Link, offset: number, length: number): boolean {
	// The client's bytes follow at once. What is sent here does not count as sent, so that would not end it.
	endNagle(core, link);
	const result = send(core, link, offset, length);
	// What went before an error was counted as the client's.
	const sent = result < 0 ? f64(core.table.sent, link) : result;
	if (result < 0) {
		core.table.sent[link] = 0;
		core.counters.moved(u16(core.table.listener, core.table.sessionOf(link)), FROM_CLIENT, -sent);
	}
	// Pipes may hold what is left of the share although a chunk is free.
	if (sent < length && (core.chunks.available === 0 || core.budget.room < length - sent)) return false;
	core.table.sent[link] = sent - length;
	core.counters.moved(u16(core.table.listener, core.table.sessionOf(link)), FROM_CLIENT, sent - length);
	if (sent === length) return true;
	keep(core, link, offset + sent, length - sent);
	block(core, link);
	return true;
}

const SPLICED_BYTES = scalarIndex("splicedBytes");

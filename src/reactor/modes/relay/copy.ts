/**
 * Bytes are received into scratch memory and sent at once; what the peer does not take waits in one chunk, and nothing more is
 * read until it is gone.
 */

import { i32 } from "../../../parts/at.js";
import { CHUNK_BYTES, IN_AT } from "../../memory/arena.js";
import { FULL_READS, ONE_FULL_READ } from "../../table/fields.js";
import { AHEAD, BULK, END_NEXT, LOCAL, SECURED, URGENT } from "../../table/marks.js";
import { type Next, STAY } from "../../table/next.js";
import type { Slot } from "../../table/numbers.js";
import { block, mayKeep, moved, send, sendOrKeep } from "../../wire/outbox.js";
import { discard, emptied, peek, receive } from "../../wire/transport.js";
import type { RelayContext } from "./context.js";
import { MORE, nothingReceived, passed, passedLast, writeFailed } from "./direction.js";

/** Reads in a row that fill the buffer, as many as `FULL_READS` can count and one more: then the direction is bulk, and worth a pipe. */
const BULK_READS = 4;

/** `most`: bytes that it may move. */
export function moveByCopy(core: RelayContext, from: Slot, to: Slot, most: number): Next {
	if (!mayKeep(core)) return moveByPeek(core, from, to);
	const hadAhead = (i32(core.table.flags, from) & AHEAD) !== 0;
	const count = receive(core, from, IN_AT, most);
	if (count <= 0) return nothingReceived(core, from, to, count);
	// One packet for the peer, one call and one wake-up less for it: the end travels with the bytes before it.
	if (!hadAhead && isLast(core, from, to, count, most))
		return passedLast(core, from, to, sendOrKeep(core, to, IN_AT, count, true));
	noteRead(core, from, count, most);
	return passed(core, from, to, sendOrKeep(core, to, IN_AT, count));
}

/**
 * `count` bytes were received, and that was all, for the end has been announced and the buffer is not full. Not where a read may
 * stop early: before urgent data, before descriptors that a Unix socket was passed, or behind what was ahead (which is asked for before the read, because that may end it). Through
 * TLS the end is said in a record of its own.
 */
function isLast({ table }: RelayContext, from: Slot, to: Slot, count: number, most: number): boolean {
	const mine = i32(table.flags, from);
	if ((mine & (END_NEXT | URGENT | LOCAL | SECURED)) !== END_NEXT || count === most) return false;
	return (i32(table.flags, to) & SECURED) === 0;
}

/**
 * No chunk is left to hold what the peer might not take. Then bytes stay in the kernel until they are
 * sent: one call more, and nothing held. Whatever a rate allows: TLS must be offered again what it has begun to send.
 */
function moveByPeek(core: RelayContext, from: Slot, to: Slot): Next {
	const count = peek(core, from, IN_AT, CHUNK_BYTES);
	if (count <= 0) return nothingReceived(core, from, to, count);
	const sent = send(core, to, IN_AT, count);
	if (sent < 0) return writeFailed(core, to, from, -sent);
	if (sent > 0) {
		discard(core, from, sent);
		moved(core, to, sent);
	}
	if (sent < count) {
		block(core, to);
		return STAY;
	}
	noteRead(core, from, count, CHUNK_BYTES);
	return MORE;
}

function noteRead(core: RelayContext, from: Slot, count: number, most: number): void {
	// A rate stopped it, and what is left is not known.
	if (count === most && most < CHUNK_BYTES) return;
	const { table } = core;
	const { flags } = table;
	const mine = i32(flags, from);
	if (((mine | i32(flags, table.peerOf(from))) & SECURED) !== 0 || (mine & URGENT) !== 0) {
		// It cannot be spliced, however much it is. Through TLS a count does not tell whether that was all.
		setFullReads(core, from, count === CHUNK_BYTES ? 1 : 0);
		if ((mine & SECURED) !== 0 || count < CHUNK_BYTES) emptied(core, from);
		return;
	}
	if (count === CHUNK_BYTES) {
		const reads = (mine & FULL_READS) / ONE_FULL_READ + 1;
		if (reads < BULK_READS) setFullReads(core, from, reads);
		else if (core.engine.sharesDescriptors) flags[from] = (mine & ~FULL_READS) | BULK;
		return;
	}
	setFullReads(core, from, 0);
	emptied(core, from);
}

function setFullReads({ table }: RelayContext, from: Slot, reads: number): void {
	const mine = i32(table.flags, from);
	if ((mine & FULL_READS) !== reads * ONE_FULL_READ)
		table.flags[from] = (mine & ~FULL_READS) | (reads * ONE_FULL_READ);
}

/**
 * Heads that come in many records of TLS are gathered in a chunk each. When no chunk is free for a newer head, the client that
 * has kept one longest, for a head that it does not finish, is closed.
 */

import { ENOBUFS } from "../../kernel/constants.js";
import { f64, u8 } from "../../parts/at.js";
import { Lowest } from "../../parts/lowest.js";
import { scalarIndex } from "../records/counters.js";
import { MEMORY_PRESSURE } from "../records/reasons.js";
import { end } from "../table/next.js";
import { NONE, type Session, type Slot } from "../table/numbers.js";
import { REQUEST, SNIFF } from "../table/states.js";
import { gather } from "../wire/transport.js";
import type { AdmissionContext } from "./context.js";
import { CLOSED_AT_ONCE } from "./room.js";

/** A head that came no longer ago than this may still come whole. */
const HEAD_MIN_MS = 1_000;

/**
 * Closes the client that has kept a chunk for an unfinished head for longest, if that is a second or more. False when there
 * is none.
 */
export function makeHeadRoom(core: AdmissionContext, keep: number): boolean {
	const { room } = core;
	if (room.headsWait !== core.wait) {
		room.headsWait = core.wait;
		room.heads = [];
		room.headsAreAll = false;
	}
	for (;;) {
		// One look finds several clients to close. When it found none, no further look is made behind this wait.
		if (room.heads.length === 0) {
			if (room.headsAreAll) return false;
			room.heads = oldestHeads(core);
			room.headsAreAll = room.heads.length < CLOSED_AT_ONCE;
		}
		const slot = room.heads.shift() ?? NONE;
		// Since that look its head may have come whole, or its row may have become another's.
		if (slot === NONE || slot === keep || headBeganMs(core, slot) > core.nowMs - HEAD_MIN_MS) continue;
		core.go(slot, end(MEMORY_PRESSURE));
		core.counters.add(SHED, 1);
		return true;
	}
}

/**
 * As `gather` of the transport. Where no chunk is free for a head that comes in many records, the client that has kept one longest is closed
 * for it.
 */
export function gatherHead(core: AdmissionContext, slot: Slot, seen: number, sinceMs: number): number {
	const now = gather(core, slot, seen, sinceMs);
	return now === -ENOBUFS && makeHeadRoom(core, slot) ? gather(core, slot, seen, sinceMs) : now;
}

function oldestHeads(core: AdmissionContext): Session[] {
	const oldest = new Lowest<Session>(CLOSED_AT_ONCE);
	for (let slot = 0 as Session; slot < core.table.sessions; slot++) {
		if (!core.inboxes.has(slot)) continue;
		const beganMs = headBeganMs(core, slot);
		if (beganMs <= core.nowMs - HEAD_MIN_MS) oldest.offer(slot, beganMs, 0);
	}
	return oldest.slots;
}

/** Since when a client keeps a chunk for an unfinished head; Infinity: it does not. */
function headBeganMs({ table, inboxes }: AdmissionContext, client: Session): number {
	const state = u8(table.state, client);
	if (!inboxes.has(client) || (state !== SNIFF && state !== REQUEST)) return Number.POSITIVE_INFINITY;
	const beganMs = f64(inboxes.sinceMs, client);
	return beganMs === 0 ? Number.POSITIVE_INFINITY : beganMs;
}

const SHED = scalarIndex("shed");

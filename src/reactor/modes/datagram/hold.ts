/**
 * The first datagrams of a client whose session waits for a line. They lie as frames in the inbox of its row, which is one chunk: an agent
 * opens a line within a round trip or two, and a client who gets no answer asks again after a second at the earliest.
 */
import { i32 } from "../../../parts/at.js";
import { datagramOfFrame, LENGTH_BYTES, writeFrameLength } from "../../../protocol/tunnel/index.js";
import type { DatagramTraffic } from "../../datagrams/traffic.js";
import { AHEAD } from "../../table/marks.js";
import { NONE, type Session } from "../../table/numbers.js";
import { takeChunk } from "../../wire/ahead.js";
import type { DatagramContext } from "./context.js";
import { drop } from "./drop.js";

/** Holds a datagram, or drops it where there is no room. */
export function holdForLine(
	core: DatagramContext,
	{ io }: DatagramTraffic,
	session: Session,
	at: number,
	length: number,
): void {
	const { inboxes, chunks, kernel, budget } = core;
	const bytes = LENGTH_BYTES + length;
	if ((!inboxes.has(session) && !open(core, session)) || i32(inboxes.end, session) + bytes > chunks.bytes) {
		drop(core, "slow_line");
		return;
	}
	const end = i32(inboxes.end, session);
	const start = chunks.offsetOf(i32(inboxes.chunk, session) - 1) + end;
	kernel.memory.set(io.memory.subarray(at, at + length), writeFrameLength(kernel.memory, start, length));
	inboxes.end[session] = end + bytes;
	budget.buffered(bytes);
}

/** Whoever sends may not be where he says: a flood of those who wait leaves half of all chunks to others. */
function open(core: DatagramContext, session: Session): boolean {
	const { chunks, inboxes, table } = core;
	if (2 * chunks.lent >= chunks.count) return false;
	const chunk = takeChunk(core);
	if (chunk === NONE) return false;
	inboxes.open(session, chunk, 0);
	table.flags[session] = i32(table.flags, session) | AHEAD;
	return true;
}

/** Where each datagram lies in memory[start, end), and how long it is. */
export function* framesHeld(
	memory: Uint8Array,
	start: number,
	end: number,
): Generator<readonly [number, number]> {
	for (let at = start; at < end; ) {
		const length = datagramOfFrame(memory, at, end);
		yield [at + LENGTH_BYTES, length];
		at += LENGTH_BYTES + length;
	}
}

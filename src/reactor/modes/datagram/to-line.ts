/**
 * Datagrams go by a line, as frames: to an agent those of a client, and to the gateway those of a local service. A line is a stream, so one
 * datagram would wait for all before it. Therefore none waits: what the line does not take at once is dropped, and while a part of a
 * frame waits for room, nothing is put behind it.
 */
import { DATAGRAM_PLACE_BYTES } from "../../../kernel/datagrams.js";
import { f64, i32, u16 } from "../../../parts/at.js";
import { LENGTH_BYTES, LINE_DATAGRAM_MAX_BYTES } from "../../../protocol/tunnel/index.js";
import { FrameBatch } from "../../datagrams/frame-batch.js";
import type { DatagramTraffic } from "../../datagrams/traffic.js";
import { failed } from "../../end/failure.js";
import { CHUNK_BYTES, OUT_AT } from "../../memory/arena.js";
import { FROM_CLIENT, TO_CLIENT } from "../../records/counters.js";
import { FLOW, KIND } from "../../table/fields.js";
import { HEADER_DUE, PACED } from "../../table/marks.js";
import { type Next, STAY } from "../../table/next.js";
import { type Link, NONE, type Session, type Slot } from "../../table/numbers.js";
import { dropAhead } from "../../wire/ahead.js";
import { block, isBlocked, keep, mayKeep, moved, send } from "../../wire/outbox.js";
import { mayPass } from "../../wire/pace.js";
import { isSecured } from "../../wire/transport.js";
import type { DatagramContext } from "./context.js";
import { drop } from "./drop.js";
import { framesHeld, holdForLine } from "./hold.js";
import { writeHeader } from "./open.js";

/** What TLS has begun to send must be offered to it again: a record of so much at the most (RFC 8446, 5.1). */
const RECORD_BYTES = 16_384;

/** The one at hand. */
const BATCH = new FrameBatch();

/** Messages of a client, of `count` places from `place` on, go by its session's line; while there is none, some are held for it. */
export function passByLine(
	core: DatagramContext,
	datagrams: DatagramTraffic,
	session: Session,
	place: number,
	count: number,
): void {
	const link = core.table.linkOf(session);
	if (link === NONE)
		eachDatagram(datagrams, place, count, (at, length) => holdForLine(core, datagrams, session, at, length));
	else goOn(core, session, sendMessages(core, datagrams, session, link, place, count));
}

/** The same for one datagram. */
export function passOneByLine(
	core: DatagramContext,
	datagrams: DatagramTraffic,
	session: Session,
	at: number,
	length: number,
): void {
	const link = core.table.linkOf(session);
	if (link === NONE) {
		holdForLine(core, datagrams, session, at, length);
		return;
	}
	begin(core, datagrams, session);
	const next = add(core, datagrams, session, link, datagrams.io.memory, at, length);
	goOn(core, session, next === STAY ? sendBatch(core, session, link) : next);
}

function goOn(core: DatagramContext, session: Session, next: Next): void {
	if (next !== STAY) core.go(session, next);
}

/** A client's session has got a line: what was held for it goes first. */
export function sendHeld(
	core: DatagramContext,
	datagrams: DatagramTraffic,
	session: Session,
	line: Link,
): Next {
	const { chunks, inboxes, kernel } = core;
	const bytes = inboxes.length(session);
	if (bytes === 0) return STAY;
	begin(core, datagrams, session);
	const start = chunks.offsetOf(i32(inboxes.chunk, session) - 1);
	for (const [at, length] of framesHeld(kernel.memory, start, start + bytes)) {
		const next = add(core, datagrams, session, line, kernel.memory, at, length);
		if (next !== STAY) return next;
	}
	dropAhead(core, session, bytes);
	return sendBatch(core, session, line);
}

/** Messages of `count` places from `first` on go by a line. */
export function sendMessages(
	core: DatagramContext,
	datagrams: DatagramTraffic,
	session: Session,
	line: Slot,
	first: number,
	count: number,
): Next {
	const { memory } = datagrams.io;
	let next: Next = STAY;
	begin(core, datagrams, session);
	eachDatagram(datagrams, first, count, (at, length) => {
		if (next === STAY) next = add(core, datagrams, session, line, memory, at, length);
	});
	return next === STAY ? sendBatch(core, session, line) : next;
}

/** Calls `each` for every datagram of some messages. */
function eachDatagram(
	{ io }: DatagramTraffic,
	first: number,
	count: number,
	each: (at: number, length: number) => void,
): void {
	for (let place = first; place < first + count; place++) {
		const start = place * DATAGRAM_PLACE_BYTES;
		const end = start + io.lengthOf(place);
		const segment = Math.max(1, io.segmentOf(place));
		for (let at = start; at < end || at === start; at += segment) each(at, Math.min(segment, end - at));
	}
}

/** Begins with who the client is, where the agent has not been told. */
function begin(core: DatagramContext, datagrams: DatagramTraffic, session: Session): void {
	const { kernel, table } = core;
	const flags = i32(table.flags, session);
	BATCH.begin(kernel.memory, OUT_AT, CHUNK_BYTES);
	// At an agent it is due to the local service.
	if ((flags & (HEADER_DUE | KIND)) === (HEADER_DUE | FLOW))
		BATCH.noteHeader(writeHeader(core, datagrams, session, kernel.memory, OUT_AT));
}

function add(
	core: DatagramContext,
	datagrams: DatagramTraffic,
	session: Session,
	line: Slot,
	from: Uint8Array,
	at: number,
	length: number,
): Next {
	if (length > LINE_DATAGRAM_MAX_BYTES) {
		drop(core, "too_long");
		return STAY;
	}
	if (!BATCH.hasRoom(length)) {
		const next = sendBatch(core, session, line);
		if (next !== STAY) return next;
		// The header may still be due.
		begin(core, datagrams, session);
	}
	if (isBlocked(core, line) || !BATCH.hasRoom(length)) drop(core, "slow_line");
	else if ((i32(core.table.flags, session) & PACED) !== 0 && !mayPass(core, session)) drop(core, "rate");
	else BATCH.add(from, at, length);
	return STAY;
}

/** Sends what has been put together. */
function sendBatch(core: DatagramContext, session: Session, line: Slot): Next {
	const { bytes, frames, headerBytes } = BATCH;
	if (bytes === 0 || isBlocked(core, line)) return lost(core, frames);
	// What the line begins to take must be kept to its end.
	if (!mayKeep(core)) return lost(core, frames);
	const sent = send(core, line, OUT_AT, bytes);
	if (sent < 0) {
		lost(core, frames);
		return failed(core, line, -sent);
	}
	if (sent > 0) moved(core, line, sent);
	const gone = sent === bytes ? bytes : keepRest(core, line, sent);
	if (gone > 0 && headerBytes > 0) core.table.flags[session] = i32(core.table.flags, session) & ~HEADER_DUE;
	const passed = BATCH.framesIn(gone);
	drop(core, "slow_line", frames - passed);
	count(core, session, line, passed, gone === 0 ? 0 : headerBytes);
	BATCH.clear();
	return STAY;
}

function lost(core: DatagramContext, frames: number): Next {
	if (frames > 0) drop(core, "slow_line", frames);
	BATCH.clear();
	return STAY;
}

/** The line takes no more: what has begun is kept, and the rest is not sent. Returns the end of what goes. */
function keepRest(core: DatagramContext, line: Slot, sent: number): number {
	const least = isSecured(core, line) ? sent + RECORD_BYTES : sent;
	const end = least === 0 ? 0 : BATCH.endOfFrame(least);
	if (end > sent) keep(core, line, OUT_AT + sent, end - sent);
	block(core, line);
	return end;
}

/** What stands around the datagrams is not theirs. */
function count(
	{ table, counters }: DatagramContext,
	session: Session,
	line: Slot,
	datagrams: number,
	headerBytes: number,
): void {
	const overhead = headerBytes + datagrams * LENGTH_BYTES;
	table.sent[line] = f64(table.sent, line) - overhead;
	const direction = line === session ? TO_CLIENT : FROM_CLIENT;
	counters.passed(u16(table.listener, session), direction, datagrams, -overhead);
}

/**
 * A connection from an agent, until it is known what it is for (`docs/tunnel-wire.md`). It has an upstream's row and no session:
 *
 *     accepted ─► first bytes ─┬─ TLS, for control ─────────► given to the main thread, unread
 *                              ├─ TLS, for a line ─► handshake ─┐
 *                              └─ in the open ──────────────────┴► ticket ─► nonce ─► proof ─► the main thread's verdict ─► parked
 *
 * All of it has `timeouts.handshake`, counted from accept. Whoever says anything else is closed without a word.
 */

import { EAGAIN, EPOLLERR, EPOLLHUP } from "../../kernel/constants.js";
import { WANT_READ, WANT_WRITE } from "../../kernel/openssl/tls.js";
import { f64, i32, setRef, u8, u16 } from "../../parts/at.js";
import { fillRandom } from "../../parts/random-pool.js";
import { COMPLETE, NEED_MORE, PEEK_LIMIT_BYTES, PROTOCOL_TLS, recognize } from "../../protocol/index.js";
import {
	CANARY_BYTES,
	CONTROL_ALPN,
	CONTROL_MAGIC,
	LINE_ALPN,
	LINE_GREETING_BYTES,
	LINE_MAGIC,
	NONCE_BYTES,
	PROOF_BYTES,
	TICKET_ID_BYTES,
} from "../../protocol/tunnel/index.js";
import { closeLink, letGoUnproved } from "../links/close-link.js";
import { makeLinkRoom } from "../links/pool.js";
import { IN_AT, OUT_AT } from "../memory/arena.js";
import { scalarIndex } from "../records/counters.js";
import { ENDING, READABLE, SECURED } from "../table/marks.js";
import { type Fd, type Link, NONE } from "../table/numbers.js";
import { PROVING } from "../table/states.js";
import { releaseRow } from "../wire/hang-up.js";
import { watch, watchOut } from "../wire/interest.js";
import { noteNews, notReadable } from "../wire/news.js";
import { OPEN } from "../wire/secures.js";
import { isSecured } from "../wire/tls.js";
import { discard, peek, transmit } from "../wire/transport.js";
import { canaryBack } from "./canary-back.js";
import type { LinesContext } from "./context.js";

// Steps.
const FIRST_BYTES = 0;
const HANDSHAKE = 1;
const TICKET = 2;
const PROOF = 3;
const VERDICT = 4;
/** Not of a line that proves itself: one that is parked, and tried. */
export const TRIED = 5;

const ENCODER = new TextEncoder();
const CONTROL_NAME = ENCODER.encode(CONTROL_ALPN);
const LINE_NAME = ENCODER.encode(LINE_ALPN);

/** Connections of a reactor that have not proved what they are for: beyond, the oldest goes. Who is an agent needs a few milliseconds. */
const UNPROVED_MAX = 1_024;

/** A listener for agents has accepted a connection. `source`: the place of its address among the sources, or NONE. */
export function openLine(
	core: LinesContext,
	fd: Fd,
	listener: number,
	source: number,
	handshakeMs: number,
): void {
	const { table, lines, counters, wheel, unproved } = core;
	if (unproved.size >= Math.min(UNPROVED_MAX, Math.ceil(table.sessions / 8))) closeOldest(core);
	let link = table.takeLink();
	if (link === NONE && makeLinkRoom(core)) link = table.takeLink();
	if (link === NONE) {
		if (source !== NONE) core.sources.leave(source);
		core.kernel.close(fd);
		return;
	}
	counters.add(UPSTREAM_OPENED, 1);
	core.owners.connectionOpened(fd, core.index, link, core.nowMs);
	table.fd[link] = fd;
	table.state[link] = PROVING;
	const place = table.placeOf(link);
	core.links.opened(place, NONE, NONE, core.nowMs);
	core.secures.dialled(link, NONE, false, true, 0);
	setRef(core.links.source, place, source);
	unproved.add(link);
	lines.step[place] = FIRST_BYTES;
	lines.listener[place] = listener;
	if (watch(core, link) < 0) {
		closeLink(core, link);
		return;
	}
	wheel.arm(link, core.nowMs + handshakeMs);
}

/** Whoever comes takes the place of another stranger, and not that of a line that a canary tries. */
function closeOldest(core: LinesContext): void {
	const { unproved, links, table } = core;
	for (const link of unproved) {
		if (u8(links.tried, table.placeOf(link)) === 1) continue;
		closeLink(core, link);
		return;
	}
}

/** News of a connection that is not proved yet. */
export function proving(core: LinesContext, link: Link, events: number): void {
	const flags = noteNews(core, link, events);
	if ((events & (EPOLLERR | EPOLLHUP)) !== 0 && (flags & READABLE) === 0) closeLink(core, link);
	else prove(core, link);
}

/** Its time is over. */
export function provingTimedOut(core: LinesContext, link: Link): void {
	closeLink(core, link);
}

/** Each step says whether the next one may follow at once. */
function prove(core: LinesContext, link: Link): void {
	const place = core.table.placeOf(link);
	for (let goesOn = true; goesOn; ) {
		switch (u8(core.lines.step, place)) {
			case FIRST_BYTES:
				goesOn = lookAtFirstBytes(core, link);
				break;
			case HANDSHAKE:
				goesOn = handshake(core, link);
				break;
			case TICKET:
				goesOn = takeTicket(core, link);
				break;
			case PROOF:
				goesOn = takeProof(core, link);
				break;
			case TRIED:
				if (isThere(core, link, CANARY_BYTES)) canaryBack(core, link);
				return;
			default:
				// It has nothing to say before it is told what it is for.
				if (shown(core, link, 1) > 0) closeLink(core, link);
				return;
		}
	}
}

/** Bytes that a peek shows, at most so many; 0: none for now. Below 0: the connection is over, and closed. */
function shown(core: LinesContext, link: Link, most: number): number {
	const count = peek(core, link, IN_AT, most);
	if (count > 0) return count;
	if (count === -EAGAIN) {
		notReadable(core, link);
		return 0;
	}
	closeLink(core, link);
	return -1;
}

/** So many bytes are there. Where they are not, and never will be, the connection is closed. */
function isThere(core: LinesContext, link: Link, wanted: number): boolean {
	const count = shown(core, link, wanted);
	if (count <= 0) return false;
	if (count === wanted) return true;
	// Through TLS what belongs together comes in one record: nothing is kept for strangers.
	if (isSecured(core, link)) {
		closeLink(core, link);
		return false;
	}
	if ((i32(core.table.flags, link) & ENDING) !== 0) closeLink(core, link);
	else core.table.flags[link] = i32(core.table.flags, link) & ~READABLE;
	return false;
}

function isAt(core: LinesContext, bytes: Uint8Array): boolean {
	for (let i = 0; i < bytes.length; i++) if (u8(core.kernel.memory, IN_AT + i) !== bytes[i]) return false;
	return true;
}

function lookAtFirstBytes(core: LinesContext, link: Link): boolean {
	const { kernel, recognition, lines, table } = core;
	const place = table.placeOf(link);
	const count = shown(core, link, PEEK_LIMIT_BYTES);
	if (count <= 0) return false;
	if (count < LINE_MAGIC.length) return waits(core, link);
	if (isAt(core, LINE_MAGIC)) {
		lines.step[place] = TICKET;
		return true;
	}
	// As its listener has it by now: a reload may have changed that since it was accepted.
	const entry = core.agentsCertificate(u16(lines.listener, place));
	const isOpen = entry === 0;
	if (entry === NONE) return refuse(core, link);
	if (isOpen && isAt(core, CONTROL_MAGIC)) return giveAway(core, link, isOpen);
	const verdict = recognize(kernel.memory, IN_AT, IN_AT + count, recognition);
	if (verdict === NEED_MORE && recognition.protocol === PROTOCOL_TLS) return waits(core, link);
	if (verdict !== COMPLETE || recognition.protocol !== PROTOCOL_TLS || isOpen) return refuse(core, link);
	if (recognition.hello.hasAlpn(CONTROL_NAME)) return giveAway(core, link, isOpen);
	return recognition.hello.hasAlpn(LINE_NAME) ? secure(core, link, entry) : refuse(core, link);
}

/** More is to come, unless its end has been announced. */
function waits(core: LinesContext, link: Link): boolean {
	if ((i32(core.table.flags, link) & ENDING) !== 0) closeLink(core, link);
	else core.table.flags[link] = i32(core.table.flags, link) & ~READABLE;
	return false;
}

function refuse(core: LinesContext, link: Link): boolean {
	core.counters.add(UNRECOGNIZED_LINES, 1);
	closeLink(core, link);
	return false;
}

/** It is the main thread's from here on, and nothing of it was read. The descriptor stays as it is. */
function giveAway(core: LinesContext, link: Link, isOpen: boolean): boolean {
	const { table, engine } = core;
	const fd = i32(table.fd, link);
	engine.readiness.remove(fd);
	core.wheel.cancel(link);
	core.queue.remove(link);
	letGoUnproved(core, link);
	releaseRow(core, link);
	core.notify({ kind: "control", fd, isOpen });
	return false;
}

function secure(core: LinesContext, link: Link, entry: number): boolean {
	const { table, tls, secures, lines, certificates } = core;
	const place = table.placeOf(link);
	let handle: number;
	try {
		handle = tls.open(certificates.contextOf(certificates.entry(entry)), i32(table.fd, link));
	} catch (error) {
		// It was good when the plan was made.
		core.remark("error", `TLS of a tunnel's line: ${(error as Error).message}`);
		handle = -1;
	}
	if (handle < 0) return refuse(core, link);
	table.flags[link] = i32(table.flags, link) | SECURED | READABLE;
	secures.begin(link, handle);
	core.counters.set(TLS_SESSIONS, tls.live);
	lines.step[place] = HANDSHAKE;
	return true;
}

function handshake(core: LinesContext, link: Link): boolean {
	const { tls, secures, table, lines } = core;
	const result = tls.handshake(f64(secures.session, link));
	if (result === 0) {
		secures.phase[link] = OPEN;
		// The format demands it: what a line proves and carries must not be weaker than what the control connection told it.
		if (tls.version(f64(secures.session, link)) !== "TLSv1.3") return refuse(core, link);
		lines.step[table.placeOf(link)] = TICKET;
		return true;
	}
	if (result === WANT_WRITE) watchOut(core, link);
	else if (result !== WANT_READ) closeLink(core, link);
	return false;
}

function takeTicket(core: LinesContext, link: Link): boolean {
	const { lines, kernel, table } = core;
	const place = table.placeOf(link);
	if (!isThere(core, link, LINE_GREETING_BYTES)) return false;
	if (!isAt(core, LINE_MAGIC)) return refuse(core, link);
	const id = kernel.memory.subarray(IN_AT + LINE_MAGIC.length, IN_AT + LINE_GREETING_BYTES);
	lines.ticket.set(id, place * TICKET_ID_BYTES);
	discard(core, link, LINE_GREETING_BYTES);
	fillRandom(kernel.memory, OUT_AT, NONCE_BYTES);
	lines.nonce.set(kernel.memory.subarray(OUT_AT, OUT_AT + NONCE_BYTES), place * NONCE_BYTES);
	// The first that is sent on it, so there is room.
	if (transmit(core, link, OUT_AT, NONCE_BYTES) !== NONCE_BYTES) {
		closeLink(core, link);
		return false;
	}
	lines.step[place] = PROOF;
	return true;
}

function takeProof(core: LinesContext, link: Link): boolean {
	const { lines, table } = core;
	const place = table.placeOf(link);
	if (!isThere(core, link, PROOF_BYTES)) return false;
	const said = saidOf(core, place);
	discard(core, link, PROOF_BYTES);
	lines.step[place] = VERDICT;
	core.notify({
		kind: "lineProof",
		link,
		generation: i32(table.generation, link),
		listener: lines.listener[place] ?? 0,
		ticket: said.subarray(0, TICKET_ID_BYTES),
		nonce: said.subarray(TICKET_ID_BYTES, TICKET_ID_BYTES + NONCE_BYTES),
		proof: said.subarray(TICKET_ID_BYTES + NONCE_BYTES),
		isSecured: isSecured(core, link),
	});
	return true;
}

/** Ticket, nonce and proof, which is looked at: in one piece, because a message costs the main thread by its buffers. */
function saidOf({ lines, kernel }: LinesContext, place: number): Uint8Array {
	const said = new Uint8Array(TICKET_ID_BYTES + NONCE_BYTES + PROOF_BYTES);
	said.set(lines.ticket.subarray(place * TICKET_ID_BYTES, (place + 1) * TICKET_ID_BYTES));
	said.set(lines.nonce.subarray(place * NONCE_BYTES, (place + 1) * NONCE_BYTES), TICKET_ID_BYTES);
	said.set(kernel.memory.subarray(IN_AT, IN_AT + PROOF_BYTES), TICKET_ID_BYTES + NONCE_BYTES);
	return said;
}

const UPSTREAM_OPENED = scalarIndex("upstreamOpened");
const TLS_SESSIONS = scalarIndex("tlsSessions");
const UNRECOGNIZED_LINES = scalarIndex("linesUnrecognized");

/**
 * The body of a message, from one connection to its peer: where it ends is watched, so that nothing of what stands behind
 * it goes with it, and chunks go on in their canonical form.
 */

import { EAGAIN } from "../../../kernel/constants.js";
import { f64, i32, u8, u16 } from "../../../parts/at.js";
import { CHUNKS_OVER } from "../../../protocol/http/chunked.js";
import { FRAMING_CHUNKED, FRAMING_CLOSE, FRAMING_LENGTH } from "../../../protocol/http/framing.js";
import { COMPLETE, MALFORMED, NEED_MORE, type Verdict } from "../../../protocol/index.js";
import { gatherHead } from "../../admission/head-room.js";
import { CHUNK_BYTES, IN_AT, OUT_AT } from "../../memory/arena.js";
import { ENDING, PACED, READABLE } from "../../table/marks.js";
import type { Session, Slot } from "../../table/numbers.js";
import { block, mayKeep, moved, send, sendOrKeep } from "../../wire/outbox.js";
import { mostToMove } from "../../wire/pace.js";
import { isSecured } from "../../wire/tls.js";
import { discard, emptied, peek, receive } from "../../wire/transport.js";
import { type Bodies, KEEPS_UPSTREAM, SPOILT } from "./columns.js";
import type { Http1Context } from "./context.js";

// Manners of a chunked body.
/** Its trailers go on, written anew; otherwise they are dropped. */
export const KEEPS_TRAILERS = 1;
/** Only what is in the chunks goes on. */
export const DECODES = 2;

// How a step of a body ended: in the low bits, with an errno or a cause above them.
export const BODY_MOVED = 0;
/** Nothing to be had, or nothing taken, for now. */
export const BODY_WAITS = 1;
export const BODY_DONE = 2;
/** The stream ended before the body. */
export const BODY_ENDED = 3;
/** Above it: the cause, of HTTP_CAUSES. */
export const BODY_MALFORMED = 4;
/** Above it: the errno. */
export const BODY_READ_FAILED = 5;
/** Above it: the errno. */
export const BODY_WRITE_FAILED = 6;
/** More content than may come. The peer has not been sent what is too much. */
export const BODY_TOO_LARGE = 7;

const STEP_MASK = 7;
const DETAIL_SHIFT = 3;

/** One of the above. */
export function stepOf(result: number): number {
	return result & STEP_MASK;
}

/** Its cause, or its errno. */
export function detailOf(result: number): number {
	return result >> DETAIL_SHIFT;
}

function malformed(cause: number): number {
	return BODY_MALFORMED | (cause << DETAIL_SHIFT);
}

/** `result`: a negative errno. */
function writeFailed(result: number): number {
	return BODY_WRITE_FAILED | (-result << DETAIL_SHIFT);
}

/** Moves the body of a session's message on. Returns how that ended. */
export function moveBody(core: Http1Context, from: Slot, to: Slot, client: Session, bodies: Bodies): number {
	const framing = u8(bodies.framing, client);
	if (framing === FRAMING_CHUNKED) {
		return u8(bodies.phase, client) === CHUNKS_OVER
			? moveEnd(core, from, to, client, bodies)
			: moveChunks(core, from, to, client, bodies);
	}
	const room = mostToTake(core, to, client);
	const most = framing === FRAMING_LENGTH ? Math.min(room, f64(bodies.left, client)) : room;
	if (!mayKeep(core)) return moveByPeek(core, from, to, client, bodies, most);
	const count = receive(core, from, IN_AT, most);
	if (count <= 0) return nothingReceived(core, from, count);
	if (count < most) emptied(core, from);
	const verdict = goOn(client, bodies, count);
	const sent = sendOrKeep(core, to, IN_AT, count);
	return sent < 0 ? writeFailed(sent) : verdict;
}

/** Enough for a chunk's line and the end of a body, whatever a rate allows. */
const CHUNKED_MIN = 1_024;

/** What a read may bring: what a rate allows, unless TLS may have to be offered again what it has begun to send. */
function mostToTake(core: Http1Context, to: Slot, client: Session): number {
	const isPaced = (i32(core.table.flags, client) & PACED) !== 0;
	return isPaced && mayKeep(core) ? mostToMove(core, client, to) : CHUNK_BYTES;
}

/** No chunk is left to keep what the peer does not take: that stays in the kernel. */
function moveByPeek(
	core: Http1Context,
	from: Slot,
	to: Slot,
	client: Session,
	bodies: Bodies,
	most: number,
): number {
	const count = peek(core, from, IN_AT, most);
	if (count <= 0) return nothingReceived(core, from, count);
	const taken = send(core, to, IN_AT, count);
	if (taken < 0) return writeFailed(taken);
	if (taken === 0) {
		block(core, to);
		return BODY_WAITS;
	}
	const verdict = goOn(client, bodies, taken);
	discard(core, from, taken);
	if (taken === count && count < most) emptied(core, from);
	moved(core, to, taken);
	if (taken < count) block(core, to);
	return verdict;
}

/** Goes on by `count` bytes in a body that is no chunks. */
function goOn(client: Session, bodies: Bodies, count: number): number {
	if (u8(bodies.framing, client) === FRAMING_CLOSE) return BODY_MOVED;
	bodies.left[client] = f64(bodies.left, client) - count;
	return f64(bodies.left, client) === 0 ? BODY_DONE : BODY_MOVED;
}

/**
 * Chunks are looked at before they are taken: behind them may stand what is not their own. What goes on of them lies at
 * IN_AT then, with the end of the body behind it when all of that is there.
 */
function moveChunks(core: Http1Context, from: Slot, to: Slot, client: Session, bodies: Bodies): number {
	const { chunkedScanner: scanner, kernel } = core;
	const most = Math.max(CHUNKED_MIN, mostToTake(core, to, client));
	const count = peek(core, from, IN_AT, most);
	if (count <= 0) return nothingReceived(core, from, count);
	loadScanner(core, client, bodies);
	const verdict = scanner.scan(kernel.memory, IN_AT, IN_AT + count);
	if (verdict === MALFORMED) return malformed(scanner.cause);
	if (scanner.dataBytes > f64(bodies.room, client)) return BODY_TOO_LARGE;
	if (!mayKeep(core)) return moveTaken(core, from, to, client, bodies, count, most);
	storeScanner(core, client, bodies);
	let length = scanner.keptBytes;
	let taken = scanner.position - IN_AT;
	let step = BODY_MOVED;
	if (verdict === COMPLETE) {
		const ends = readEnd(core, client, bodies, IN_AT + taken, IN_AT + count);
		if (ends === MALFORMED) return malformed(core.trailers.cause);
		const end = ends === COMPLETE ? writeEnd(core, client, bodies, OUT_AT) : 0;
		if (ends === COMPLETE && length + end <= CHUNK_BYTES) {
			kernel.memory.copyWithin(IN_AT + length, OUT_AT, OUT_AT + end);
			length += end;
			taken = core.trailers.position - IN_AT;
			step = BODY_DONE;
		}
	}
	discard(core, from, taken);
	if (taken === count && count < most) emptied(core, from);
	const sent = length > 0 ? sendOrKeep(core, to, IN_AT, length) : 0;
	return sent < 0 ? writeFailed(sent) : step;
}

/** No chunk is left to keep what the peer does not take: as many of the `count` bytes at hand are taken as go on. */
function moveTaken(
	core: Http1Context,
	from: Slot,
	to: Slot,
	client: Session,
	bodies: Bodies,
	count: number,
	most: number,
): number {
	const { chunkedScanner: scanner, kernel } = core;
	const length = scanner.keptBytes;
	const sent = length === 0 ? 0 : send(core, to, IN_AT, length);
	if (sent < 0) return writeFailed(sent);
	if (sent === 0 && length > 0) {
		block(core, to);
		return BODY_WAITS;
	}
	if (sent < length) {
		// What stands there has been moved together: seen anew, it is walked up to what went.
		const again = peek(core, from, IN_AT, count);
		if (again <= 0) return nothingReceived(core, from, again);
		loadScanner(core, client, bodies);
		scanner.scan(kernel.memory, IN_AT, IN_AT + again, sent);
	}
	storeScanner(core, client, bodies);
	const taken = scanner.position - IN_AT;
	discard(core, from, taken);
	if (taken === count && count < most) emptied(core, from);
	if (sent > 0) moved(core, to, sent);
	if (sent < length) block(core, to);
	return BODY_MOVED;
}

/** Behind the last chunk: the trailers stay where they are until all of them are there. */
function moveEnd(core: Http1Context, from: Slot, to: Slot, client: Session, bodies: Bodies): number {
	const count = peek(core, from, IN_AT, CHUNK_BYTES);
	if (count <= 0) return nothingReceived(core, from, count);
	const ends = readEnd(core, client, bodies, IN_AT, IN_AT + count);
	if (ends === MALFORMED) return malformed(core.trailers.cause);
	if (ends === NEED_MORE) return waitForEnd(core, from, count);
	const gone = u16(bodies.spent, client);
	const rest = writeEnd(core, client, bodies, OUT_AT) - gone;
	if (rest > 0 && mayKeep(core)) {
		const sent = sendOrKeep(core, to, OUT_AT + gone, rest);
		if (sent < 0) return writeFailed(sent);
	} else if (rest > 0) {
		const sent = send(core, to, OUT_AT + gone, rest);
		if (sent < 0) return writeFailed(sent);
		if (sent > 0) moved(core, to, sent);
		if (sent < rest) {
			// As long as the trailers are there, it can be written again, to be sent from where it stopped.
			bodies.spent[client] = gone + sent;
			block(core, to);
			return BODY_WAITS;
		}
	}
	const taken = core.trailers.position - IN_AT;
	discard(core, from, taken);
	if (taken === count && count < CHUNK_BYTES) emptied(core, from);
	return BODY_DONE;
}

function waitForEnd(core: Http1Context, from: Slot, count: number): number {
	const { flags } = core.table;
	if (isSecured(core, from)) {
		// It shows a record at a time.
		const now = gatherHead(core, from, count, 0);
		if (now > count) return BODY_MOVED;
		if (now < 0) return nothingReceived(core, from, now);
	}
	if ((i32(flags, from) & ENDING) !== 0) return BODY_ENDED;
	flags[from] = i32(flags, from) & ~READABLE;
	return BODY_WAITS;
}

/**
 * What becomes of all of a chunked body, and of its trailers, where the `count` bytes at `position` are all of it: written at
 * `target`. Returns how many bytes that are, or NOT_WHOLE; the body's own end at `core.trailers.position` then.
 */
export function copyWholeChunks(
	core: Http1Context,
	client: Session,
	position: number,
	count: number,
	target: number,
): number {
	const { kernel, chunkedScanner: scanner, exchanges } = core;
	const bodies = exchanges.response;
	kernel.memory.copyWithin(target, position, position + count);
	loadScanner(core, client, bodies);
	if (scanner.scan(kernel.memory, target, target + count) !== COMPLETE) return NOT_WHOLE;
	const over = position + scanner.position - target;
	if (readEnd(core, client, bodies, over, position + count) !== COMPLETE) return NOT_WHOLE;
	return scanner.keptBytes + writeEnd(core, client, bodies, target + scanner.keptBytes);
}

export const NOT_WHOLE = -1;

/**
 * What the gateway sets or removes in heads does not come by way of trailers, which a server may merge into them. In
 * answers no field tells of a client's certificate.
 */
function readEnd(core: Http1Context, client: Session, bodies: Bodies, start: number, end: number): Verdict {
	const { kernel, trailers, exchanges, requestRewrite } = core;
	const rules = exchanges.rulesOf(client);
	const isRequest = bodies === exchanges.request;
	const edits = isRequest ? rules.request : rules.response;
	const subject = isRequest ? requestRewrite.subjectName : undefined;
	return trailers.read(kernel.memory, start, end, edits, subject);
}

/** The end of the body at hand, as its receiver is told. */
function writeEnd(core: Http1Context, client: Session, bodies: Bodies, target: number): number {
	const { kernel, trailers, exchanges } = core;
	const manner = u8(bodies.manner, client);
	if ((manner & DECODES) !== 0) return 0;
	const keeps = (manner & KEEPS_TRAILERS) !== 0;
	// A server that does not read trailers takes them for its next request; the answer to that must reach no client.
	if (keeps && trailers.count > 0 && bodies === exchanges.request) spoil(core, client);
	return trailers.writeEnd(kernel.memory, keeps, kernel.memory, target);
}

/** The upstream may send more than one answer on this connection: it is not lent again. */
export function spoil(core: Http1Context, client: Session): void {
	core.exchanges.set(client, SPOILT);
	core.exchanges.clear(client, KEEPS_UPSTREAM);
}

function loadScanner(core: Http1Context, client: Session, bodies: Bodies): void {
	core.chunkedScanner.load(
		u8(bodies.phase, client),
		f64(bodies.left, client),
		u16(bodies.spent, client),
		(u8(bodies.manner, client) & DECODES) !== 0,
	);
}

function storeScanner(core: Http1Context, client: Session, bodies: Bodies): void {
	const { chunkedScanner: scanner } = core;
	bodies.room[client] = f64(bodies.room, client) - scanner.dataBytes;
	bodies.phase[client] = scanner.phase;
	bodies.left[client] = scanner.left;
	bodies.spent[client] = scanner.spent;
}

function nothingReceived(core: Http1Context, from: Slot, result: number): number {
	if (result === 0) return BODY_ENDED;
	if (result !== -EAGAIN) return BODY_READ_FAILED | (-result << DETAIL_SHIFT);
	core.table.flags[from] = i32(core.table.flags, from) & ~READABLE;
	return BODY_WAITS;
}

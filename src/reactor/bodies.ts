/**
 * The body of a message, from one connection to its peer, with its framing untouched: only where it ends is
 * watched, so that nothing of what stands behind it goes with it.
 */
import { EAGAIN } from "../kernel/constants.js";
import { FRAMING_CHUNKED, FRAMING_CLOSE, FRAMING_LENGTH } from "../protocol/http/framing.js";
import { COMPLETE, MALFORMED, NEED_MORE } from "../protocol/index.js";
import { at } from "./at.js";
import { CHUNK_BYTES, type Core } from "./core.js";
import type { Bodies } from "./exchanges.js";
import { block, mayKeep, moved, send, sendOrKeep } from "./outbox.js";
import { READABLE } from "./table.js";
import { discard, emptied, peek, receive } from "./transport.js";

/** Where heads and bodies are read, within the scratch space. */
export const IN_AT = 0;

export const BODY_MOVED = 0;
/** Nothing to be had, or nothing taken, for now. */
export const BODY_WAITS = 1;
export const BODY_DONE = 2;
/** The stream ended before the body. */
export const BODY_ENDED = 3;
export const BODY_MALFORMED = 4;
export const BODY_READ_FAILED = 5;
export const BODY_WRITE_FAILED = 6;
/** More content than may come. The peer has not been sent what is too much. */
export const BODY_TOO_LARGE = 7;

export function moveBody(core: Core, from: number, to: number, client: number, bodies: Bodies): number {
	const framing = at(bodies.framing, client);
	if (framing === FRAMING_CHUNKED || !mayKeep(core)) return moveByPeek(core, from, to, client, bodies);
	const most = framing === FRAMING_LENGTH ? Math.min(CHUNK_BYTES, at(bodies.left, client)) : CHUNK_BYTES;
	const count = receive(core, from, IN_AT, most);
	if (count <= 0) return nothingReceived(core, from, count);
	if (count < most) emptied(core, from);
	const verdict = walk(core, client, bodies, count);
	if (sendOrKeep(core, to, IN_AT, count) < 0) return BODY_WRITE_FAILED;
	return verdict;
}

/**
 * Looked at before it is taken: behind chunks may stand what is not their own; and where no chunk is left to keep
 * what the peer does not take, that stays in the kernel.
 */
function moveByPeek(core: Core, from: number, to: number, client: number, bodies: Bodies): number {
	const isLength = at(bodies.framing, client) === FRAMING_LENGTH;
	const most = isLength ? Math.min(CHUNK_BYTES, at(bodies.left, client)) : CHUNK_BYTES;
	const count = peek(core, from, IN_AT, most);
	if (count <= 0) return nothingReceived(core, from, count);
	const keeps = mayKeep(core);
	const length = keeps ? count : bodyLength(core, client, bodies, count);
	if (length === 0) return BODY_MALFORMED;
	if (length === TOO_LONG) return BODY_TOO_LARGE;
	const taken = keeps ? count : send(core, to, IN_AT, length);
	if (taken < 0) return BODY_WRITE_FAILED;
	if (taken === 0) {
		block(core, to);
		return BODY_WAITS;
	}
	const verdict = walk(core, client, bodies, taken);
	if (verdict === BODY_MALFORMED || verdict === BODY_TOO_LARGE) return verdict;
	const walked = verdict === BODY_DONE ? core.walkedBytes : taken;
	discard(core, from, walked);
	if (walked === count && count < most) emptied(core, from);
	if (!keeps) {
		moved(core, to, walked);
		if (taken < length) block(core, to);
		return verdict;
	}
	return sendOrKeep(core, to, IN_AT, walked) < 0 ? BODY_WRITE_FAILED : verdict;
}

const TOO_LONG = -1;

/** How many of `count` bytes at hand are the body's, without going on in it; or TOO_LONG. */
function bodyLength(core: Core, client: number, bodies: Bodies, count: number): number {
	if (at(bodies.framing, client) !== FRAMING_CHUNKED) return count;
	const { chunkedScanner: scanner } = core;
	loadScanner(core, client, bodies);
	const verdict = scanner.scan(core.kernel.memory, IN_AT, IN_AT + count);
	if (scanner.dataBytes > at(bodies.room, client)) return TOO_LONG;
	return verdict === NEED_MORE ? count : scanner.position - IN_AT;
}

/** Goes on in a body by `count` bytes, or to its end, which is then at `walkedBytes`. */
function walk(core: Core, client: number, bodies: Bodies, count: number): number {
	const framing = at(bodies.framing, client);
	core.walkedBytes = count;
	if (framing === FRAMING_CLOSE) return BODY_MOVED;
	if (framing === FRAMING_LENGTH) {
		bodies.left[client] = at(bodies.left, client) - count;
		return at(bodies.left, client) === 0 ? BODY_DONE : BODY_MOVED;
	}
	const { chunkedScanner: scanner } = core;
	loadScanner(core, client, bodies);
	const verdict = scanner.scan(core.kernel.memory, IN_AT, IN_AT + count);
	if (verdict === MALFORMED) return BODY_MALFORMED;
	const room = at(bodies.room, client) - scanner.dataBytes;
	if (room < 0) return BODY_TOO_LARGE;
	bodies.room[client] = room;
	bodies.phase[client] = scanner.phase;
	bodies.left[client] = scanner.left;
	bodies.spent[client] = scanner.spent;
	bodies.nameHash[client] = scanner.nameHash;
	bodies.nameLength[client] = scanner.nameLength;
	if (verdict !== COMPLETE) return BODY_MOVED;
	core.walkedBytes = scanner.position - IN_AT;
	return BODY_DONE;
}

function loadScanner(core: Core, client: number, bodies: Bodies): void {
	forbidTrailers(core, client, bodies);
	core.chunkedScanner.load(
		at(bodies.phase, client),
		at(bodies.left, client),
		at(bodies.spent, client),
		at(bodies.nameHash, client),
		at(bodies.nameLength, client),
	);
}

/** What the gateway sets or removes in heads does not come by way of trailers, which a server may merge into them. */
export function forbidTrailers(core: Core, client: number, bodies: Bodies): void {
	const rules = core.rulesOf(client);
	const isRequest = bodies === core.exchanges.request;
	const edits = isRequest ? rules.request : rules.response;
	core.chunkedScanner.forbid(edits.droppedHashes, isRequest ? core.requestRewrite.subjectHash : 0);
}

function nothingReceived(core: Core, from: number, result: number): number {
	if (result === 0) return BODY_ENDED;
	if (result !== -EAGAIN) {
		core.receiveErrno = -result;
		return BODY_READ_FAILED;
	}
	core.table.flags[from] = at(core.table.flags, from) & ~READABLE;
	return BODY_WAITS;
}

/**
 * One record for the log per request, where the listener asks for it: for each, or for a share of them. A request's
 * head is gone by the time of its answer, so what the record needs of it is noted when it is routed, for requests
 * that will be logged and for no others.
 */

import { f64, i32, ref, u16 } from "../../../parts/at.js";
import { NO_CAUSE } from "../../../protocol/http/causes.js";
import { type RequestHead, TARGET_ASTERISK } from "../../../protocol/http/request.js";
import type { ReactorListener } from "../../admission/listener.js";
import { REQUEST_ANSWERED_HERE, REQUEST_PATH_CUT, REQUEST_REUSED } from "../../records/journal.js";
import { HAD_REQUESTS } from "../../table/marks.js";
import { NONE, type Session } from "../../table/numbers.js";
import { REUSED } from "./columns.js";
import type { Http1Context } from "./context.js";
import type { Note } from "./request-notes.js";

/** What is kept of a path. The server's own log has the rest. */
const PATH_MAX_BYTES = 256;

/** Shares are counted in millionths: sums of fractions would drift. */
export const SHARE_ALL = 1_000_000;

/** The request at hand has begun. */
export function noteRequest(core: Http1Context, client: Session, listener: ReactorListener): void {
	if (listener.plan.logRequests === 0 || !isDue(listener)) return;
	const { kernel, table, links, requestLog } = core;
	const requestHead = core.headAtHand.of(client);
	const { methodStart, methodEnd } = requestHead;
	const path = pathOf(kernel.memory, requestHead);
	const isPathCut = path.length > PATH_MAX_BYTES;
	const methodLength = methodEnd - methodStart;
	const text = new Uint8Array(methodLength + Math.min(path.length, PATH_MAX_BYTES));
	text.set(kernel.memory.subarray(methodStart, methodEnd));
	text.set(path.subarray(0, PATH_MAX_BYTES), methodLength);
	requestLog.notes.set(client, {
		text,
		methodLength,
		isPathCut,
		toClientBefore: f64(table.sent, client),
		fromClientBefore: f64(links.sentBefore, client),
		address: NONE,
	});
}

/** Without the query, which may hold what must not stand in logs. */
function pathOf(memory: Uint8Array, { pathStart, pathEnd, targetForm }: RequestHead): Uint8Array {
	const target = memory.subarray(pathStart, pathEnd);
	const query = target.indexOf(QUESTION);
	const path = query < 0 ? target : target.subarray(0, query);
	if (path.length > 0) return path;
	// `OPTIONS *`; or an absolute target that ends with its authority.
	return targetForm === TARGET_ASTERISK ? ASTERISK : SLASH;
}

const QUESTION = 0x3f;
const SLASH = Uint8Array.of(0x2f);
const ASTERISK = Uint8Array.of(0x2a);

/** Counted, not drawn: cheap, and the same each time. */
function isDue(listener: ReactorListener): boolean {
	listener.logDue += listener.plan.logRequests;
	if (listener.logDue < SHARE_ALL) return false;
	listener.logDue -= SHARE_ALL;
	return true;
}

/** It goes to the address that the session has now; by the time it is over, the session may have none. */
export function noteAddress(core: Http1Context, client: Session): void {
	if (core.requestLog.notes.size === 0) return;
	const note = core.requestLog.notes.get(client);
	if (note !== undefined) note.address = ref(core.table.address, client);
}

/** The upstream's answer is complete, or has made way for a WebSocket. */
export function logAnswered(core: Http1Context, client: Session): void {
	const note = takeNote(core, client);
	if (note !== undefined) writeRouted(core, client, note, u16(core.exchanges.status, client), NONE, NO_CAUSE);
}

/** The session ends, and a request that was under way with it. `cause`: what was wrong with its message. */
export function logCut(core: Http1Context, client: Session, reason: number, cause: number): void {
	const note = takeNote(core, client);
	if (note === undefined) return;
	const isAnswered =
		(i32(core.table.flags, client) & HAD_REQUESTS) !== 0 && core.exchanges.isAnswered(client);
	writeRouted(core, client, note, isAnswered ? u16(core.exchanges.status, client) : 0, reason, cause);
}

/** We answer ourselves, with so many bytes. `isRouted`: the request's head was whole, so that it was noted if it is due. */
export function logOwnAnswer(
	core: Http1Context,
	client: Session,
	isRouted: boolean,
	status: number,
	reason: number,
	cause: number,
	bytes: number,
): void {
	const note = takeNote(core, client);
	if (note !== undefined) {
		writeRouted(core, client, note, status, reason, cause, bytes);
		return;
	}
	const listener = core.listenerOf(client);
	if (isRouted || listener.plan.logRequests === 0 || !isDue(listener)) return;
	const entry = core.journal.beginRequest(0);
	if (entry < 0) return;
	const { table, exchanges, journal } = core;
	const hadRequests = (i32(table.flags, client) & HAD_REQUESTS) !== 0;
	const headMs = hadRequests ? f64(exchanges.headMs, client) : 0;
	journal.integer(entry, 2, NONE);
	journal.integer(entry, 3, NONE);
	journal.integer(entry, 4, NONE);
	journal.integer(entry, 5, status | ((reason + 1) << 16) | (REQUEST_ANSWERED_HERE << 24));
	journal.integer(entry, 6, cause << 16);
	journal.integer(entry, 7, 0);
	journal.double(entry, 1, headMs > 0 ? headMs : f64(table.acceptedMs, client));
	journal.double(entry, 3, 0);
	journal.double(entry, 4, bytes);
	commit(core, client, entry);
}

function takeNote(core: Http1Context, client: Session): Note | undefined {
	const { notes } = core.requestLog;
	if (notes.size === 0) return undefined;
	const note = notes.get(client);
	notes.delete(client);
	return note;
}

/** `ownBytes`: of an answer of ours, which is not counted with what is passed on. */
function writeRouted(
	core: Http1Context,
	client: Session,
	note: Note,
	status: number,
	reason: number,
	cause: number,
	ownBytes = -1,
): void {
	const { table, journal, exchanges } = core;
	const { names } = table;
	const hostLength = names.lengthOf(client);
	const entry = journal.beginRequest(note.text.length + hostLength);
	if (entry < 0) return; // the journal has counted it
	const link = table.linkOf(client);
	const address = ref(table.address, client);
	let flags = ownBytes < 0 ? 0 : REQUEST_ANSWERED_HERE;
	if (note.isPathCut) flags |= REQUEST_PATH_CUT;
	if (exchanges.has(client, REUSED)) flags |= REQUEST_REUSED;
	journal.integer(entry, 2, ref(table.route, client));
	journal.integer(entry, 3, ref(table.upstream, client));
	journal.integer(entry, 4, address === NONE ? note.address : address);
	journal.integer(entry, 5, status | ((reason + 1) << 16) | (flags << 24));
	journal.integer(entry, 6, note.methodLength | (cause << 16));
	journal.integer(entry, 7, hostLength | ((note.text.length - note.methodLength) << 16));
	journal.double(entry, 1, f64(exchanges.startedMs, client));
	const earlier = f64(core.links.sentBefore, client) - note.fromClientBefore;
	// Below zero while a PROXY header of ours has not gone out.
	const sent = link === NONE ? 0 : Math.max(0, f64(table.sent, link));
	journal.double(entry, 3, earlier + sent);
	journal.double(entry, 4, ownBytes < 0 ? passedOn(core, client, note) : ownBytes);
	journal.requestText(entry, 0, note.text, 0, note.text.length);
	journal.requestText(entry, note.text.length, names.bytesOf(client), names.startOf(client), hostLength);
	commit(core, client, entry);
}

/** Bytes of the answer: those that went, and the last ones, which may still wait for the client. */
function passedOn(core: Http1Context, client: Session, note: Note): number {
	const { table } = core;
	return f64(table.sent, client) - note.toClientBefore + table.heldBytes(client);
}

function commit(core: Http1Context, client: Session, entry: number): void {
	const { journal } = core;
	journal.integer(entry, 1, u16(core.table.listener, client));
	journal.double(entry, 0, f64(core.table.number, client));
	journal.double(entry, 2, core.nowMs);
	if (journal.commit()) core.notify({ kind: "journal" });
}

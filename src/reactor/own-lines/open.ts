/**
 * The agent's side of a line (`docs/tunnel-wire.md`), until it is parked. It has an upstream's row and no session:
 *
 *     connects ─► (TLS) ─► ticket ─► nonce ─► proof ─► the gateway's word ─► parked (`wait.ts`)
 *
 * All of it has a deadline. Why it failed, the main thread is told.
 */
import { EAGAIN, EINPROGRESS, EPOLLERR, EPOLLHUP, EPOLLOUT } from "../../kernel/constants.js";
import { FAILED, WANT_READ, WANT_WRITE } from "../../kernel/openssl/tls.js";
import { familyAt } from "../../kernel/sockaddr.js";
import { assert } from "../../parts/assert.js";
import { f64, i32, u8 } from "../../parts/at.js";
import { LINE_ALPN, LINE_PARKED, lineGreeting, lineProof, NONCE_BYTES } from "../../protocol/tunnel/index.js";
import { IN_AT, OUT_AT } from "../memory/arena.js";
import type { LineGateway, LineOrder } from "../plan/plan.js";
import { scalarIndex } from "../records/counters.js";
import { ENDING, READABLE, SECURED } from "../table/marks.js";
import { type Fd, type Link, NONE } from "../table/numbers.js";
import { OWN_LINE } from "../table/states.js";
import { watchConnecting, watchOut } from "../wire/interest.js";
import { noteNews, notReadable } from "../wire/news.js";
import { OPEN } from "../wire/secures.js";
import { setLineOptions } from "../wire/socket-options.js";
import { discard, isSecured, peek, transmit } from "../wire/transport.js";
import { closeOwnLine, distrusted, failed, failOpening } from "./close.js";
import type { OwnLinesContext } from "./context.js";
import { CONNECTS, type OwnLine, PARKED, PROVED, SECURES, SHOWN } from "./own-line.js";
import { waiting } from "./wait.js";

/** From the connect to the gateway's word: as long as an agent on Node's sockets gives it. */
const OPENING_MS = 10_000;

/** Begins to open a line; what becomes of it is told. */
export function openOwnLine(
	core: OwnLinesContext,
	listener: number,
	gateway: LineGateway,
	order: LineOrder,
): void {
	const { kernel, table, counters, ownLines } = core;
	if (!core.listeners.has(listener)) {
		failed(core, order, "a reload has taken its tunnel away");
		return;
	}
	// Each of them becomes a session, and each session has an upstream's row to itself.
	if (ownLines.size + table.clients >= table.sessions - 1) {
		failed(core, order, "the agent has too many connections");
		return;
	}
	const fd = kernel.socket(familyAt(gateway.sockaddr, 0)) as Fd;
	if (fd < 0) {
		failed(core, order, `there is no socket for it (errno ${-fd})`);
		return;
	}
	setLineOptions(kernel, fd, gateway.options);
	const result = kernel.connect(fd, gateway.sockaddr);
	if (result < 0 && result !== -EINPROGRESS) {
		kernel.close(fd);
		failed(core, order, connectFailure(-result));
		return;
	}
	const link = table.takeLink();
	assert(link !== NONE, "an agent's lines and sessions are no more than there are rows");
	counters.add(UPSTREAM_OPENED, 1);
	core.owners.connectionOpened(fd, core.index, link, core.nowMs);
	table.fd[link] = fd;
	table.state[link] = OWN_LINE;
	core.links.opened(table.placeOf(link), NONE, NONE, core.nowMs);
	core.secures.dialled(link, NONE, false, true, 0);
	const line: OwnLine = { order, listener, gateway, step: CONNECTS };
	ownLines.set(link, line);
	if (watchConnecting(core, link) < 0) failOpening(core, link, line, "the kernel has no memory for it");
	else core.wheel.arm(link, core.nowMs + OPENING_MS);
}

/** News of a line that no visitor has. */
export function ownLineNews(core: OwnLinesContext, link: Link, events: number): void {
	const line = core.ownLines.get(link);
	if (line === undefined) return;
	if (line.step === CONNECTS) {
		connecting(core, link, line, events);
		return;
	}
	// An error and a hang-up are read as well.
	noteNews(core, link, events);
	goOn(core, link, line);
}

/** Its time is over: it was not parked in it, or has not said all that it began to say. */
export function ownLineTimedOut(core: OwnLinesContext, link: Link): void {
	const line = core.ownLines.get(link);
	if (line === undefined) return;
	if (line.step === PARKED) closeOwnLine(core, link, line);
	else failOpening(core, link, line, `the gateway has not taken the line within ${OPENING_MS / 1_000} s`);
}

/** Closes lines that no visitor has taken: of this listener, or all (-1). */
export function closeOwnLines(core: OwnLinesContext, listener: number): void {
	for (const [link, line] of [...core.ownLines])
		if (listener < 0 || line.listener === listener) closeOwnLine(core, link, line);
}

function connecting(core: OwnLinesContext, link: Link, line: OwnLine, events: number): void {
	if ((events & (EPOLLERR | EPOLLHUP)) !== 0) {
		failOpening(core, link, line, connectFailure(core.engine.takeError(link)));
		return;
	}
	if ((events & EPOLLOUT) === 0) return;
	noteNews(core, link, events);
	const { tls } = line.gateway;
	if (tls === null) {
		if (showTicket(core, link, line)) goOn(core, link, line);
		return;
	}
	let handle: number;
	try {
		handle = core.tls.open(core.gatewayContexts.contextOf(tls), i32(core.table.fd, link));
	} catch (error) {
		failOpening(core, link, line, (error as Error).message);
		return;
	}
	if (handle < 0) {
		failOpening(core, link, line, "no memory for TLS");
		return;
	}
	core.table.flags[link] = i32(core.table.flags, link) | SECURED | READABLE;
	core.secures.begin(link, handle);
	core.counters.set(TLS_SESSIONS, core.tls.live);
	line.step = SECURES;
	goOn(core, link, line);
}

/**
 * Each step says whether it was done. Then the next one looks at what is there: the gateway's answer cannot be, but its end can, and
 * would not be announced again.
 */
function goOn(core: OwnLinesContext, link: Link, line: OwnLine): void {
	let more = true;
	while (more) {
		if (line.step === SECURES) more = handshake(core, link, line);
		else if (line.step === SHOWN) more = takeNonce(core, link, line);
		else if (line.step === PROVED) more = takeWord(core, link, line);
		else {
			waiting(core, link, line);
			return;
		}
	}
}

function handshake(core: OwnLinesContext, link: Link, line: OwnLine): boolean {
	const { tls, secures, gatewayContexts } = core;
	const gateway = line.gateway.tls;
	if (gateway === null) return false;
	const session = f64(secures.session, link);
	const result = tls.handshake(session);
	if (result === WANT_READ) return false;
	if (result === WANT_WRITE) {
		watchOut(core, link);
		return false;
	}
	if (result !== 0) {
		const why = result === FAILED ? tls.lastReason() : "it ended";
		gatewayContexts.handshakeFailed(gateway, session);
		failOpening(core, link, line, `the handshake with the gateway failed: ${why}`);
		return false;
	}
	secures.phase[link] = OPEN;
	if (tls.version(session) !== "TLSv1.3" || tls.alpn(session) !== LINE_ALPN)
		failOpening(core, link, line, "who answers there is no gateway of tunnels, or speaks less than TLS 1.3");
	// One that goes on shows no certificate: its secret is that of a connection whose certificate was looked at.
	else if (!tls.resumed(session) && tls.peerFingerprint(session) !== gateway.fingerprint)
		distrusted(core, link, line);
	else return showTicket(core, link, line);
	return false;
}

function showTicket(core: OwnLinesContext, link: Link, line: OwnLine): boolean {
	return say(core, link, line, lineGreeting(line.order.ticket), SHOWN);
}

/** There is room: it is a few bytes in all. The next step follows where the gateway has taken them. */
function say(core: OwnLinesContext, link: Link, line: OwnLine, bytes: Uint8Array, next: number): boolean {
	core.kernel.memory.set(bytes, OUT_AT);
	if (transmit(core, link, OUT_AT, bytes.length) === bytes.length) {
		line.step = next;
		return true;
	}
	failOpening(core, link, line, "the gateway takes nothing");
	return false;
}

function takeNonce(core: OwnLinesContext, link: Link, line: OwnLine): boolean {
	if (!isThere(core, link, line, NONCE_BYTES)) return false;
	const { ticket, key } = line.order;
	const proof = lineProof(key, ticket, core.kernel.memory.subarray(IN_AT, IN_AT + NONCE_BYTES));
	discard(core, link, NONCE_BYTES);
	return say(core, link, line, proof, PROVED);
}

function takeWord(core: OwnLinesContext, link: Link, line: OwnLine): boolean {
	if (!isThere(core, link, line, 1)) return false;
	if (u8(core.kernel.memory, IN_AT) !== LINE_PARKED) {
		failOpening(core, link, line, "the gateway answers what it should not");
		return false;
	}
	discard(core, link, 1);
	const { tls } = line.gateway;
	if (tls !== null) core.gatewayContexts.remember(tls, f64(core.secures.session, link));
	core.wheel.cancel(link);
	line.step = PARKED;
	core.ownLineNews.push({ kind: "parked", number: line.order.number });
	return true;
}

/** So many bytes are there. Where they never will be, the line is closed. */
function isThere(core: OwnLinesContext, link: Link, line: OwnLine, wanted: number): boolean {
	const count = peek(core, link, IN_AT, wanted);
	if (count === wanted) return true;
	if (count === -EAGAIN) notReadable(core, link);
	else if (count <= 0 || isSecured(core, link) || (i32(core.table.flags, link) & ENDING) !== 0)
		ended(core, link, line);
	else core.table.flags[link] = i32(core.table.flags, link) & ~READABLE;
	return false;
}

function ended(core: OwnLinesContext, link: Link, line: OwnLine): void {
	if (line.step === PARKED) closeOwnLine(core, link, line);
	else failOpening(core, link, line, "the gateway has closed the line");
}

function connectFailure(errno: number): string {
	return `the gateway cannot be connected to (errno ${errno})`;
}

const UPSTREAM_OPENED = scalarIndex("upstreamOpened");
const TLS_SESSIONS = scalarIndex("tlsSessions");

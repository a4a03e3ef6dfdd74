/**
 * A line that is parked says nothing until the gateway says what it is for (`docs/tunnel-wire.md`): its first byte tells. A canary goes
 * back, and the line stays; a visitor or a request takes it, and it is a session of its listener from then on.
 */
import { EAGAIN } from "../../kernel/constants.js";
import { copyAddress, copyUnmapped, portAt } from "../../kernel/sockaddr.js";
import { f64, i32 } from "../../parts/at.js";
import { bracketed } from "../../parts/bracketed.js";
import {
	COMPLETE,
	formatAddress,
	NEED_MORE,
	PROTOCOL_HTTP,
	PROXY_HEADER_LIMIT_BYTES,
	parseProxyHeader,
} from "../../protocol/index.js";
import { CANARY_BYTES, lineUse } from "../../protocol/tunnel/index.js";
import { openSession, takeLinePlace } from "../admission/accept.js";
import type { ReactorListener } from "../admission/listener.js";
import { endLink } from "../links/close-link.js";
import { IN_AT, OUT_AT } from "../memory/arena.js";
import { BY_LINE, ENDING, READABLE, SECURED } from "../table/marks.js";
import { ARRIVED } from "../table/next.js";
import type { Fd, Link, Session } from "../table/numbers.js";
import { SNIFF } from "../table/states.js";
import { releaseRow } from "../wire/hang-up.js";
import { notReadable } from "../wire/news.js";
import { OPEN } from "../wire/secures.js";
import { discard, isSecured, peek, transmit } from "../wire/transport.js";
import { closeOwnLine } from "./close.js";
import type { OwnLinesContext } from "./context.js";
import type { OwnLine } from "./own-line.js";

/** A gateway sends one and waits for it. Who sends more at once has them answered in turns, between which others have theirs. */
const CANARIES_PER_TURN = 16;

/** What has begun is to be there whole within so long. */
const WHOLE_MS = 10_000;

/** Looks at what has come. */
export function waiting(core: OwnLinesContext, link: Link, line: OwnLine): void {
	for (let canaries = 0; canaries < CANARIES_PER_TURN; canaries++) {
		const count = peek(core, link, IN_AT, PROXY_HEADER_LIMIT_BYTES);
		if (count === -EAGAIN) {
			notReadable(core, link);
			return;
		}
		if (count <= 0) {
			closeOwnLine(core, link, line);
			return;
		}
		const use = lineUse(core.kernel.memory, IN_AT);
		if (use === "canary") {
			if (count < CANARY_BYTES) waitForMore(core, link, line);
			else if (sendBack(core, link)) continue;
			else closeOwnLine(core, link, line);
		} else if (use === "visitor") takeVisitor(core, link, line, count);
		else if (use === "requests" && !takesDatagrams(core, line)) begin(core, link, line, 0);
		// The two do not understand each other.
		else closeOwnLine(core, link, line);
		return;
	}
	core.queue.add(link);
}

function sendBack(core: OwnLinesContext, link: Link): boolean {
	const { memory } = core.kernel;
	memory.copyWithin(OUT_AT, IN_AT, IN_AT + CANARY_BYTES);
	discard(core, link, CANARY_BYTES);
	core.wheel.cancel(link);
	return transmit(core, link, OUT_AT, CANARY_BYTES) === CANARY_BYTES;
}

/** Through TLS what belongs together comes in one record. */
function waitForMore(core: OwnLinesContext, link: Link, line: OwnLine): void {
	const { table, wheel } = core;
	if (isSecured(core, link) || (i32(table.flags, link) & ENDING) !== 0) {
		closeOwnLine(core, link, line);
		return;
	}
	table.flags[link] = i32(table.flags, link) & ~READABLE;
	if (wheel.deadlineOf(link) === 0) wheel.arm(link, core.nowMs + WHOLE_MS);
}

function takeVisitor(core: OwnLinesContext, link: Link, line: OwnLine, count: number): void {
	const { kernel, proxyHeader } = core;
	const verdict = parseProxyHeader(kernel.memory, IN_AT, IN_AT + count, proxyHeader);
	if (verdict === NEED_MORE) waitForMore(core, link, line);
	else if (verdict !== COMPLETE || !isMeant(core, line)) closeOwnLine(core, link, line);
	else begin(core, link, line, proxyHeader.headerLength);
}

/** The header is of a connection, or of datagrams, as the tunnel's visitors are. */
function isMeant(core: OwnLinesContext, line: OwnLine): boolean {
	const { isLocal, isDatagram } = core.proxyHeader;
	return isLocal || isDatagram === takesDatagrams(core, line);
}

function takesDatagrams({ listeners }: OwnLinesContext, { listener }: OwnLine): boolean {
	return listeners.get(listener)?.plan.datagrams !== undefined;
}

/** `headerBytes`: of the PROXY header that it begins with; 0: it begins with a request. */
function begin(core: OwnLinesContext, link: Link, line: OwnLine, headerBytes: number): void {
	const listener = core.listeners.get(line.listener);
	// A reload has taken the tunnel away; or there is no place. A visitor must not take that for an end.
	if (listener === undefined || core.draining || !takeLinePlace(core, listener)) {
		core.ownLines.delete(link);
		core.ownLineNews.push({ kind: "closed", number: line.order.number });
		endLink(core, link, true);
		releaseRow(core, link);
		return;
	}
	const header = headerBytes === 0 ? undefined : core.kernel.memory.slice(IN_AT, IN_AT + headerBytes);
	if (headerBytes > 0) discard(core, link, headerBytes);
	core.ownLines.delete(link);
	const session = toSession(core, link, listener);
	const source = noteSource(core, session, line, header !== undefined);
	if (header === undefined) core.table.protocol[session] = PROTOCOL_HTTP;
	else if (core.saysProxyHeaders) core.proxyHeaders.set(session, header);
	const { number } = line.order;
	core.ownLineNews.push({ kind: "began", number, session: f64(core.table.number, session), source });
	core.go(session, ARRIVED);
}

/** The connection goes on as a session: in a client's row, with its TLS. */
function toSession(core: OwnLinesContext, link: Link, listener: ReactorListener): Session {
	const { table, secures, engine } = core;
	const fd = i32(table.fd, link) as Fd;
	const handle = isSecured(core, link) ? f64(secures.session, link) : 0;
	engine.readiness.remove(fd);
	core.wheel.cancel(link);
	core.queue.remove(link);
	if (handle !== 0) secures.end(link);
	releaseRow(core, link);
	const session = openSession(core, listener, fd);
	table.state[session] = SNIFF;
	if (handle !== 0) {
		secures.begin(session, handle);
		secures.phase[session] = OPEN;
		table.flags[session] = i32(table.flags, session) | SECURED;
	}
	// What was peeked is announced once; and what has come may lie in the TLS library.
	table.flags[session] = i32(table.flags, session) | READABLE | BY_LINE;
	return session;
}

/** Who the visitor is, as the gateway says; of requests it is the gateway. Returns it as text. */
function noteSource(
	core: OwnLinesContext,
	session: Session,
	line: OwnLine,
	isVisitor: boolean,
): string | null {
	const { table, proxyHeader } = core;
	if (!isVisitor || proxyHeader.isLocal || proxyHeader.family === 0) {
		const { sockaddr } = line.gateway;
		table.family[session] = copyAddress(sockaddr, 0, table.source, session * 16);
		table.sourcePort[session] = portAt(sockaddr, 0);
		return null;
	}
	const { family, sourceAddress, sourcePort } = proxyHeader;
	table.family[session] = copyUnmapped(family, sourceAddress, table.source, session * 16);
	table.sourcePort[session] = sourcePort;
	return `${bracketed(formatAddress(sourceAddress, 0, family))}:${sourcePort}`;
}

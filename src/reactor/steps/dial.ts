/** An address of the upstream is dialled; another when that one refuses or is silent. */

import {
	EADDRNOTAVAIL,
	EAGAIN,
	EPIPE,
	EPOLLERR,
	EPOLLHUP,
	EPOLLIN,
	EPOLLOUT,
	EPOLLRDHUP,
	ETIMEDOUT,
} from "../../kernel/constants.js";
import { familyAt } from "../../kernel/sockaddr.js";
import { f64, i32, ref, setRef, u8, u16 } from "../../parts/at.js";
import { forget } from "../../parts/forget.js";
import type { Balancer } from "../../upstream/balance.js";
import type { AddressPlan } from "../../upstream/plan.js";
import { openPressed, pressureOf } from "../admission/pressure.js";
import { ATTEMPTS_MAX, blame, nextAddress, takeSeat } from "../links/addresses.js";
import { beginConnect, giveUpLink, openLink } from "../links/connect.js";
import { lendOwned } from "../links/owned.js";
import { leftBy, lend } from "../links/pool.js";
import {
	keepLine,
	noteConnected,
	noteDialled,
	stopWaiting,
	tellTaken,
	waitForLine,
} from "../links/take-line.js";
import {
	CLIENT_RESET,
	CONNECT_REFUSED,
	CONNECT_TIMEOUT,
	MEMORY_PRESSURE,
	UPSTREAM_DOWN,
} from "../records/reasons.js";
import type { RoutingContext } from "../routing/context.js";
import { hadToWait } from "../routing/first-bytes.js";
import {
	AHEAD,
	ENDING,
	EXCHANGES,
	LASTING,
	ONLY_NEW,
	READABLE,
	REPEATABLE,
	SECURED,
	URGENT,
} from "../table/marks.js";
import {
	CONNECTED,
	DIAL_ON,
	end,
	NEW_LINK,
	type Next,
	READY,
	REDIAL,
	RELAY_ON,
	refuse,
	SEND_REQUEST,
	STAY,
	to,
} from "../table/next.js";
import { type Fd, type Link, NONE, type Session } from "../table/numbers.js";
import { DIAL } from "../table/states.js";
import { offset } from "../table/times.js";
import { watch, watchConnecting, watchOut } from "../wire/interest.js";
import { noteNews } from "../wire/news.js";
import { sendAhead } from "../wire/outbox.js";
import { setLastingOptions } from "../wire/socket-options.js";

/** A Unix socket whose backlog is full says so at once; TCP would let the client wait, so this does. */
const BACKLOG_RETRY_MS = 20;

/** Dials the next address of the session's upstream; refuses it with `exhausted` when none is left. */
export function dial(core: RoutingContext, session: Session, exhausted: number): Next {
	const { table, board } = core;
	const wasWaiting = stopWaiting(core, session);
	// Its time is over: what is parked elsewhere at this moment will do, and it waits for nothing more.
	const hasWaited = wasWaiting && core.wheel.deadlineOf(session) === 0;
	const balancer = core.upstreams.get(ref(table.upstream, session));
	if (balancer === undefined) return refuse(UPSTREAM_DOWN);
	const isRequest = (i32(table.flags, session) & EXCHANGES) !== 0;
	const borrows = isRequest && mayLend(core, session, balancer);
	if (borrows) {
		const link = lendOwned(core, session, balancer);
		if (link !== NONE) {
			// Its user has no other connection, so it counts, and may be one too many.
			board.enter(i32(core.links.address, table.placeOf(link)));
			return lent(core, session, link);
		}
	}
	let reason = exhausted;
	while (u8(table.attempts, session) < ATTEMPTS_MAX) {
		const tried = i32(table.tried, session);
		const address = nextAddress(core, session, balancer);
		if (address === undefined) break;
		// Another reactor's session was faster.
		if (!takeSeat(core, address)) continue;
		if (address.tunnel !== undefined) {
			const left = leftBy(core, session, balancer.plan, isRequest);
			const link = lend(core, address.board, false, left);
			noteDialled(core, session);
			if (link !== NONE) return takeLine(core, session, link, address, isRequest);
			if (!hasWaited) {
				waitForLine(core, session, address, wasWaiting, left > 0);
				return STAY;
			}
			board.leave(address.board);
			continue;
		}
		if (borrows) {
			const link = lend(core, address.board, (i32(table.flags, session) & REPEATABLE) !== 0);
			if (link !== NONE) return lent(core, session, link);
		}
		const family = familyAt(address.sockaddr, 0);
		const fd = openPressed(core, session, () => core.kernel.socket(family)) as Fd;
		if (fd < 0) {
			board.leave(address.board);
			const pressure = pressureOf(-fd);
			if (pressure !== undefined) return refuse(pressure);
			// A kernel without IPv6: an address of the other family will do.
			reason = CONNECT_REFUSED;
			continue;
		}
		const speaksAtOnce = mayBegin(core, session, balancer, address);
		const result = beginConnect(core, session, fd, address, speaksAtOnce);
		if (result === 0) return connectingTo(core, session, fd, address, speaksAtOnce);
		board.leave(address.board);
		if (result === -EAGAIN) {
			if (waitsForBacklog(core, session)) {
				table.attempts[session] = u8(table.attempts, session) - 1;
				table.tried[session] = tried;
				return STAY;
			}
			table.dialled[session] = 0;
			blame(core, session, address.board);
			reason = CONNECT_TIMEOUT;
			continue;
		}
		// No local port left is no fault of the address.
		if (result !== -EADDRNOTAVAIL) blame(core, session, address.board);
		reason = CONNECT_REFUSED;
	}
	return refuse(reason);
}

/**
 * Bytes of the client are there, and the first that the upstream is sent. Not behind an end, which may be all that there is;
 * through TLS it is not known what waits.
 */
function mayBegin(
	{ table }: RoutingContext,
	session: Session,
	{ plan }: Balancer,
	{ tls }: AddressPlan,
): boolean {
	const mine = i32(table.flags, session);
	if ((mine & (READABLE | AHEAD)) === 0 || (mine & (ENDING | URGENT | SECURED | EXCHANGES)) !== 0)
		return false;
	return plan.proxyProtocol === "off" && tls === undefined && u16(table.proxyHeaderBytes, session) === 0;
}

/** A pooled connection will do: not for a request that met a stale one, nor where the pool is off. */
function mayLend({ table }: RoutingContext, session: Session, { plan }: Balancer): boolean {
	return (i32(table.flags, session) & ONLY_NEW) === 0 && plan.pool?.keeps === true;
}

/** The request goes out on a connection that was there; its address has counted it. */
function lent(core: RoutingContext, session: Session, link: Link): Next {
	const { table, links } = core;
	const address = i32(links.address, table.placeOf(link));
	setRef(table.address, session, address);
	table.join(session, link);
	forget(core.tlsFailures, session); // another address's
	return SEND_REQUEST;
}

/** A line of this agent, which has counted the session. */
function takeLine(
	core: RoutingContext,
	session: Session,
	link: Link,
	address: AddressPlan,
	isRequest: boolean,
): Next {
	// Where none is left, more are to be asked for.
	tellTaken(core, link, address, isRequest && i32(core.idleLists.heads, address.board) !== NONE);
	if (isRequest) return lent(core, session, link);
	keepLine(core, session, link, address);
	return to(CONNECTED, 0);
}

/** Tries again soon, for as long as a TCP connect would wait. False: that was long enough. */
function waitsForBacklog(core: RoutingContext, session: Session): boolean {
	const { table, wheel } = core;
	if (table.dialledMs(session) === 0)
		table.dialled[session] = offset(f64(table.acceptedMs, session), core.nowMs);
	if (core.nowMs - table.dialledMs(session) >= core.policyOf(session).connectMs) return false;
	table.state[session] = DIAL;
	wheel.arm(session, core.nowMs + BACKLOG_RETRY_MS);
	return true;
}

/** A connect is under way. */
function connectingTo(
	core: RoutingContext,
	session: Session,
	fd: Fd,
	address: AddressPlan,
	speaksAtOnce: boolean,
): Next {
	const { table, wheel } = core;
	table.state[session] = DIAL;
	const link = openLink(core, session, fd, address, speaksAtOnce);
	wheel.arm(session, core.nowMs + core.policyOf(session).connectMs);
	if ((i32(table.flags, session) & EXCHANGES) !== 0)
		core.links.opened(table.placeOf(link), ref(table.upstream, session), address.board, core.nowMs);
	// A completion engine would begin to receive from what is not connected yet.
	const speaksNow =
		speaksAtOnce && core.engine.sharesDescriptors && (i32(table.flags, session) & AHEAD) !== 0;
	const watched = speaksNow ? watch(core, link) : watchConnecting(core, link);
	if (watched >= 0) return speaksNow ? speak(core, session, link) : STAY;
	giveUpLink(core, session, link);
	return refuse(MEMORY_PRESSURE);
}

/** Sends the client's first bytes without asking whether the upstream is connected: on the same machine it is when connect() returns. */
function speak(core: RoutingContext, session: Session, link: Link): Next {
	const sent = sendAhead(core, session, link);
	// EPIPE: the connect was good, and its peer has gone already; what it said before that is read as ever. A kernel without
	// memory for our bytes is no fault of the address.
	if (sent === 0 || sent === -EPIPE || pressureOf(-sent) !== undefined) {
		if (sent !== -EPIPE) hadToWait(core, session);
		watchOut(core, link);
		return STAY;
	}
	if (sent < 0) return to(REDIAL, sent === -ETIMEDOUT ? CONNECT_TIMEOUT : CONNECT_REFUSED);
	noteConnected(core, session);
	return to(READY, 0);
}

/** News of an upstream connection that is being made. */
export function connecting(core: RoutingContext, link: Link, events: number): Next {
	const { table, engine } = core;
	if ((events & (EPOLLERR | EPOLLHUP)) !== 0) {
		const error = engine.takeError(link);
		// A Unix peer that has answered and gone already hangs up without an error: that connect was good.
		if (error !== 0 || (events & EPOLLOUT) === 0)
			return to(REDIAL, error === ETIMEDOUT ? CONNECT_TIMEOUT : CONNECT_REFUSED);
	}
	// Bytes tell it, too: without memory for ours, room may be told later.
	if ((events & (EPOLLOUT | EPOLLIN)) === 0) return STAY;
	const session = table.sessionOf(link);
	noteConnected(core, session);
	if ((events & (EPOLLERR | EPOLLHUP | EPOLLRDHUP)) !== 0)
		table.flags[link] = i32(table.flags, link) | READABLE | ENDING;
	return to(CONNECTED, events);
}

/** News of a client whose upstream is being dialled. */
export function dialling(core: RoutingContext, session: Session, events: number): Next {
	// A client that ends its direction has said all it wants to; one that resets is gone.
	noteNews(core, session, events);
	return (events & (EPOLLERR | EPOLLHUP)) !== 0 ? end(CLIENT_RESET) : STAY;
}

/** The connect deadline passed, or that of a handshake with the upstream. */
export function dialTimedOut({ table }: RoutingContext, session: Session): Next {
	if (table.linkOf(session) !== NONE) return to(REDIAL, CONNECT_TIMEOUT);
	// It waited for a backlog, or for a line.
	return to(DIAL_ON, ref(table.address, session) === NONE ? CONNECT_REFUSED : CONNECT_TIMEOUT);
}

/** The upstream can be spoken to. `events`: what came with that, of the connection. */
export function ready(core: RoutingContext, session: Session, events: number): Next {
	const { table, board } = core;
	board.connected(ref(table.address, session));
	if ((i32(table.flags, session) & EXCHANGES) === 0) return to(RELAY_ON, events);
	// It is to outlive this session.
	const link = table.linkOf(session);
	table.flags[link] = i32(table.flags, link) | LASTING;
	setLastingOptions(core.kernel, i32(table.fd, link), core.policyOf(session));
	return to(SEND_REQUEST, NEW_LINK);
}

/** Its address did not work out, which counts against the address: another may. */
export function redial(core: RoutingContext, session: Session, reason: number): Next {
	const { table } = core;
	const address = ref(table.address, session);
	giveUpLink(core, session, table.linkOf(session));
	blame(core, session, address);
	return dial(core, session, reason);
}

/** Gives up the connection that the session has, if it has one, for no fault of its address, and dials another. */
export function dialElsewhere(core: RoutingContext, session: Session, exhausted: number): Next {
	const link = core.table.linkOf(session);
	if (link !== NONE) giveUpLink(core, session, link);
	return dial(core, session, exhausted);
}

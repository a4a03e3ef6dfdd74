/** How an upstream connection is made: a socket, its first options, a connect that is under way, a row. */

import { AF_UNIX, EINPROGRESS } from "../../kernel/constants.js";
import { familyAt, portAt } from "../../kernel/sockaddr.js";
import { assert } from "../../parts/assert.js";
import { f64, i32, ref, setRef } from "../../parts/at.js";
import type { AddressPlan } from "../../upstream/plan.js";
import { ADDRESS_AT } from "../memory/arena.js";
import { scalarIndex } from "../records/counters.js";
import { EXCHANGES, LOCAL, NAGLED } from "../table/marks.js";
import { type Fd, type Link, NONE, type Session } from "../table/numbers.js";
import { CONNECTING } from "../table/states.js";
import { offset } from "../table/times.js";
import { setFirstOptions } from "../wire/socket-options.js";
import { closeLink } from "./close-link.js";
import type { LinksContext } from "./context.js";
import { makeLinkRoom } from "./pool.js";

/** What it counts against what a turn may move: it takes the kernel about as long as copying so much. */
export const DIAL_COST_BYTES = 48 * 1024;

/**
 * Connects a fresh socket. Returns 0 when that is under way; otherwise the socket is closed, and the errno, negative, says why.
 * `speaksAtOnce`: bytes are there to be sent as soon as it is connected.
 */
export function beginConnect(
	core: LinksContext,
	session: Session,
	fd: Fd,
	{ sockaddr }: AddressPlan,
	speaksAtOnce: boolean,
): number {
	const { kernel, budget } = core;
	if (familyAt(sockaddr, 0) !== AF_UNIX) setFirstOptions(kernel, fd, core.policyOf(session), speaksAtOnce);
	budget.turnBytes -= DIAL_COST_BYTES;
	const result = kernel.connect(fd, sockaddr);
	if (result >= 0 || result === -EINPROGRESS) return 0;
	kernel.close(fd);
	return result;
}

/** Gives a connection that is being made its row, and the session it. Its address has counted it; it is still to be watched. */
export function openLink(
	core: LinksContext,
	session: Session,
	fd: Fd,
	{ board, sockaddr, tls }: AddressPlan,
	speaksAtOnce: boolean,
): Link {
	const { table } = core;
	const link = takeRow(core, session, fd, board);
	table.state[link] = CONNECTING;
	if (familyAt(sockaddr, 0) === AF_UNIX) table.flags[link] = LOCAL;
	else if (speaksAtOnce) table.flags[link] = NAGLED;
	noteLoop(core, link, sockaddr);
	const isForRequests = (i32(table.flags, session) & EXCHANGES) !== 0;
	const manner = i32(core.certificates.manners, board);
	core.secures.dialled(link, board, tls !== undefined, isForRequests, manner);
	return link;
}

/** Gives a socket its row, its owner, and the session. Its address has counted it. */
export function takeRow(core: LinksContext, session: Session, fd: Fd, board: number): Link {
	const { table, counters } = core;
	let link = table.takeLink();
	// Idle pooled connections have rows, too.
	if (link === NONE && makeLinkRoom(core)) link = table.takeLink();
	assert(link !== NONE, "there is an upstream row for every client row");
	counters.add(UPSTREAM_OPENED, 1);
	core.owners.connectionOpened(fd, core.index, link, core.nowMs);
	table.fd[link] = fd;
	table.join(session, link);
	setRef(table.address, session, board);
	table.dialled[session] = offset(f64(table.acceptedMs, session), core.nowMs);
	return link;
}

/** The session no longer holds an upstream connection, nor an address. */
export function giveUpLink(core: LinksContext, session: Session, link: Link): void {
	const { table, board } = core;
	board.leave(ref(table.address, session));
	setRef(table.address, session, NONE);
	table.dialled[session] = 0;
	table.part(session, link);
	closeLink(core, link);
}

/** It may be one of our listeners that was dialled: who comes from there is then known by its ends. */
function noteLoop(core: LinksContext, link: Link, sockaddr: Uint8Array): void {
	const { table, kernel, loops } = core;
	if (familyAt(sockaddr, 0) === AF_UNIX) return;
	if (!loops.mayLeadHere(portAt(sockaddr, 0))) return;
	if (kernel.localAddress(i32(table.fd, link), ADDRESS_AT) < 0) return;
	loops.opened(table.placeOf(link), portAt(kernel.memory, ADDRESS_AT), sockaddr);
}

const UPSTREAM_OPENED = scalarIndex("upstreamOpened");

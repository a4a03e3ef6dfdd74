/** A session gets a line of an agent: one that is parked, or it waits until one is. */
import { f64, ref, setRef } from "../../parts/at.js";
import type { AddressPlan } from "../../upstream/plan.js";
import { scalarIndex } from "../records/counters.js";
import { RECYCLED_VISITOR } from "../records/recycle-reasons.js";
import { type Link, NONE, type Session } from "../table/numbers.js";
import { DIAL } from "../table/states.js";
import { offset } from "../table/times.js";
import { countAnew } from "../wire/outbox.js";
import type { LinksContext } from "./context.js";
import { noLongerWaits } from "./no-longer-waits.js";
import { takenOut } from "./pool.js";

/** When it began to look for a line, of the first that it tried. */
export function noteDialled({ table, nowMs }: LinksContext, session: Session): void {
	if (table.dialledMs(session) !== 0) return;
	table.dialled[session] = offset(f64(table.acceptedMs, session), nowMs);
}

/** Its upstream connection is there. */
export function noteConnected({ table, counters, nowMs }: LinksContext, session: Session): void {
	table.connected[session] = offset(f64(table.acceptedMs, session), nowMs);
	counters.connectTook(ref(table.upstream, session), nowMs - table.dialledMs(session));
}

/** A line is lent, of which the main thread hears. `lends`: it comes back, and others are there as well. */
export function tellTaken(core: LinksContext, link: Link, { tunnel = 0 }: AddressPlan, lends: boolean): void {
	const { table, links, lineNews } = core;
	const place = table.placeOf(link);
	links.taken[place] = 1;
	const was = f64(links.leaveMs, place) > 0 ? "retiring" : "parked";
	if (lends && was === "parked") lineNews.lend(tunnel, 1, core.nowMs);
	else lineNews.add({ kind: "taken", tunnel, was });
}

/** The line is the session's until both end. Its address has counted it. */
export function keepLine(core: LinksContext, session: Session, link: Link, { board }: AddressPlan): void {
	const { table, links } = core;
	links.uses[table.placeOf(link)] = 1;
	core.counters.add(BORROWED, 1);
	takenOut(core, link, RECYCLED_VISITOR);
	setRef(table.address, session, board);
	table.join(session, link);
	countAnew(core, link);
	noteConnected(core, session);
}

/**
 * None is parked: the session waits for one, as long as it would for a connect. `wasWaiting`: it has done so until now, and was called
 * for a line that is gone again, so its time goes on. `lasts`: it leaves the last lines to others.
 */
export function waitForLine(
	core: LinksContext,
	session: Session,
	{ board, tunnel = 0 }: AddressPlan,
	wasWaiting: boolean,
	lasts: boolean,
): void {
	const { table, wheel } = core;
	setRef(table.address, session, board);
	table.state[session] = DIAL;
	if (!wasWaiting) wheel.arm(session, core.nowMs + core.policyOf(session).connectMs);
	core.waitingForLines.add(board, session, lasts);
	core.lineNews.add({ kind: "waiting", tunnel, ...core.waitingForLines.told(board) });
}

/** It has waited for a line: there is one now, or its time is over. False: it has not. */
export function stopWaiting(core: LinksContext, session: Session): boolean {
	const { table, board } = core;
	const address = ref(table.address, session);
	if (address === NONE || table.linkOf(session) !== NONE) return false;
	board.leave(address);
	setRef(table.address, session, NONE);
	noLongerWaits(core, session, address);
	return true;
}

const BORROWED = scalarIndex("poolBorrowed");

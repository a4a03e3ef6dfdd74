/**
 * Upstream connections that belong to one client: NTLM and Negotiate (RFC 4559) authenticate the connection and not the
 * request, so another client's request on it would be taken for the first client's. From the first such challenge or
 * credentials on, the connection serves this client alone, for all of its requests to that upstream (the handshake takes
 * several of them), and is closed with it.
 */

import { i32 } from "../../parts/at.js";
import type { Balancer } from "../../upstream/balance.js";
import {
	RECYCLED_IDLE,
	RECYCLED_NOT_WANTED,
	RECYCLED_OWNED,
	RECYCLED_UPSTREAM_CLOSED,
} from "../records/recycle-reasons.js";
import { type Link, NONE, type Session } from "../table/numbers.js";
import { POOLED } from "../table/states.js";
import { closeLink } from "./close-link.js";
import type { LinksContext } from "./context.js";
import { armIdle, hasBytes, hasNews, isGivenUp, isOfPool, poolOf, retire, returned, unlink } from "./pool.js";

/** Of one client. It has one for each upstream at most, and few names lead to several of which each authenticates so. */
const OWNED_MAX = 4;

/** The connection that the session has borrowed is its own from now on. */
export function own(core: LinksContext, session: Session, link: Link): void {
	core.links.owner[core.table.placeOf(link)] = session;
}

/** The exchange is over, and nothing of it is left on the connection, which waits for its session's next request, if there may be one. */
export function keepOwned(core: LinksContext, session: Session, link: Link, mayHaveNext: boolean): void {
	const { table, links, idleLists } = core;
	const place = table.placeOf(link);
	if (!isOfPool(core, link)) {
		closeLink(core, link);
		return;
	}
	returned(core, link);
	const plan = poolOf(core, place);
	if (hasNews(core, link)) retire(core, link, RECYCLED_UPSTREAM_CLOSED);
	else if (plan === undefined) retire(core, link, RECYCLED_NOT_WANTED);
	else if (!mayHaveNext) retire(core, link, RECYCLED_OWNED);
	else {
		table.state[link] = POOLED;
		links.idleSinceMs[place] = core.nowMs;
		idleLists.addOwned(session, place);
		armIdle(core, link, plan);
		keepFew(core, session);
	}
}

/** Ends the one that has waited longest, when there are too many. */
function keepFew(core: LinksContext, session: Session): void {
	const { table, links } = core;
	let place = i32(links.owned, session);
	for (let count = 0; count < OWNED_MAX && place !== NONE; count++) place = i32(links.next, place);
	if (place === NONE) return;
	unlink(core, table.linkAt(place));
	retire(core, table.linkAt(place), RECYCLED_OWNED);
}

/** The session's own connection to this upstream, or NONE. It is the exchange's until `keepOwned` or `returnSpent`. */
export function lendOwned(core: LinksContext, session: Session, balancer: Balancer): Link {
	const { table, links, secures, certificates } = core;
	let place = i32(links.owned, session);
	while (place !== NONE) {
		const link = table.linkAt(place);
		const next = i32(links.next, place);
		const address = i32(links.address, place);
		if (balancer.has(address)) {
			unlink(core, link);
			// A reload changed whether, or how, its peer is verified.
			if (i32(secures.manner, place) !== i32(certificates.manners, address))
				retire(core, link, RECYCLED_NOT_WANTED);
			else if (isGivenUp(core, link)) retire(core, link, RECYCLED_IDLE);
			else if (hasBytes(core, link)) retire(core, link, RECYCLED_UPSTREAM_CLOSED);
			else return link;
		}
		place = next;
	}
	return NONE;
}

/** Their session ends, or asks for nothing more. */
export function closeOwned(core: LinksContext, session: Session): void {
	const { table, links } = core;
	for (let place = i32(links.owned, session); place !== NONE; place = i32(links.owned, session)) {
		unlink(core, table.linkAt(place));
		retire(core, table.linkAt(place), RECYCLED_OWNED);
	}
}

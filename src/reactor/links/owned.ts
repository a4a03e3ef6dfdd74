/**
 * Upstream connections that belong to one client: NTLM and Negotiate (RFC 4559) authenticate the connection, so that whoever
 * is lent it next would be taken for that client. From the first such challenge or credentials on it serves this client
 * alone, for all of its requests to that upstream, since the handshake takes several on one connection; and ends with it.
 */

import { at } from "../../parts/at.js";
import { NONE } from "../../parts/none.js";
import type { Balancer } from "../../upstream/balance.js";
import type { Core } from "../core.js";
import { KEEPS_CLIENT } from "../modes/http1/columns.js";
import {
	RECYCLED_IDLE,
	RECYCLED_NOT_WANTED,
	RECYCLED_OWNED,
	RECYCLED_UPSTREAM_CLOSED,
} from "../records/recycle-reasons.js";
import { POOLED } from "../table/table.js";
import { armIdle, hasBytes, hasNews, isGivenUp, poolOf, retire, returned, unlink } from "./pool.js";

/** Of one client. It has one for each upstream at most, and few names lead to several of which each authenticates so. */
const OWNED_MAX = 4;

/** The connection that the client has borrowed is its own from now on. */
export function own(core: Core, client: number, link: number): void {
	core.exchanges.owner[link - core.table.sessions] = client;
}

/** The exchange is over, and nothing of it is left on the connection, which waits for its client's next request. */
export function keepOwned(core: Core, client: number, link: number): void {
	const { table, exchanges, idleLists } = core;
	const place = link - table.sessions;
	returned(core);
	const plan = poolOf(core, place);
	if (hasNews(core, link)) retire(core, link, RECYCLED_UPSTREAM_CLOSED);
	else if (plan === undefined) retire(core, link, RECYCLED_NOT_WANTED);
	else if (!exchanges.has(client, KEEPS_CLIENT)) retire(core, link, RECYCLED_OWNED);
	else {
		table.state[link] = POOLED;
		table.peer[link] = NONE;
		exchanges.idleSinceMs[place] = core.nowMs;
		const head = at(exchanges.owned, client);
		exchanges.next[place] = head;
		exchanges.previous[place] = NONE;
		if (head !== NONE) exchanges.previous[head - table.sessions] = link;
		exchanges.owned[client] = link;
		idleLists.owned++;
		armIdle(core, link, plan);
		keepFew(core, client);
	}
}

/** Ends the one that has waited longest, when there are too many. */
function keepFew(core: Core, client: number): void {
	const { table, exchanges } = core;
	let link = at(exchanges.owned, client);
	for (let count = 0; count < OWNED_MAX && link !== NONE; count++)
		link = at(exchanges.next, link - table.sessions);
	if (link === NONE) return;
	unlink(core, link);
	retire(core, link, RECYCLED_OWNED);
}

/** The client's own connection to this upstream, or NONE. It is the exchange's until `keepOwned` or `returnSpent`. */
export function lendOwned(core: Core, client: number, balancer: Balancer): number {
	const { table, exchanges, secures, certificates } = core;
	let link = at(exchanges.owned, client);
	while (link !== NONE) {
		const place = link - table.sessions;
		const next = at(exchanges.next, place);
		const address = at(exchanges.address, place);
		if (balancer.has(address)) {
			unlink(core, link);
			// A reload changed whether, or how, its peer is verified.
			if (at(secures.manner, place) !== at(certificates.manners, address))
				retire(core, link, RECYCLED_NOT_WANTED);
			else if (isGivenUp(core, link)) retire(core, link, RECYCLED_IDLE);
			else if (hasBytes(core, link)) retire(core, link, RECYCLED_UPSTREAM_CLOSED);
			else return link;
		}
		link = next;
	}
	return NONE;
}

/** Their client ends, or asks for nothing more. */
export function closeOwned(core: Core, client: number): void {
	const { exchanges } = core;
	for (let link = at(exchanges.owned, client); link !== NONE; link = at(exchanges.owned, client)) {
		unlink(core, link);
		retire(core, link, RECYCLED_OWNED);
	}
}

/** How an upstream connection ends without its session: its dial failed, or it is not lent. */

import { f64, ref, setRef, u8, u32 } from "../../parts/at.js";
import { type Link, NONE, type Place } from "../table/numbers.js";
import { PROVING } from "../table/states.js";
import { hangUp, releaseRow } from "../wire/hang-up.js";
import type { LinksContext } from "./context.js";

/** Gives back all that it holds, and its row. */
export function closeLink(core: LinksContext, link: Link): void {
	endLink(core, link, false);
	releaseRow(core, link);
}

/** The same but for its row, which its session still needs. */
export function endLink(core: LinksContext, link: Link, reset: boolean): void {
	const place = core.table.placeOf(link);
	core.loops.closed(place);
	if (u8(core.table.state, link) === PROVING) letGoUnproved(core, link);
	if (u8(core.links.tried, place) === 1) canaryOver(core, link, -1);
	if (u32(core.links.tunnel, place) !== 0) tellEnd(core, place);
	hangUp(core, link, reset);
}

/** It is proved, or is about to be closed, or the main thread's: it does not count any more among those of its address. */
export function letGoUnproved({ unproved, links, table, sources }: LinksContext, link: Link): void {
	unproved.delete(link);
	const place = table.placeOf(link);
	const source = ref(links.source, place);
	if (source === NONE) return;
	sources.leave(source);
	setRef(links.source, place, NONE);
}

/** A canary has come back after so long; -1: it has not, and its line is about to be closed. */
export function canaryOver({ links, table, notify }: LinksContext, link: Link, roundTripMs: number): void {
	const place = table.placeOf(link);
	links.tried[place] = 0;
	notify({ kind: "canary", tunnel: u32(links.tunnel, place), roundTripMs });
}

/** It was a line of a tunnel. */
function tellEnd({ links, lineNews }: LinksContext, place: Place): void {
	const was = u8(links.taken, place) === 1 ? "used" : f64(links.leaveMs, place) > 0 ? "retiring" : "parked";
	lineNews.add({ kind: "ended", tunnel: u32(links.tunnel, place), was, why: u8(links.why, place) - 1 });
	links.tunnel[place] = 0;
	links.why[place] = 0;
	links.taken[place] = 0;
}

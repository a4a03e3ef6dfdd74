/** How an upstream connection ends without its session: its dial failed, or it is not lent. */

import type { Link } from "../table/numbers.js";
import { hangUp, releaseRow } from "../wire/hang-up.js";
import type { LinksContext } from "./context.js";

/** Gives back all that it holds, and its row. */
export function closeLink(core: LinksContext, link: Link): void {
	endLink(core, link, false);
	releaseRow(core, link);
}

/** The same but for its row, which its session still needs. */
export function endLink(core: LinksContext, link: Link, reset: boolean): void {
	core.loops.closed(core.table.placeOf(link));
	hangUp(core, link, reset);
}

/** Where upstream connections come from. */
import type { Balancer } from "../../upstream/balance.js";
import type { Board } from "../../upstream/board.js";
import type { WireContext } from "../wire/context.js";
import type { LinkColumns } from "./columns.js";
import type { IdleLists } from "./idle-lists.js";
import type { Loops } from "./loops.js";

export interface LinksContext extends WireContext {
	readonly links: LinkColumns;
	readonly idleLists: IdleLists;
	/** Upstream connections that may lead back here. */
	readonly loops: Loops;
	readonly board: Board;
	/** By upstream slot. */
	readonly upstreams: Map<number, Balancer>;
	readonly draining: boolean;
}

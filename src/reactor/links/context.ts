/** Where upstream connections come from. */
import type { Balancer } from "../../upstream/balance.js";
import type { Board } from "../../upstream/board.js";
import type { Link } from "../table/numbers.js";
import type { WireContext } from "../wire/context.js";
import type { LinkColumns } from "./columns.js";
import type { IdleLists } from "./idle-lists.js";
import type { Loops } from "./loops.js";
import type { WaitingSessions } from "./waiting.js";

export interface LinksContext extends WireContext {
	readonly links: LinkColumns;
	readonly idleLists: IdleLists;
	/** Upstream connections that may lead back here. */
	readonly loops: Loops;
	readonly board: Board;
	/** Connections from agents that are not proved, or are tried by a canary: the oldest first. */
	readonly unproved: Set<Link>;
	readonly waitingForLines: WaitingSessions;
	/** By upstream slot. */
	readonly upstreams: Map<number, Balancer>;
	readonly draining: boolean;
}

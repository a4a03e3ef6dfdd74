/** What routes are matched against. */
import type { ProxyHeader, Recognition } from "../../protocol/index.js";
import type { RouteQuery } from "../../route/router.js";
import type { AdmissionContext } from "../admission/context.js";
import type { Tag } from "../table/tag.js";
import type { HeadAtHand } from "./head-at-hand.js";
import type { Unfinished } from "./unfinished.js";

export interface RoutingContext extends AdmissionContext {
	/** What first bytes were recognised as, and of which session: `recognized` says. */
	readonly recognition: Recognition;
	readonly recognized: Tag;
	/** Clients that keep a chunk for a hello that is not whole. */
	readonly unfinished: Unfinished;
	/** The head of a request that was read last. */
	readonly headAtHand: HeadAtHand;
	/** Reused for every question. */
	readonly query: RouteQuery;
	readonly proxyHeader: ProxyHeader;
	/** Some upstream is to be told PROXY headers. */
	readonly saysProxyHeaders: boolean;
}

/** What datagrams need: all that a route and an upstream's address need, and how other reactors are woken. */
import type { RoutingContext } from "../../routing/context.js";

export interface DatagramContext extends RoutingContext {
	/** By reactor. */
	readonly wakeFds: readonly number[];
}

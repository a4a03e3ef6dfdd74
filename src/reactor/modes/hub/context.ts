/** What the hub's mode needs: all that a route needs, and what is known of channels and their subscribers. */
import type { RoutingContext } from "../../routing/context.js";
import type { HubColumns } from "./columns.js";
import type { HubTraffic } from "./traffic.js";

export interface HubContext extends RoutingContext {
	readonly hubColumns: HubColumns;
	/** `null`: there is no hub so far. */
	readonly hub: HubTraffic | null;
}

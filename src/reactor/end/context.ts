/** What a session's end touches: all that a session can hold. */
import type { DatagramTraffic } from "../datagrams/traffic.js";
import type { LinksContext } from "../links/context.js";
import type { OwnLineNews } from "../plan/plan.js";

export interface EndContext extends LinksContext {
	/** What is known of clients that send datagrams; `null`: no listener has taken any so far. */
	readonly datagrams: DatagramTraffic | null;
	/** Of lines that this process, an agent, has opened: for the main thread, at the end of the turn. */
	readonly ownLineNews: OwnLineNews[];
}

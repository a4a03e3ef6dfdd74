/** What a reactor knows of a channel that somebody is subscribed to. */
import type { ChannelTerms } from "../../../channels/log.js";

export interface HubChannel {
	/** In the log. */
	readonly number: number;
	readonly name: string;
	/** Its subscriptions, a list of rows. */
	first: number;
	count: number;
	/** What holds for them, as it was read last. */
	readonly terms: ChannelTerms;
	/** Messages have come that its subscribers have not been offered; it waits for its turn, or has it. */
	isQueued: boolean;
	/** The subscription that is offered them next; NONE: none has been yet, or all have. */
	cursor: number;
	/** The first message that is new since all of them were offered what there was; NOWHERE: that is not known. */
	anchor: number;
	/** More has come meanwhile; the first of it, or NOWHERE. */
	hasNewer: boolean;
	nextAnchor: number;
	/** Near what those have had who came back last: where the search for the next one begins. */
	resumedAt: number;
}

/** What all that deals with subscribers is given. */
import type { HubOrder } from "../channels/orders.js";
import type { Hub } from "./hub.js";
import type { HubRights } from "./rights.js";

export interface Verifier {
	/** Rejects with an error whose message is for the client, and holds nothing of the token. */
	verify(token: string): Promise<HubRights>;
	/** Whether tokens of this key are taken (`HubRights.key`). */
	knows(key: string): boolean;
}

export interface SubscribersContext {
	readonly hub: Hub;
	readonly tell: (reactor: number, orders: readonly HubOrder[]) => void;
	/** `undefined`: no client has a token. */
	readonly verifier: () => Verifier | undefined;
	readonly unixNow: () => number;
	/** How long somebody has who comes without a request to show his token. */
	readonly handshakeMs: () => number;
}

/** Where a session is. */
export interface Place {
	readonly reactor: number;
	readonly row: number;
	readonly number: number;
}

/** What the main thread and a reactor say to each other of the hub's subscribers: plain data, by message. */
import type { LogSizes } from "./log.js";

/** What is the same for all subscribers. */
export interface HubSettings {
	/** How often something goes to a subscriber that nothing else went to, and how long one may be silent. */
	readonly heartbeatMs: number;
	readonly deadAfterMs: number;
	/** Clients are told to come back after up to so long. */
	readonly retryMs: number;
	/** Bytes that a client's message may have. */
	readonly messageBytes: number;
	/** Channels that one connection may be subscribed to. */
	readonly subscriptions: number;
}

/** Memory that the main thread and all reactors share. */
export interface HubMemory {
	readonly sizes: LogSizes;
	/** Of this start of the hub: what ids begin with. */
	readonly epoch: number;
	readonly log: SharedArrayBuffer;
	readonly figures: SharedArrayBuffer;
}

/** A session, by its row, if that is still of this number. */
export interface HubMember {
	readonly row: number;
	readonly number: number;
}

export interface SubscribeOrder {
	/** Its number in the log, and its name. */
	readonly channel: number;
	readonly name: string;
	/** The last that the client has had: the sequence of its id; absent: it names none. */
	readonly after?: number;
	/** The id that it asked with is of another epoch: it goes on from now, and is told that. */
	readonly isTooOld?: boolean;
	/** As it was asked for. */
	readonly afterText?: string;
	/** It begins with the last message that there is. */
	readonly last?: boolean;
	/** Messages that may be sent again, and how old they may be. */
	readonly replayMessages: number;
	readonly replayAgeMs: number;
	/** Comes back with the answer. */
	readonly ref?: string | number;
	/** It is said that it is subscribed. */
	readonly isTold: boolean;
}

/** Why a subscription is taken away. An event stream that has no other left ends with this code: it could never ask for one. */
export interface Taken {
	readonly code: number;
	readonly reason: string;
}

export type HubOrder =
	/** Whoever asked becomes a subscriber: it is sent these bytes first. `status`: what its request is answered with; 0: there was none. */
	| (HubMember & {
			readonly kind: "accept";
			/** One of `channels/protocols.ts`. */
			readonly protocol: number;
			readonly bytes: Uint8Array;
			readonly status: number;
			readonly subscriptions: readonly SubscribeOrder[];
	  })
	/** Whoever asked is answered with these bytes, and ends. */
	| (HubMember & { readonly kind: "refuse"; readonly bytes: Uint8Array; readonly status: number })
	| (HubMember & {
			readonly kind: "subscribe";
			readonly subscription: SubscribeOrder;
			readonly isAnswer: boolean;
	  })
	| (HubMember & {
			readonly kind: "unsubscribe";
			readonly channel: number;
			readonly name: string;
			readonly ref?: string | number;
			/** Why, where it did not ask for it. */
			readonly taken?: Taken;
			readonly isAnswer: boolean;
	  })
	/** Is sent these bytes. `isAnswer`: to a message of its own, so that another may come. */
	| (HubMember & { readonly kind: "say"; readonly bytes: Uint8Array; readonly isAnswer: boolean })
	/** Nothing is said to a message of its own. */
	| (HubMember & { readonly kind: "answered" })
	/** The channel is nobody's any more: all are unsubscribed who are subscribed to it. */
	| { readonly kind: "drop"; readonly channel: number; readonly name: string; readonly taken: Taken }
	/** Is told why it ends (`close-codes.ts`, and those of `docs/hub-wire.md`), and ends. */
	| (HubMember & { readonly kind: "end"; readonly code: number; readonly reason: string });

/** What reactors say of subscribers. */
export type HubNews =
	/** A request has come for the hub, or a connection on a listener of bytes. */
	| {
			readonly kind: "asks";
			readonly row: number;
			readonly number: number;
			/** The request's head, as it came; `null`: there is none, it speaks frames of a length. */
			readonly head: string | null;
			/** It opens a WebSocket. */
			readonly isWebSocket: boolean;
			/** Of its route: what its path begins with, or the channel that it is for. */
			readonly path: string | null;
			readonly channel: string | null;
			readonly isSecured: boolean;
	  }
	/** A client's message is complete. */
	| {
			readonly kind: "says";
			readonly row: number;
			readonly number: number;
			readonly isText: boolean;
			readonly bytes: Uint8Array;
	  }
	/** It is subscribed to this channel no more, or could not be. `wasSo`: it was subscribed already, and still is, once. */
	| {
			readonly kind: "unsubscribed";
			readonly number: number;
			readonly channel: number;
			readonly wasSo?: boolean;
	  }
	/** It has ended; it was subscribed to these. */
	| { readonly kind: "left"; readonly number: number; readonly channels: readonly number[] };

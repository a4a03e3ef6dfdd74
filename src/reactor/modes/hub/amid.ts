/** What is kept of subscribers that are amid something: on the heap, for most are not. */
import type { IncomingState } from "../../../protocol/websocket/incoming.js";

/** Bytes that went in part: of a message, and of what was said behind it. */
export interface Leftover {
	bytes: Uint8Array;
	/** Where in it the rest begins. */
	start: number;
	/** How much of it was said beside messages of channels: answers, pongs, notices. */
	readonly said: number;
}

/** Of a client that is amid a message, or has said more than was answered so far. */
export interface Incoming {
	/** What has come, from the first byte of a frame on. */
	bytes: Uint8Array;
	readonly state: IncomingState;
	/** Fragments of the message that came before. */
	readonly fragments: Uint8Array[];
	fragmentBytes: number;
	/** When the message began. */
	sinceMs: number;
}

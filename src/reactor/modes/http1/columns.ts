/**
 * What the exchange mode knows of each connection, beside its row of the table: columns that only connections
 * in that mode touch, so relayed sessions do not pay for them.
 */

import { at } from "../../../parts/at.js";
import { NONE } from "../../../parts/none.js";
import { METHOD_OTHER } from "../../../protocol/http/methods.js";
import type { RouteRules } from "../../plan/route-rules.js";

// Flags of an exchange.
/** The request has been sent to its end. */
export const REQUEST_SENT = 1;
/** The final response's head has been passed on. */
export const ANSWERED = 2;
/** The client's connection goes on after this exchange. */
export const KEEPS_CLIENT = 4;
/** The upstream's does. */
export const KEEPS_UPSTREAM = 8;
/** The upstream connection had served others before. */
export const REUSED = 16;
/** A stale upstream connection was replaced already. */
export const RETRIED = 32;
/** The client speaks HTTP/1.1. */
export const SPEAKS_1_1 = 64;
/** A valid WebSocket handshake was passed on. */
export const WEBSOCKET = 128;
/** The upstream takes no more of the request; what it has said already still counts. */
export const REQUEST_CUT = 256;
/** The client sends the body when it has been asked to (RFC 9110, 10.1.1), and has not been. */
export const AWAITS_CONTINUE = 512;
/** The upstream spoke before it was asked: what it says next may belong to nobody. */
export const HASTY = 1024;

/** It has no body, and may be sent once more. */
export const REPEATABLE = 2048;
/** The upstream's window was widened for the head of its answer. */
export const WIDENED = 4096;
/** The upstream's connection was reset, which the failed send has taken note of: a read would report an end. */
export const UPSTREAM_CUT = 8192;
/** Its answer's head was offered to the client, and may have to be offered again: as it was. */
export const HEAD_WRITTEN = 16_384;

/** The upstream's connection may have more to say than this answer: it is not to be lent again. */
export const SPOILT = 32_768;

/** One direction's body: how it is framed, and where in it we are. */
export class Bodies {
	/** FRAMING_… */
	readonly framing: Uint8Array;
	/** Bytes left of a length; of a chunk. */
	readonly left: Float64Array;
	/** Bytes of content that may still come in chunks; a length is judged when it is said. */
	readonly room: Float64Array;
	/** State of the chunk scanner. */
	readonly phase: Uint8Array;
	/** Of the scanner; and behind the last chunk, how much of the end was sent. */
	readonly spent: Uint16Array;
	/** What becomes of chunks, as `bodies.ts` has it. */
	readonly manner: Uint8Array;

	constructor(sessions: number) {
		this.framing = new Uint8Array(sessions);
		this.left = new Float64Array(sessions);
		this.room = new Float64Array(sessions);
		this.phase = new Uint8Array(sessions);
		this.spent = new Uint16Array(sessions);
		this.manner = new Uint8Array(sessions);
	}

	begin(
		client: number,
		framing: number,
		length: number,
		manner: number,
		most = Number.POSITIVE_INFINITY,
	): void {
		this.framing[client] = framing;
		this.left[client] = length;
		this.room[client] = most;
		this.phase[client] = 0;
		this.spent[client] = 0;
		this.manner[client] = manner;
	}
}

export class Exchanges {
	// By client row.
	readonly flags: Uint16Array;
	readonly method: Uint8Array;
	readonly status: Uint16Array;
	/** Requests that this connection has had. */
	readonly requests: Int32Array;
	/** The head of a request without a body, which is taken when it is answered, so that it can be sent once more. */
	readonly headBytes: Int32Array;
	/** Where the search for a head's end goes on. */
	readonly scanned: Int32Array;
	/** Bytes of earlier requests that went to upstreams. */
	readonly sentBefore: Float64Array;
	/** When the first byte of the head at hand came; 0: none has. */
	readonly headMs: Float64Array;
	/** When the request's head was whole, and it was routed; 0: that has not come yet. */
	readonly startedMs: Float64Array;
	/** What is done with it, as of the plan by which it was routed. */
	readonly rules: (RouteRules | undefined)[];
	/** When it had been sent to its end. */
	readonly sentMs: Float64Array;
	/** Where the measuring of a request body's rate began: time, and bytes sent by then. */
	readonly rateMs: Float64Array;
	readonly rateSent: Float64Array;
	readonly request: Bodies;
	readonly response: Bodies;

	/** The first idle connection that belongs to this client alone; NONE. See `owned.ts`. */
	readonly owned: Int32Array;

	// By upstream row, counted from the first one.
	readonly openedMs: Float64Array;
	readonly idleSinceMs: Float64Array;
	readonly uses: Int32Array;
	/** The client that it is authenticated for; NONE: it may be lent to any. */
	readonly owner: Int32Array;
	/** How long its peer keeps it when nothing is asked, as far as it said so: then it is not lent any more. */
	readonly keptMs: Float64Array;
	/** The wait for news behind which it was lent without being looked at. */
	readonly lentWait: Float64Array;
	readonly upstream: Int32Array;
	readonly address: Int32Array;
	/** The list of its address, or of its owner. */
	readonly next: Int32Array;
	readonly previous: Int32Array;

	constructor(sessions: number) {
		this.flags = new Uint16Array(sessions);
		this.method = new Uint8Array(sessions);
		this.status = new Uint16Array(sessions);
		this.requests = new Int32Array(sessions);
		this.headBytes = new Int32Array(sessions);
		this.scanned = new Int32Array(sessions);
		this.sentBefore = new Float64Array(sessions);
		this.headMs = new Float64Array(sessions);
		this.startedMs = new Float64Array(sessions);
		this.rules = new Array<RouteRules | undefined>(sessions).fill(undefined);
		this.sentMs = new Float64Array(sessions);
		this.rateMs = new Float64Array(sessions);
		this.rateSent = new Float64Array(sessions);
		this.request = new Bodies(sessions);
		this.response = new Bodies(sessions);
		this.openedMs = new Float64Array(sessions);
		this.idleSinceMs = new Float64Array(sessions);
		this.lentWait = new Float64Array(sessions);
		this.uses = new Int32Array(sessions);
		this.owner = new Int32Array(sessions);
		this.keptMs = new Float64Array(sessions);
		this.owned = new Int32Array(sessions);
		this.upstream = new Int32Array(sessions);
		this.address = new Int32Array(sessions);
		this.next = new Int32Array(sessions);
		this.previous = new Int32Array(sessions);
	}

	/** A connection's first request is about to be read. */
	begin(client: number): void {
		this.requests[client] = 0;
		this.sentBefore[client] = 0;
		this.owned[client] = NONE;
		this.nextRequest(client);
	}

	/** So is its next one. */
	nextRequest(client: number): void {
		this.flags[client] = 0;
		this.method[client] = METHOD_OTHER;
		this.status[client] = 0;
		this.headBytes[client] = 0;
		this.scanned[client] = 0;
		this.headMs[client] = 0;
		this.startedMs[client] = 0;
		this.sentMs[client] = 0;
	}

	has(client: number, flag: number): boolean {
		return (at(this.flags, client) & flag) !== 0;
	}

	set(client: number, flag: number): void {
		this.flags[client] = at(this.flags, client) | flag;
	}

	clear(client: number, flag: number): void {
		this.flags[client] = at(this.flags, client) & ~flag;
	}

	/** A connection to an upstream was made. */
	opened(link: number, upstream: number, address: number, nowMs: number): void {
		this.openedMs[link] = nowMs;
		this.uses[link] = 0;
		this.lentWait[link] = 0;
		this.owner[link] = NONE;
		this.keptMs[link] = Number.POSITIVE_INFINITY;
		this.upstream[link] = upstream;
		this.address[link] = address;
		this.next[link] = NONE;
		this.previous[link] = NONE;
	}
}

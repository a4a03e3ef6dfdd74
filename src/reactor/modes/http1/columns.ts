/**
 * What the mode of requests knows of each session, beside its row of the table: columns that only sessions in that mode touch,
 * so relayed ones do not pay for them.
 */

import { u8, u16 } from "../../../parts/at.js";
import { Columns, type Layout, SESSION } from "../../../parts/columns.js";
import { METHOD_OTHER } from "../../../protocol/http/methods.js";
import type { RouteRules } from "../../plan/route-rules.js";
import type { Session } from "../../table/numbers.js";

// What may be true of an exchange: one bit each, and any of them together.
/** The request has been sent to its end. */
export const REQUEST_SENT = 1;
/** Its route says what it is answered with here. */
export const FIXED = 2;
/** The client's connection goes on after this exchange. */
export const KEEPS_CLIENT = 4;
/** The upstream's does. */
export const KEEPS_UPSTREAM = 8;
/** The upstream connection had served others before. */
export const REUSED = 16;
/** The client speaks HTTP/1.1. */
export const SPEAKS_1_1 = 64;
/** A valid WebSocket handshake was passed on. */
export const WEBSOCKET = 128;
/** The upstream takes no more of the request; what it has said already still counts. */
export const REQUEST_CUT = 256;
/** The client sends the body when it has been asked to (RFC 9110, 10.1.1), and has not been. */
export const AWAITS_CONTINUE = 512;
/** The upstream sent bytes before the request: what follows may not be the answer to it. */
export const HASTY = 1024;

/** The upstream's window was widened for the head of its answer. */
export const WIDENED = 4096;
/** The upstream's connection was reset, which the failed send has taken note of: a read would report an end. */
export const UPSTREAM_CUT = 8192;
/** The upstream's connection may have more to say than this answer: it is not to be lent again. */
export const SPOILT = 32_768;

// How far the answer of an exchange has come: it is at one of these at a time.
/** Nothing of it has gone to the client, but for interim heads. */
export const UNANSWERED = 0;
/** Its head was offered to the client, which took none of it, and is offered again as it was: TLS may have encrypted it. */
export const OFFERED = 1;
/** Its head has been passed on. */
export const ANSWERED = 2;

/** One direction's body: how it is framed, and where in it we are. */
export class Bodies extends Columns {
	/** FRAMING_… */
	readonly framing = this.u8(SESSION);
	/** Bytes left of a length; of a chunk. */
	readonly left = this.f64(SESSION);
	/** Bytes of content that may still come in chunks; a length is judged when it is said. */
	readonly room = this.f64(SESSION);
	/** State of the chunk scanner. */
	readonly phase = this.u8(SESSION);
	/** Of the scanner; and behind the last chunk, how much of the end was sent. */
	readonly spent = this.u16(SESSION);
	/** What becomes of chunks, as `body.ts` has it. */
	readonly manner = this.u8(SESSION);

	begin(
		session: Session,
		framing: number,
		length: number,
		manner: number,
		most = Number.POSITIVE_INFINITY,
	): void {
		this.framing[session] = framing;
		this.left[session] = length;
		this.room[session] = most;
		this.phase[session] = 0;
		this.spent[session] = 0;
		this.manner[session] = manner;
	}
}

export class Http1Columns extends Columns {
	readonly flags = this.u16(SESSION);
	/** How far its answer has come. */
	readonly answer = this.u8(SESSION);
	readonly method = this.u8(SESSION);
	readonly status = this.u16(SESSION);
	/** Requests that this connection has had. */
	readonly requests = this.i32(SESSION);
	/** The head of a request without a body, which is taken when it is answered, so that it can be sent once more. */
	readonly headBytes = this.i32(SESSION);
	/** Where the search for a head's end goes on. */
	readonly scanned = this.i32(SESSION);
	/** When the first byte of the head at hand came; 0: none has. */
	readonly headMs = this.f64(SESSION);
	/** When the request's head was whole, and it was routed; 0: that has not come yet. */
	readonly startedMs = this.f64(SESSION);
	/** When it had been sent to its end. */
	readonly sentMs = this.f64(SESSION);
	/** Where the measuring of a request body's rate began: time, and bytes sent by then. */
	readonly rateMs = this.f64(SESSION);
	readonly rateSent = this.f64(SESSION);
	/** What is done with the request, as of the plan by which it was routed. On the heap. */
	readonly rules: (RouteRules | undefined)[];
	readonly request: Bodies;
	readonly response: Bodies;

	constructor(layout: Layout) {
		super(layout);
		this.rules = new Array<RouteRules | undefined>(layout.sessions).fill(undefined);
		this.request = new Bodies(layout);
		this.response = new Bodies(layout);
	}

	/** A connection's first request is about to be read. */
	begin(session: Session): void {
		this.requests[session] = 0;
		this.nextRequest(session);
	}

	/** So is its next one. */
	nextRequest(session: Session): void {
		this.flags[session] = 0;
		this.answer[session] = UNANSWERED;
		this.method[session] = METHOD_OTHER;
		this.status[session] = 0;
		this.headBytes[session] = 0;
		this.scanned[session] = 0;
		this.headMs[session] = 0;
		this.startedMs[session] = 0;
		this.sentMs[session] = 0;
	}

	/** What is done with the session's request, which has taken its route. */
	rulesOf(session: Session): RouteRules {
		return this.rules[session] as RouteRules; // set when it was routed
	}

	/** REQUEST_SENT or REQUEST_CUT: from here on its answer is waited for. */
	requestOver(session: Session, how: number, nowMs: number): void {
		this.set(session, how);
		this.sentMs[session] = nowMs;
	}

	/** The head of its answer has been passed on. */
	isAnswered(session: Session): boolean {
		return u8(this.answer, session) === ANSWERED;
	}

	has(session: Session, flag: number): boolean {
		return (u16(this.flags, session) & flag) !== 0;
	}

	set(session: Session, flag: number): void {
		this.flags[session] = u16(this.flags, session) | flag;
	}

	clear(session: Session, flag: number): void {
		this.flags[session] = u16(this.flags, session) & ~flag;
	}
}

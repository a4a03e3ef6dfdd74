/**
 * Where a session goes next. A step does not call the step that follows: it returns one small integer, and `road.ts` knows
 * what that means. Nothing is allocated, and no session vanishes inside a step.
 *
 *     bits    0 … 4    5 … 10            11 … 18          19 … 28
 *             where    reason            cause            status
 *             where    argument ────────────────────────────────►      (for those that need another one)
 */
export type Next = number;

/** It stays where it is: its step waits for news, for a deadline, or for another turn. */
export const STAY = 0;

// Where it can go. What each of them means, and what follows it, is in road.ts.
/** It has just been accepted, and may stay or not. */
export const ARRIVED = 16;
/** Its first bytes are looked at, once more or for the first time. */
export const SNIFF_ON = 1;
/** Its handshake is complete: what it says inside is sniffed. */
export const INSIDE = 17;
/** What it speaks is known (the argument: PROTOCOL_…): its route is looked for. */
export const ROUTE = 2;
/** The name in its hello is terminated here, by the certificate that `secures.entry` says: a handshake begins. */
export const SECURE_CLIENT = 3;
/** An address of its upstream is dialled. The argument is the reason if none is left. */
export const DIAL_ON = 4;
/** Its upstream connection did not work out, which is that address's fault: another is dialled. The argument: the reason if none is left. */
export const REDIAL = 18;
/** The upstream connection is there, and takes bytes. */
export const CONNECTED = 5;
/** It is to be spoken to through TLS. */
export const SECURE_UPSTREAM = 6;
/** The upstream can be spoken to. */
export const READY = 7;
/** Bytes pass from now on. The argument: events of the upstream connection that came with it. */
export const RELAY_ON = 8;
/** Its requests are read from now on. The argument: FIRST_HEAD, or 0 when nothing was looked at. */
export const READ_REQUESTS = 9;
/** The next request is looked at. */
export const READ_ON = 10;
/** The request at hand goes out. The argument: NEW_LINK, or 0 for a pooled connection. */
export const SEND_REQUEST = 11;
/** The upstream's answer is looked at. */
export const READ_ANSWER = 19;
/** Its line is read from now on, on which frames come. */
export const READ_FRAMES = 20;
/** It is for the hub. The argument: its route's place in the listener's plan. */
export const ASK_HUB = 21;
/** The hub takes it: from now on it is a subscriber. */
export const SUBSCRIBED = 22;
/** The hub does not take it. */
export const UNSUBSCRIBED = 23;
/** It is told why it is refused, in its own protocol. */
export const REFUSE = 12;
/** A request is answered by us, and its connection may go on. */
export const ANSWER = 13;
/** A request is answered by us, and its connection ends. */
export const LAST_ANSWER = 14;
/** It is over. */
export const END = 15;

const WHERE_MASK = 0x1f;
const ARGUMENT_SHIFT = 5;
const REASON_MASK = 0x3f;
const CAUSE_SHIFT = 11;
const CAUSE_MASK = 0xff;
const STATUS_SHIFT = 19;

/** Reasons, causes and statuses that fit. */
export const REASONS_MAX = REASON_MASK + 1;
export const CAUSES_MAX = CAUSE_MASK + 1;

export const FIRST_HEAD = 1;
export const NEW_LINK = 1;

/** One of the above with its argument. */
export function to(where: number, argument: number): Next {
	return where | (argument << ARGUMENT_SHIFT);
}

export function refuse(reason: number): Next {
	return REFUSE | (reason << ARGUMENT_SHIFT);
}

/** `cause`: of HTTP_CAUSES, what was wrong with the message; for the log. */
export function end(reason: number, cause = 0): Next {
	return END | (reason << ARGUMENT_SHIFT) | (cause << CAUSE_SHIFT);
}

export function answer(status: number, reason: number, cause = 0): Next {
	return ANSWER | (reason << ARGUMENT_SHIFT) | (cause << CAUSE_SHIFT) | (status << STATUS_SHIFT);
}

export function lastAnswer(status: number, reason: number, cause = 0): Next {
	return LAST_ANSWER | (reason << ARGUMENT_SHIFT) | (cause << CAUSE_SHIFT) | (status << STATUS_SHIFT);
}

export function whereOf(next: Next): number {
	return next & WHERE_MASK;
}

export function argumentOf(next: Next): number {
	return next >> ARGUMENT_SHIFT;
}

export function reasonOf(next: Next): number {
	return (next >> ARGUMENT_SHIFT) & REASON_MASK;
}

export function causeOf(next: Next): number {
	return (next >> CAUSE_SHIFT) & CAUSE_MASK;
}

export function statusOf(next: Next): number {
	return next >> STATUS_SHIFT;
}

/**
 * What a subscriber of a channel is sent next. All that is kept of it are a few numbers: how far it is in the channel's log, and where a
 * hole begins. What it has not had lies in the log, so a slow one costs what a quick one does.
 *
 *     channel     1  2  3  4  5  6  7  8  9          count = 9
 *     subscriber  had up to 3: behind by 6
 *
 * Where it is further behind than its outbox allows, the channel's policy decides, when it is asked what is next:
 *
 *     drop-oldest   messages are passed over until the rest fits
 *     conflate      the same, and of each key only the newest is sent at all
 *     drop-newest   what fits is sent; all that came behind it, until that is sent, is left out
 *     disconnect    it is told that it is over
 *
 * Where messages are passed over, those that were published as low go first: as long as leaving them out is enough, no other is.
 * Somebody who resumes is sent what he has missed (`replayTo`), however much it is; bounds hold behind it.
 *
 * What is left out is told, by its number: with what was sent it makes up what the channel had.
 */
import { type ChannelLog, FLAG_LOW, FLAG_SUPERSEDED, NOWHERE, type OutboxBounds } from "./log.js";

export type { OutboxBounds, SlowPolicy } from "./log.js";

/** Where a subscriber is in its channel. */
export interface Subscription {
	/** Messages of the channel that it has had, or was told that it will not have; and their bytes. */
	had: number;
	hadBytes: number;
	/** The first that it has not; NOWHERE: there was none when it was asked last. */
	position: number;
	/** With `drop-newest`: what comes from this one on is left out; 0: nothing is. */
	holeFrom: number;
	/** Up to this one bounds do not hold: it asked for them when it came, or they are known to fit. */
	replayTo: number;
}

export const NOTHING = 0;
/** The message at `position`, which may be read. */
export const SEND = 1;
/** `missed` messages are left out here. */
export const GAP = 2;
/** It is too far behind, and to be closed. */
export const OVERFLOW = 3;

/** One object serves one reactor. */
export class Delivery {
	kind = NOTHING;
	position = NOWHERE;
	missed = 0;
	/** The sequence of the last of them; or a higher one that no message of the channel behind them reaches. */
	lastMissed = 0;
	/** Messages that a newer one with the same key stands for: they are counted, and not told. */
	conflated = 0;
}

/** One that begins with what is published from now on. */
export function subscribeNow(log: ChannelLog, channel: number): Subscription {
	return {
		...{ had: log.count(channel), hadBytes: log.bytes(channel), position: NOWHERE, holeFrom: 0 },
		replayTo: 0,
	};
}

/** What somebody asks for who was here before, or who is new and wants the last message. */
export interface ReplayWish {
	/** The last that he has had; below 0: he names none. */
	readonly after: number;
	/** Without one: he begins with the newest message (1), or with none (0). */
	readonly last: 0 | 1;
	/** At most so many messages are sent again, of those that are no older. */
	readonly messages: number;
	readonly sinceMs: number;
}

/** Where such a one begins. */
export interface Replay {
	readonly subscription: Subscription;
	/** Not all that came behind `after` is there. */
	readonly isTooOld: boolean;
	/** How many messages follow at once. */
	readonly history: number;
	/** The last message that he has had, where it is there still: who resumes next may be near it. NOWHERE: it is not. */
	readonly before: number;
}

/**
 * One that begins with what it has missed, as far as that is there. `near`: some message of the channel, perhaps one that he has had:
 * then the search begins there, and not at the oldest one. Many come back at once, and all of them had nearly the same.
 */
export function subscribeFrom(
	log: ChannelLog,
	reactor: number,
	channel: number,
	{ after, last, messages, sinceMs }: ReplayWish,
	near = NOWHERE,
): Replay {
	const subscription = subscribeNow(log, channel);
	const count = subscription.had;
	let isTooOld = false;
	const start = beginSearch(log, reactor, channel, after, near);
	if (start === NOWHERE) {
		isTooOld = after >= 0 && log.goneSequence(channel) > after;
		return { subscription, isTooOld, history: 0, before: NOWHERE };
	}
	let before = NOWHERE;
	let position = start;
	while (position !== NOWHERE) {
		const index = log.index(position);
		if (index > count) break;
		if (after >= 0 && log.sequence(position) <= after) before = position;
		const isWanted = after < 0 ? index > count - last : log.sequence(position) > after;
		const isKept = index > count - messages && log.publishedMs(position) >= sinceMs;
		if (isWanted && isKept) break;
		if (isWanted && after >= 0) isTooOld = true;
		position = log.next(position);
	}
	const isThere = position !== NOWHERE && log.index(position) <= count;
	if (isThere) {
		subscription.had = log.index(position) - 1;
		subscription.hadBytes = log.bytesBefore(position);
		subscription.position = position;
		subscription.replayTo = count;
	}
	log.endRead(reactor);
	isTooOld ||= after >= 0 && log.goneSequence(channel) > after;
	return { subscription, isTooOld, history: count - subscription.had, before };
}

/** Finds where to begin, and reads from there. NOWHERE: the channel has no messages. */
function beginSearch(log: ChannelLog, reactor: number, channel: number, after: number, near: number): number {
	if (near !== NOWHERE && log.beginRead(reactor, near)) {
		if (log.sequence(near) <= after) return near;
		log.endRead(reactor);
	}
	for (;;) {
		// Who names none wants the last ones: at most one of them.
		const start = after < 0 ? log.newest(channel) : log.oldest(channel);
		if (start === NOWHERE || log.beginRead(reactor, start)) return start;
	}
}

/**
 * Finds what comes next. With SEND, the log is being read for `reactor`: behind it come `delivered`, or nothing where it could not be
 * sent, and `log.endRead` in any case. `anchor`: some message of the channel that was there lately, at which the search may begin.
 * `isFree`: it takes what it is sent, so that nothing waits for it, and its bounds do not hold.
 */
export function nextDelivery(
	log: ChannelLog,
	reactor: number,
	channel: number,
	bounds: OutboxBounds,
	subscription: Subscription,
	out: Delivery,
	anchor = NOWHERE,
	isFree = false,
): void {
	out.kind = NOTHING;
	out.missed = 0;
	out.conflated = 0;
	if (subscription.holeFrom > 0 && subscription.had + 1 >= subscription.holeFrom) {
		skipToNewest(log, reactor, channel, subscription, out);
		if (out.missed === 0) out.kind = NOTHING;
		return;
	}
	// What the log itself has dropped meanwhile is missed as well, whatever the policy is.
	if (subscription.had < log.count(channel) && log.isEmpty(channel)) {
		skipToNewest(log, reactor, channel, subscription, out);
		return;
	}
	if (!begin(log, reactor, channel, subscription, out, anchor)) return;
	const isBound = !isFree && subscription.had >= subscription.replayTo;
	if (isBound && isOver(log, channel, bounds, subscription)) {
		if (bounds.policy === "disconnect") out.kind = OVERFLOW;
		else if (bounds.policy === "drop-newest") openHole(log, channel, bounds, subscription, out);
		else passOver(log, channel, bounds, subscription, out);
	}
	if (out.kind === NOTHING && bounds.policy === "conflate") passSuperseded(log, subscription, out);
	if (out.missed > 0) out.kind = GAP;
	if (out.kind !== NOTHING || subscription.position === NOWHERE) {
		log.endRead(reactor);
		return;
	}
	out.kind = SEND;
	out.position = subscription.position;
}

/** Finds the first message that it has not had, and reads from there. False: there is none, or some are gone. */
function begin(
	log: ChannelLog,
	reactor: number,
	channel: number,
	subscription: Subscription,
	out: Delivery,
	anchor: number,
): boolean {
	if (!find(log, reactor, channel, subscription, anchor)) return false;
	const { position, had } = subscription;
	const gone = log.index(position) - 1 - had;
	if (gone === 0) return true;
	subscription.had += gone;
	subscription.hadBytes = log.bytesBefore(position);
	out.missed += gone;
	out.lastMissed = log.sequence(position) - 1;
	return true;
}

/** Sets the position to the first message that it has not had and that is there, and reads from there. False: there is none. */
function find(
	log: ChannelLog,
	reactor: number,
	channel: number,
	subscription: Subscription,
	anchor: number,
): boolean {
	for (let near = anchor; ; ) {
		let { position } = subscription;
		if (position === NOWHERE) {
			if (subscription.had >= log.count(channel)) return false;
			position = near === NOWHERE ? log.oldest(channel) : near;
		}
		if (position === NOWHERE) return false;
		if (!log.beginRead(reactor, position)) {
			subscription.position = NOWHERE;
			near = NOWHERE;
			continue;
		}
		if (log.index(position) > subscription.had + 1 && position !== log.oldest(channel)) {
			// It is behind that, and what it has not had may be there: from the oldest one on.
			log.endRead(reactor);
			subscription.position = NOWHERE;
			near = NOWHERE;
			continue;
		}
		// From the oldest one on: what it has had already is passed.
		while (position !== NOWHERE && log.index(position) <= subscription.had) position = log.next(position);
		subscription.position = position;
		if (position === NOWHERE) {
			log.endRead(reactor);
			return false;
		}
		return true;
	}
}

/** Something is missing, and is to be told first. */
export const AT_ONCE = 0;
/** Nothing is there. */
export const NEVER = Number.POSITIVE_INFINITY;

/** Whose turn it is among several subscriptions: the sequence of the message that comes next in this one, AT_ONCE or NEVER. */
export function nextSequence(
	log: ChannelLog,
	reactor: number,
	channel: number,
	subscription: Subscription,
	anchor = NOWHERE,
): number {
	if (subscription.had >= log.count(channel)) return NEVER;
	if (subscription.holeFrom > 0 && subscription.had + 1 >= subscription.holeFrom) return AT_ONCE;
	if (log.isEmpty(channel)) return AT_ONCE;
	if (!find(log, reactor, channel, subscription, anchor)) return NEVER;
	const { position, had } = subscription;
	const sequence = log.index(position) === had + 1 ? log.sequence(position) : AT_ONCE;
	log.endRead(reactor);
	return sequence;
}

function isOver(
	log: ChannelLog,
	channel: number,
	{ messages, bytes }: OutboxBounds,
	{ had, hadBytes }: Subscription,
): boolean {
	return log.count(channel) - had > messages || log.bytes(channel) - hadBytes > bytes;
}

/** Until the rest fits. */
function passOver(
	log: ChannelLog,
	channel: number,
	bounds: OutboxBounds,
	subscription: Subscription,
	out: Delivery,
): void {
	while (subscription.position !== NOWHERE && isOver(log, channel, bounds, subscription)) {
		if (!isMarked(log, subscription.position, FLAG_LOW) && fitsWithoutLow(log, channel, bounds, subscription))
			return;
		const conflates = bounds.policy === "conflate";
		if (conflates && isMarked(log, subscription.position, FLAG_SUPERSEDED)) out.conflated++;
		else {
			if (conflates && fitsConflated(log, channel, bounds, subscription)) return;
			out.missed++;
			out.lastMissed = log.sequence(subscription.position);
		}
		pass(log, subscription);
	}
}

function isMarked(log: ChannelLog, position: number, flag: number): boolean {
	return (log.flags(position) & flag) !== 0;
}

/** Leaving out what may be dropped before others is enough: it is left out when it is its turn. */
function fitsWithoutLow(
	log: ChannelLog,
	channel: number,
	{ messages, bytes }: OutboxBounds,
	{ had, hadBytes, position }: Subscription,
): boolean {
	const low = log.lowCount(channel) - log.lowBefore(position);
	const lowBytes = log.lowBytes(channel) - log.lowBytesBefore(position);
	return log.count(channel) - had - low <= messages && log.bytes(channel) - hadBytes - lowBytes <= bytes;
}

/** What a newer one stands for does not wait for anybody: the newest of each key fit, and bounds hold for what comes behind them. */
function fitsConflated(
	log: ChannelLog,
	channel: number,
	{ messages, bytes }: OutboxBounds,
	subscription: Subscription,
): boolean {
	let waiting = 0;
	let waitingBytes = 0;
	let { position } = subscription;
	for (; position !== NOWHERE; position = log.next(position)) {
		if (isMarked(log, position, FLAG_SUPERSEDED)) continue;
		waitingBytes += log.bytesSoFar(position) - log.bytesBefore(position);
		if (++waiting > messages || waitingBytes > bytes) return false;
	}
	subscription.replayTo = log.count(channel);
	return true;
}

function passSuperseded(log: ChannelLog, subscription: Subscription, out: Delivery): void {
	while (subscription.position !== NOWHERE && isMarked(log, subscription.position, FLAG_SUPERSEDED)) {
		out.conflated++;
		pass(log, subscription);
	}
}

/** What fits from here on is sent; behind it is the hole. */
function openHole(
	log: ChannelLog,
	channel: number,
	{ messages, bytes }: OutboxBounds,
	subscription: Subscription,
	out: Delivery,
): void {
	if (subscription.holeFrom > 0) return;
	const last = subscription.hadBytes + bytes;
	let { position } = subscription;
	let fits = 0;
	while (position !== NOWHERE && fits < messages && log.bytesSoFar(position) <= last) {
		fits++;
		position = log.next(position);
	}
	// All of it fits that can be seen so far: there is more, which is seen next time.
	if (position === NOWHERE && fits > 0) return;
	subscription.holeFrom = subscription.had + fits + 1;
	if (fits === 0) skipTo(log, log.newest(channel), subscription, out);
}

/** All that is there by now is left out. */
function skipToNewest(
	log: ChannelLog,
	reactor: number,
	channel: number,
	subscription: Subscription,
	out: Delivery,
): void {
	log.look();
	const newest = log.newest(channel);
	if (newest !== NOWHERE && log.beginRead(reactor, newest)) {
		skipTo(log, newest, subscription, out);
		log.endRead(reactor);
		return;
	}
	leaveOut(log.count(channel), log.bytes(channel), log.goneSequence(channel), subscription, out);
}

/** All is left out up to this one, which is the newest, and itself. It is being read. */
function skipTo(log: ChannelLog, newest: number, subscription: Subscription, out: Delivery): void {
	leaveOut(log.index(newest), log.bytesSoFar(newest), log.sequence(newest), subscription, out);
}

/** Up to the message of this index, which has that sequence. */
function leaveOut(
	index: number,
	bytes: number,
	sequence: number,
	subscription: Subscription,
	out: Delivery,
): void {
	out.missed += index - subscription.had;
	out.lastMissed = sequence;
	out.kind = GAP;
	subscription.had = index;
	subscription.hadBytes = bytes;
	subscription.position = NOWHERE;
	subscription.holeFrom = 0;
}

/** It has had the next one, which SEND told of, or will not have it. */
export function pass(log: ChannelLog, subscription: Subscription): void {
	const { position } = subscription;
	subscription.had = log.index(position);
	subscription.hadBytes = log.bytesSoFar(position);
	subscription.position = log.next(position);
}

/**
 * What a subscriber of a channel may be told next, from what was published: written from what the documents promise, and without a line
 * of what serves them.
 */
import type { ChannelLedger } from "./ledger.js";

export interface Terms {
	readonly policy: "drop-oldest" | "drop-newest" | "conflate" | "disconnect";
	readonly messages: number;
	readonly bytes: number;
	readonly paceMs: number;
}

/** What a reactor can know: what has happened by now, and up to where it has looked. */
export interface Sight {
	readonly moment: number;
	readonly seen: number;
	/** Since when, and until when. */
	readonly fromMs: number;
	untilMs: number;
}

/** Where a subscriber may be. */
export interface Place {
	/** Messages that it has had, or was told that it will not have. */
	readonly at: number;
	/** With `drop-newest`: from this one on all are left out until those before it were sent; Infinity: none is. */
	readonly hole: number;
	/** Up to there it is sent what it has asked for, and bounds do not hold. */
	readonly replayTo: number;
}

export type Outcome =
	| { readonly kind: "nothing"; readonly place: Place }
	| { readonly kind: "message"; readonly index: number; readonly place: Place }
	| { readonly kind: "gap"; readonly missed: number; readonly last: number; readonly place: Place }
	| { readonly kind: "overflow"; readonly place: Place };

export const NO_HOLE = Number.POSITIVE_INFINITY;

/** `isBound`: it has taken no more for a while, or waits for its pace, so that its outbox is what waits for it. */
export function next(
	channel: ChannelLedger,
	{ moment, seen }: Sight,
	terms: Terms,
	from: Place,
	isBound: boolean,
): Outcome {
	const { at, hole } = from;
	let { replayTo } = from;
	const count = channel.countAt(moment);
	const visible = channel.countAt(seen);
	if (at >= hole) {
		const place = { at: count, hole: NO_HOLE, replayTo };
		return count === at ? { kind: "nothing", place } : gap(count - at, count, place);
	}
	if (at >= count) return { kind: "nothing", place: from };
	const backlog = new Backlog(channel, moment, count, terms);
	let here = channel.firstThere(at, moment, count);
	// All is gone.
	if (here === count) return gap(count - at, count, { at: count, hole: NO_HOLE, replayTo });
	if (here >= visible) return { kind: "nothing", place: from };
	let missed = here - at;
	let last = here;
	let opened = hole;
	if (isBound && here >= replayTo && backlog.isOver(here)) {
		// What is gone is told before it is closed.
		if (terms.policy === "disconnect" && missed === 0) return { kind: "overflow", place: from };
		if (terms.policy === "drop-newest") {
			const end = backlog.endOfRoom(here);
			// As long as all that it has seen fits, nothing has to be left out.
			if (hole === NO_HOLE && end < visible) opened = end;
			if (opened === here && hole === NO_HOLE)
				return gap(missed + count - here, count, { at: count, hole: NO_HOLE, replayTo });
		} else if (terms.policy !== "disconnect") {
			while (here < visible && backlog.goesFirst(here)) {
				if (terms.policy !== "conflate" || !backlog.isSuperseded(here)) {
					if (terms.policy === "conflate" && backlog.newestFit(here, visible)) {
						replayTo = count;
						break;
					}
					missed++;
					last = here + 1;
				}
				here++;
			}
		}
	}
	if (terms.policy === "conflate") while (here < visible && backlog.isSuperseded(here)) here++;
	const place = { at: here, hole: opened, replayTo };
	if (missed > 0) return gap(missed, last, place);
	if (here >= visible) return { kind: "nothing", place };
	return { kind: "message", index: here, place: { at: here + 1, hole: opened, replayTo } };
}

function gap(missed: number, last: number, place: Place): Outcome {
	return { kind: "gap", missed, last, place };
}

/** What waits for one subscriber. */
class Backlog {
	readonly #channel: ChannelLedger;
	readonly #moment: number;
	readonly #count: number;
	readonly #terms: Terms;

	constructor(channel: ChannelLedger, moment: number, count: number, terms: Terms) {
		this.#channel = channel;
		this.#moment = moment;
		this.#count = count;
		this.#terms = terms;
	}

	/** What waits from `index` on is more than the outbox may have. */
	isOver(index: number): boolean {
		const { messages, bytes } = this.#terms;
		return this.#count - index > messages || this.#bytesFrom(index) > bytes;
	}

	#bytesFrom(index: number): number {
		return this.#channel.bytesBefore(this.#count) - this.#channel.bytesBefore(index);
	}

	/** It is left out: something has to be, and if only low ones have to be, it is one. */
	goesFirst(index: number): boolean {
		if (!this.isOver(index)) return false;
		if (this.#channel.messages[index]?.isLow === true) return true;
		const { messages, bytes } = this.#terms;
		const low = this.#channel.lowBefore(this.#count) - this.#channel.lowBefore(index);
		const lowBytes = this.#channel.lowBytesBefore(this.#count) - this.#channel.lowBytesBefore(index);
		return this.#count - index - low > messages || this.#bytesFrom(index) - lowBytes > bytes;
	}

	/** The newest of each key, of those that are seen, have room in the outbox. */
	newestFit(index: number, visible: number): boolean {
		const { messages, bytes } = this.#terms;
		const indexes = Array.from({ length: visible - index }, (_, each) => index + each);
		const newest = indexes.filter((each) => !this.isSuperseded(each));
		const sum = newest.reduce((total, each) => {
			const own = this.#channel.bytesBefore(each + 1) - this.#channel.bytesBefore(each);
			return total + own;
		}, 0);
		return newest.length <= messages && sum <= bytes;
	}

	isSuperseded(index: number): boolean {
		return (this.#channel.messages[index]?.supersededFrom ?? this.#moment + 1) <= this.#moment;
	}

	/** Behind those that the outbox has room for. */
	endOfRoom(index: number): number {
		const { messages, bytes } = this.#terms;
		const before = this.#channel.bytesBefore(index);
		let end = index;
		while (
			end < this.#count &&
			end - index < messages &&
			this.#channel.bytesBefore(end + 1) - before <= bytes
		)
			end++;
		return end;
	}
}

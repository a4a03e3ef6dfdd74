/** Subscribers of one channel, and what each has had of its messages, which are numbered from 1 on: in order, or told of what is missing. */
import { i32 } from "../../parts/at.js";
import type { Subscribers } from "./subscribers.js";
import type { TimedWire } from "./timed-wire.js";

/** A subscriber got a message that was not its next one. */
export type Disorder = (place: number, number: number, had: number) => void;

/** One got a message, and when it had come (NaN: not known, for another came behind it). */
export type HeardOne = (arrivedUs: number, number: number) => void;

export class Followed {
	readonly subscribers: Subscribers;
	/** By place: the last message that it has had, or was told that it misses. */
	readonly had: Int32Array;
	/** By place: messages that it got, and those that it was told that it misses. */
	readonly got: Int32Array;
	readonly missed: Int32Array;
	/** Knows when they were sent what; `null`: nobody does. */
	readonly #wire: TimedWire | null;
	readonly #disorder: Disorder;

	/** `next`: of the first message that they get. */
	constructor(subscribers: Subscribers, wire: TimedWire | null, next: number, disorder: Disorder = fail) {
		this.subscribers = subscribers;
		this.#wire = wire;
		this.#disorder = disorder;
		this.had = new Int32Array(subscribers.count).fill(next - 1);
		this.got = new Int32Array(subscribers.count);
		this.missed = new Int32Array(subscribers.count);
	}

	/** Looks at those who have not had it, and tells of each message when it came. Returns how many of those who are there have not had it now. */
	lookFor(number: number, heard: HeardOne): number {
		let missing = 0;
		for (let place = 0; place < this.subscribers.count; place++) {
			if (i32(this.had, place) >= number) continue;
			this.takeAll(place, heard);
			if (i32(this.had, place) < number && this.subscribers.isAlive(place)) missing++;
		}
		return missing;
	}

	/** All that has come to it. */
	takeAll(place: number, heard: HeardOne = () => {}): void {
		this.subscribers.sweepOne(place, (_, number, isLatest) => this.#take(place, number, isLatest, heard));
	}

	/** Up to so many bytes of it. */
	takeLittle(place: number, bytes: number): void {
		this.subscribers.sip(place, bytes, (_, number) => this.#take(place, number, false, () => {}));
	}

	/** It was told that so many are missing behind what it has had. */
	misses(place: number, count: number): void {
		this.had[place] = i32(this.had, place) + count;
		this.missed[place] = i32(this.missed, place) + count;
	}

	#take(place: number, number: number, isLatest: boolean, heard: HeardOne): void {
		const had = i32(this.had, place);
		if (number !== had + 1) this.#disorder(place, number, had);
		this.had[place] = number;
		this.got[place] = i32(this.got, place) + 1;
		heard((isLatest ? this.#wire?.arrivedUs : undefined) ?? Number.NaN, number);
	}
}

function fail(place: number, number: number, had: number): never {
	throw new Error(`subscriber ${place} got message ${number} behind ${had}`);
}

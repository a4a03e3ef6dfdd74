/**
 * Who is subscribed to what, in this reactor: one row for each, which is in two lists, its channel's and its session's. Rows are
 * columns over memory that grows as it is needed; nothing of a subscription is a JavaScript object.
 */
import type { Subscription } from "../../../channels/subscription.js";
import { f64, i32 } from "../../../parts/at.js";
import { NONE, type Session } from "../../table/numbers.js";

/** So many that each column is mapped by itself (malloc does so from 128 KiB on), and a page of it is there once a row of it is written. */
const FIRST_ROWS = 65_536;

export class Subscriptions {
	#rows = 0;
	#top = 0;
	#free: number = NONE;
	/** How many there are. */
	count = 0;

	session = new Int32Array(0);
	channel = new Int32Array(0);
	/** Neighbours in its channel's list; the next one of its session's. In the list of free rows, `next` is the next one. */
	next = new Int32Array(0);
	previous = new Int32Array(0);
	nextOfSession = new Int32Array(0);
	/** Where it is in its channel (`channels/subscription.ts`). */
	had = new Float64Array(0);
	hadBytes = new Float64Array(0);
	position = new Float64Array(0);
	holeFrom = new Float64Array(0);
	replayTo = new Float64Array(0);
	/** When its next message may go, where its channel paces them. */
	dueMs = new Float64Array(0);

	/** A row for this one. */
	take(session: Session, channel: number, at: Subscription): number {
		let row = this.#free;
		if (row !== NONE) this.#free = i32(this.next, row);
		else {
			if (this.#top === this.#rows) this.#grow();
			row = this.#top++;
		}
		this.count++;
		this.session[row] = session;
		this.channel[row] = channel;
		this.dueMs[row] = 0;
		this.store(row, at);
		return row;
	}

	give(row: number): void {
		this.session[row] = NONE;
		this.next[row] = this.#free;
		this.#free = row;
		this.count--;
	}

	load(row: number, into: Subscription): void {
		into.had = f64(this.had, row);
		into.hadBytes = f64(this.hadBytes, row);
		into.position = f64(this.position, row);
		into.holeFrom = f64(this.holeFrom, row);
		into.replayTo = f64(this.replayTo, row);
	}

	store(row: number, { had, hadBytes, position, holeFrom, replayTo }: Subscription): void {
		this.had[row] = had;
		this.hadBytes[row] = hadBytes;
		this.position[row] = position;
		this.holeFrom[row] = holeFrom;
		this.replayTo[row] = replayTo;
	}

	#grow(): void {
		const rows = Math.max(FIRST_ROWS, 2 * this.#rows);
		this.session = moreInts(this.session, rows);
		this.channel = moreInts(this.channel, rows);
		this.next = moreInts(this.next, rows);
		this.previous = moreInts(this.previous, rows);
		this.nextOfSession = moreInts(this.nextOfSession, rows);
		this.had = moreDoubles(this.had, rows);
		this.hadBytes = moreDoubles(this.hadBytes, rows);
		this.position = moreDoubles(this.position, rows);
		this.holeFrom = moreDoubles(this.holeFrom, rows);
		this.replayTo = moreDoubles(this.replayTo, rows);
		this.dueMs = moreDoubles(this.dueMs, rows);
		this.#rows = rows;
	}
}

function moreInts(before: Int32Array, rows: number): Int32Array<ArrayBuffer> {
	const more = new Int32Array(rows);
	more.set(before);
	return more;
}

function moreDoubles(before: Float64Array, rows: number): Float64Array<ArrayBuffer> {
	const more = new Float64Array(rows);
	more.set(before);
	return more;
}

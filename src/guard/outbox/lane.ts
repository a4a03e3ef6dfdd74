/**
 * A line of messages, from which any can be taken out.
 *
 *     first ⇄ entry ⇄ entry ⇄ last      each entry knows what was lost right before it;
 *                                  lost  what was lost after the last one waits here for whoever comes next
 */
import type { Message } from "./message.js";

/** So many messages and bytes. */
export interface Tally {
	messages: number;
	bytes: number;
}

/** A message in a line. */
export interface Entry {
	message: Message;
	/** For the policy `conflate`; `undefined`: it replaces nothing. */
	readonly key: unknown;
	/** What became of it, as `send` tells. */
	result: "sent" | "queued" | "dropped" | "closed";
	/** What would have been sent between the one before and this one. */
	lost: Tally | undefined;
	/** The line that it stands in. */
	lane: Lane;
	next: Entry | undefined;
	previous: Entry | undefined;
}

/** A line. It counts what stands in it. */
export class Lane {
	first: Entry | undefined;
	last: Entry | undefined;
	size = 0;
	bytes = 0;
	#lost: Tally | undefined;

	/** A new one at the end. What was lost before it goes with it. */
	push(message: Message, key: unknown): Entry {
		const entry: Entry = {
			message,
			key,
			result: "queued",
			lost: this.#lost,
			lane: this,
			next: undefined,
			previous: undefined,
		};
		this.#lost = undefined;
		this.append(entry);
		return entry;
	}

	/** One that stands in no other line. */
	append(entry: Entry): void {
		entry.lane = this;
		entry.previous = this.last;
		entry.next = undefined;
		if (this.last === undefined) this.first = entry;
		else this.last.next = entry;
		this.last = entry;
		this.size++;
		this.bytes += entry.message.bytes;
	}

	/** Takes one out, with what was lost before it: that is the caller's to tell or to pass on. */
	remove(entry: Entry): void {
		if (entry.previous === undefined) this.first = entry.next;
		else entry.previous.next = entry.next;
		if (entry.next === undefined) this.last = entry.previous;
		else entry.next.previous = entry.previous;
		entry.next = undefined;
		entry.previous = undefined;
		this.size--;
		this.bytes -= entry.message.bytes;
	}

	/** Another message in its place. */
	replace(entry: Entry, message: Message): void {
		this.bytes += message.bytes - entry.message.bytes;
		entry.message = message;
	}

	/** Something is lost right before `entry`, or after the last one. */
	lose({ messages, bytes }: Readonly<Tally>, entry: Entry | undefined): void {
		const lost = (entry === undefined ? this.#lost : entry.lost) ?? { messages: 0, bytes: 0 };
		lost.messages += messages;
		lost.bytes += bytes;
		if (entry === undefined) this.#lost = lost;
		else entry.lost = lost;
	}
}

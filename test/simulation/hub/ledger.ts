/** What was published, noted as it happens: what subscribers are told is held against this. It knows nothing of how they are served. */

/** A message of a channel. */
export interface Published {
	readonly channel: ChannelLedger;
	/** Which one of its channel it is, from 0 on; of all times, also when the hub has forgotten the channel meanwhile. */
	readonly index: number;
	readonly sequence: number;
	readonly key: string | undefined;
	readonly isLow: boolean;
	readonly data: string | Uint8Array;
	readonly bytes: number;
	/** Where in the log it lies. */
	readonly position: number;
	readonly publishedMs: number;
	/** The moment from which on it was there; and the one from which on a newer one has its key. */
	readonly moment: number;
	supersededFrom: number;
}

/** Between two things that happen to the log. */
interface Moment {
	/** What is before it is gone. */
	readonly tail: number;
}

export interface NewMessage {
	readonly sequence: number;
	readonly key: string | undefined;
	readonly isLow: boolean;
	readonly data: string | Uint8Array;
	readonly position: number;
	readonly tail: number;
	readonly nowMs: number;
}

export class ChannelLedger {
	readonly name: string;
	readonly messages: Published[] = [];
	/** Bytes of all messages before each, and how many of them are low, and their bytes. */
	readonly #bytes: number[] = [0];
	readonly #low: number[] = [0];
	readonly #lowBytes: number[] = [0];
	readonly #ledger: Ledger;

	constructor(ledger: Ledger, name: string) {
		this.#ledger = ledger;
		this.name = name;
	}

	add(message: Published): void {
		const { index, bytes, isLow } = message;
		this.messages.push(message);
		this.#bytes.push(this.bytesBefore(index) + bytes);
		this.#low.push(this.lowBefore(index) + (isLow ? 1 : 0));
		this.#lowBytes.push(this.lowBytesBefore(index) + (isLow ? bytes : 0));
	}

	bytesBefore(index: number): number {
		return this.#bytes[index] ?? 0;
	}

	lowBefore(index: number): number {
		return this.#low[index] ?? 0;
	}

	lowBytesBefore(index: number): number {
		return this.#lowBytes[index] ?? 0;
	}

	/** How many there were. */
	countAt(moment: number): number {
		let low = 0;
		let high = this.messages.length;
		while (low < high) {
			const middle = (low + high) >> 1;
			if ((this.messages[middle]?.moment ?? 0) <= moment) low = middle + 1;
			else high = middle;
		}
		return low;
	}

	/** The first of those from `index` on that was in the log; as many as there were: none was. */
	firstThere(index: number, moment: number, count: number): number {
		const tail = this.#ledger.tailAt(moment);
		let first = index;
		while (first < count && (this.messages[first]?.position ?? 0) < tail) first++;
		return first;
	}

	/** The sequence of a message; before the first one 0, and behind the last one Infinity. */
	sequenceOf(index: number): number {
		return index < 0 ? 0 : (this.messages[index]?.sequence ?? Number.POSITIVE_INFINITY);
	}

	/** How many have a sequence up to this. */
	countUpTo(sequence: number): number {
		let count = 0;
		while (count < this.messages.length && this.sequenceOf(count) <= sequence) count++;
		return count;
	}
}

export class Ledger {
	readonly channels = new Map<string, ChannelLedger>();
	readonly messages = new Map<number, Published>();
	readonly #moments: Moment[] = [{ tail: 0 }];
	readonly #newest = new Map<string, Published>();
	/** Something has happened to the log. */
	changed: () => void = () => {};

	/** The one of now. */
	get moment(): number {
		return this.#moments.length - 1;
	}

	tailAt(moment: number): number {
		return this.#moments[moment]?.tail ?? 0;
	}

	channel(name: string): ChannelLedger {
		const there = this.channels.get(name);
		if (there !== undefined) return there;
		const channel = new ChannelLedger(this, name);
		this.channels.set(name, channel);
		return channel;
	}

	published(name: string, { sequence, key, isLow, data, position, tail, nowMs }: NewMessage): void {
		const channel = this.channel(name);
		this.#moments.push({ tail });
		const message: Published = {
			...{ channel, index: channel.messages.length, sequence, key, isLow, data, position },
			...{ publishedMs: nowMs, moment: this.moment, supersededFrom: Number.POSITIVE_INFINITY },
			bytes: typeof data === "string" ? Buffer.byteLength(data) : data.length,
		};
		channel.add(message);
		this.messages.set(sequence, message);
		if (key !== undefined) {
			const of = `${name} ${key}`;
			const before = this.#newest.get(of);
			if (before !== undefined) before.supersededFrom = this.moment;
			this.#newest.set(of, message);
		}
		this.changed();
	}

	/** The oldest messages were forgotten. */
	forgot(tail: number): void {
		if (tail === this.tailAt(this.moment)) return;
		this.#moments.push({ tail });
		this.changed();
	}
}

/** The same message to many outboxes. */
import { Message, type MessageData } from "./message.js";
import type { SendOptions } from "./options.js";
import type { Outbox } from "./queue.js";

/** What became of messages, counted per outbox. */
export interface BroadcastCounts {
	/** With the socket. */
	readonly delivered: number;
	/** Waiting in the outbox. */
	readonly queued: number;
	/** Lost: there was no room, the message was too large, or the outbox was closed by it. */
	readonly dropped: number;
}

/** One send under way. */
interface Round {
	readonly members: Iterator<[Outbox, Member]>;
	readonly message: Message;
	readonly options: SendOptions;
	/** Those who came later do not get it. */
	readonly number: number;
	delivered: number;
	queued: number;
	dropped: number;
	/** What members' callbacks threw. It is the error of whoever began this send, also where another one finishes it. */
	readonly errors: unknown[];
}

interface Member {
	/** The last round before it came. */
	readonly since: number;
	/** Cancels the listener on its outbox. */
	leave(): void;
}

/**
 * A set of outboxes that get the same messages, each encoded once. A peer that does not read fills and empties its own outbox and
 * nothing else; one that closes leaves by itself.
 *
 *     const topic = new Broadcast();
 *     topic.add(new Outbox(socket));
 *     const { delivered, queued, dropped } = topic.send("news");
 *
 * Outboxes may be added, removed and closed while something is sent, and more may be sent: each member gets what was sent first
 * first.
 */
export class Broadcast implements Disposable {
	readonly #members = new Map<Outbox, Member>();
	#round: Round | undefined;
	#rounds = 0;
	#delivered = 0;
	#queued = 0;
	#dropped = 0;

	/** Outboxes in it. */
	get size(): number {
		return this.#members.size;
	}

	/** What became of all messages so far, at the time when they were sent. */
	get counts(): BroadcastCounts {
		return { delivered: this.#delivered, queued: this.#queued, dropped: this.#dropped };
	}

	/** Adds an outbox, until it is closed. False: it is closed, or there already. */
	add(outbox: Outbox): boolean {
		if (outbox.isClosed || this.#members.has(outbox)) return false;
		const leave = outbox.onClose(() => this.#members.delete(outbox));
		this.#members.set(outbox, { since: this.#rounds, leave });
		return true;
	}

	/** Takes an outbox out, and leaves it open. False: it was not there. */
	delete(outbox: Outbox): boolean {
		this.#members.get(outbox)?.leave();
		return this.#members.delete(outbox);
	}

	/** Whether an outbox is in it. */
	has(outbox: Outbox): boolean {
		return this.#members.has(outbox);
	}

	/**
	 * Sends a message to all who are there. What an outbox's own callbacks throw is thrown when the others have it: the first error
	 * of them.
	 */
	send(data: Message | MessageData, options: SendOptions = {}): BroadcastCounts {
		const before = this.#round;
		// Called from within another send: that one comes first, for every member.
		if (before !== undefined) this.#finish(before);
		const round: Round = {
			members: this.#members[Symbol.iterator](),
			message: Message.from(data),
			options,
			number: ++this.#rounds,
			delivered: 0,
			queued: 0,
			dropped: 0,
			errors: [],
		};
		this.#round = round;
		this.#finish(round);
		this.#round = before;
		this.#delivered += round.delivered;
		this.#queued += round.queued;
		this.#dropped += round.dropped;
		if (round.errors.length > 0) throw round.errors[0];
		return { delivered: round.delivered, queued: round.queued, dropped: round.dropped };
	}

	/** Takes all outboxes out, and leaves them open. */
	clear(): void {
		for (const outbox of [...this.#members.keys()]) this.delete(outbox);
	}

	/** The same as `clear`, for `using`. */
	[Symbol.dispose](): void {
		this.clear();
	}

	#finish(round: Round): void {
		for (let next = round.members.next(); !next.done; next = round.members.next()) {
			const [outbox, { since }] = next.value;
			if (since >= round.number) continue;
			try {
				sendTo(outbox, round);
			} catch (error) {
				round.errors.push(error);
			}
		}
	}
}

function sendTo(outbox: Outbox, round: Round): void {
	switch (outbox.send(round.message, round.options)) {
		case "sent":
			round.delivered++;
			break;
		case "queued":
			round.queued++;
			break;
		default:
			round.dropped++;
	}
}

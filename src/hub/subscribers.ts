/**
 * Subscribers, as the main thread has them: it says who may come, and answers what they say. Of one who has shown no token it keeps
 * nothing but his channels' counts; of the others, what their tokens allow.
 */
import { CLOSE_NO_CHANNEL, CLOSE_OPERATOR } from "../channels/close-codes.js";
import type { HubNews } from "../channels/orders.js";
import { FRAMED } from "../channels/protocols.js";
import { Arrivals } from "./arrivals.js";
import type { Channel } from "./channel.js";
import { Conversations } from "./conversations.js";
import { Members } from "./members.js";
import type { SubscribersContext } from "./subscribers-context.js";

export interface SubscribersOptions extends SubscribersContext {
	/** Something went wrong that nobody foresaw. */
	readonly fault: (error: unknown) => void;
	/** Which reactor has a session of this number, and where; `undefined`: it does not live. */
	readonly find: (session: number) => { readonly reactor: number; readonly row: number } | undefined;
}

/** What is done for one session, one thing after the other. */
interface Turns {
	last: Promise<void>;
	/** It has ended: what waits is not done any more, because nobody would forget what comes of it. */
	isOver: boolean;
}

/** A reactor answers within a turn. */
const UNSUBSCRIBE_MS = 1_000;

export class Subscribers {
	readonly #options: SubscribersOptions;
	readonly #members: Members;
	readonly #arrivals: Arrivals;
	readonly #conversations: Conversations;
	/** What is being done for sessions, where that takes time: the next thing waits for it. */
	readonly #pending = new Map<number, Turns>();
	/** Who waits to hear that a subscription was taken away. */
	readonly #waiting = new Map<string, ((was: boolean) => void)[]>();

	constructor(options: SubscribersOptions) {
		this.#options = options;
		this.#members = new Members(options);
		this.#arrivals = new Arrivals(options, this.#members);
		this.#conversations = new Conversations(options, this.#members);
	}

	/** Sessions of which something is kept here. */
	get count(): number {
		return this.#members.count;
	}

	/** What a reactor says of subscribers. */
	heard(reactor: number, items: readonly HubNews[]): void {
		for (const item of items)
			switch (item.kind) {
				case "asks":
					this.#comes(reactor, item);
					break;
				case "says":
					this.#inTurn(item.number, () => this.#conversations.says(reactor, item));
					break;
				case "unsubscribed":
					this.#leaves(reactor, item.number, item.channel, item.wasSo === true);
					this.#wasUnsubscribed(item.number, item.channel, true);
					break;
				case "left":
					this.#left(reactor, item.number, item.channels);
			}
	}

	/** The configuration has these channels no more. */
	drop(channels: readonly Channel[]): void {
		const taken = { code: CLOSE_NO_CHANNEL, reason: "there is no such channel any more" };
		for (const { number, name, subscribers } of channels)
			for (const [reactor, count] of subscribers.entries())
				if (count > 0) this.#options.tell(reactor, [{ kind: "drop", channel: number, name, taken }]);
	}

	/** Other keys are in force: whoever came with a token of none of them ends. Returns how many. */
	keysChanged(): number {
		return this.#members.revoke();
	}

	/** Takes a subscription away. False: there is none. */
	unsubscribe(session: number, channel: Channel): Promise<boolean> {
		const place = this.#options.find(session);
		if (place === undefined) return Promise.resolve(false);
		const key = `${session} ${channel.number}`;
		this.#options.tell(place.reactor, [
			{
				...{
					kind: "unsubscribe",
					row: place.row,
					number: session,
					channel: channel.number,
					name: channel.name,
				},
				...{ taken: { code: CLOSE_OPERATOR, reason: "an operator has unsubscribed it" }, isAnswer: false },
			},
		]);
		return new Promise((resolve) => {
			const timer = setTimeout(() => this.#wasUnsubscribed(session, channel.number, false), UNSUBSCRIBE_MS);
			const others = this.#waiting.get(key) ?? [];
			this.#waiting.set(key, [
				...others,
				(was) => {
					clearTimeout(timer);
					resolve(was);
				},
			]);
		});
	}

	close(): void {
		this.#members.close();
		for (const tell of [...this.#waiting.values()].flat()) tell(false);
		this.#waiting.clear();
	}

	#wasUnsubscribed(session: number, channel: number, was: boolean): void {
		const key = `${session} ${channel}`;
		const waiting = this.#waiting.get(key) ?? [];
		this.#waiting.delete(key);
		for (const tell of waiting) tell(was);
	}

	#comes(reactor: number, asks: Extract<HubNews, { kind: "asks" }>): void {
		if (asks.head === null) this.#conversations.speaks(asks.number, FRAMED);
		this.#inTurn(asks.number, () => this.#arrivals.asks(reactor, asks));
	}

	#leaves(reactor: number, number: number, channelNumber: number, stays: boolean): void {
		const channel = this.#options.hub.channelsThere.numbered(channelNumber);
		if (channel === undefined) return;
		channel.subscribers[reactor] = Math.max(0, (channel.subscribers[reactor] ?? 0) - 1);
		if (!stays) this.#members.leaves(number, channel);
	}

	#left(reactor: number, number: number, channels: readonly number[]): void {
		const turns = this.#pending.get(number);
		if (turns !== undefined) turns.isOver = true;
		this.#pending.delete(number);
		for (const channel of channels) this.#leaves(reactor, number, channel, false);
		this.#arrivals.forget(number);
		this.#conversations.forget(number);
		this.#members.forget(number);
	}

	/** What a session says is done one thing after the other, also where one of them takes time. */
	#inTurn(number: number, task: () => void | Promise<void>): void {
		const before = this.#pending.get(number);
		const mine = before === undefined ? task() : before.last.then(() => (before.isOver ? undefined : task()));
		if (mine === undefined) return;
		const turns = before ?? { last: mine, isOver: false };
		const done = mine.catch(this.#options.fault).then(() => {
			if (turns.last === done) this.#pending.delete(number);
		});
		turns.last = done;
		this.#pending.set(number, turns);
	}
}

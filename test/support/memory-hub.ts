/** A hub in memory, of channels that a test says: what asks for one is tried without a gateway. */
import { ChannelPattern, formatId, isChannelName, parseId } from "../../src/channels/names.js";
import {
	type ChannelView,
	type HistoryMessage,
	type HistoryOptions,
	type HubDesk,
	type HubFollower,
	type HubHistory,
	type HubPresence,
	type HubPublication,
	HubRefusal,
} from "../../src/hub/desk.js";

export interface MemoryHubOptions {
	/** Patterns of channels. */
	readonly match?: readonly string[];
	readonly messageBytesMax?: number;
	/** Messages that each channel keeps. */
	readonly replay?: number;
	/** Messages that may be published at all; further ones are refused by rate. */
	readonly quota?: number;
	readonly epoch?: number;
}

interface Kept {
	readonly sequence: number;
	readonly message: HistoryMessage;
}

class MemoryChannel {
	/** Sessions, and who they are. */
	readonly subscribers = new Map<number, string>();
	readonly followers = new Set<HubFollower>();
	readonly messages: Kept[] = [];
	published = 0;
	/** Of the newest message that is kept no more. */
	lost = 0;
}

export class MemoryHub implements HubDesk {
	readonly messageBytesMax: number;
	readonly #patterns: readonly string[];
	readonly #replay: number;
	readonly #epoch: number;
	readonly #channels = new Map<string, MemoryChannel>();
	#quota: number;
	#sequence = 0;

	constructor({
		match = ["**"],
		messageBytesMax = 65_536,
		replay = 1_000,
		...options
	}: MemoryHubOptions = {}) {
		this.messageBytesMax = messageBytesMax;
		this.#patterns = match;
		this.#replay = replay;
		this.#epoch = options.epoch ?? 1;
		this.#quota = options.quota ?? Number.POSITIVE_INFINITY;
	}

	// What a test does as the network.

	subscribe(name: string, session: number, who: string): void {
		this.#channelOf(name).subscribers.set(session, who);
	}

	/** As a drain does. */
	end(reason: string): void {
		for (const channel of this.#channels.values())
			for (const follower of [...channel.followers]) {
				channel.followers.delete(follower);
				follower.ended?.(reason);
			}
	}

	followersOf(name: string): number {
		return this.#channels.get(name)?.followers.size ?? 0;
	}

	// What is asked of a hub.

	publish(name: string, { data, key }: HubPublication): { readonly id: string } {
		const channel = this.#channelOf(name);
		if (Buffer.byteLength(data) > this.messageBytesMax)
			throw new HubRefusal("too_large", `a message may have ${this.messageBytesMax} bytes`);
		if (this.#quota === 0) throw new HubRefusal("limit_rate", `${name} has had as many messages as it may`);
		this.#quota--;
		const sequence = ++this.#sequence;
		const message: HistoryMessage = {
			...{ channel: name, id: this.#idOf(sequence), ...(key === undefined ? {} : { key }) },
			...(typeof data === "string" ? { data } : { base64: Buffer.from(data).toString("base64") }),
			publishedMs: Date.UTC(2026, 10, 29, 12) + sequence,
		};
		channel.published++;
		channel.messages.push({ sequence, message });
		while (channel.messages.length > this.#replay) channel.lost = channel.messages.shift()?.sequence ?? 0;
		for (const follower of [...channel.followers]) follower.heard(message);
		return { id: message.id };
	}

	channels(): readonly ChannelView[] {
		return [...this.#channels.keys()].sort().flatMap((name) => this.channel(name) ?? []);
	}

	channel(name: string): ChannelView | undefined {
		const channel = this.#channels.get(name);
		if (channel === undefined || (channel.published === 0 && channel.subscribers.size === 0))
			return undefined;
		return {
			...{
				name,
				match: this.#matchOf(name) ?? "",
				policy: "drop-oldest",
				subscribers: channel.subscribers.size,
			},
			...{ published: channel.published, replayable: channel.messages.length },
			lastId: channel.messages.at(-1)?.message.id ?? null,
		};
	}

	history(name: string, { limit, bytes = Number.POSITIVE_INFINITY, after }: HistoryOptions): HubHistory {
		const { messages, lost } = this.#channelOf(name);
		const fits = within(limit, bytes);
		if (after === undefined)
			return {
				messages: messages
					.map(({ message }) => message)
					.reverse()
					.filter(fits)
					.reverse(),
				tooOld: false,
			};
		const id = parseId(after);
		if (id === undefined) throw new HubRefusal("bad_message", `"${after}" is no message's id`);
		if (id.epoch !== this.#epoch) return { messages: [], tooOld: true };
		const newer = messages.filter(({ sequence }) => sequence > id.sequence).map(({ message }) => message);
		return { messages: newer.filter(fits), tooOld: id.sequence < lost };
	}

	presence(name: string): HubPresence {
		const { subscribers } = this.#channelOf(name);
		return { count: subscribers.size, who: [...new Set(subscribers.values())] };
	}

	follow(name: string, follower: HubFollower): () => void {
		const { followers } = this.#channelOf(name);
		followers.add(follower);
		return () => void followers.delete(follower);
	}

	async unsubscribe(session: number, name: string): Promise<boolean> {
		return this.#channelOf(name).subscribers.delete(session);
	}

	#idOf(sequence: number): string {
		return formatId({ epoch: this.#epoch, sequence });
	}

	#matchOf(name: string): string | undefined {
		return this.#patterns.find((pattern) => ChannelPattern.parse(pattern)?.matches(name));
	}

	#channelOf(name: string): MemoryChannel {
		if (!isChannelName(name)) throw new HubRefusal("bad_channel", `"${name}" is no name of a channel`);
		if (this.#matchOf(name) === undefined)
			throw new HubRefusal("no_channel", `no channel of the configuration matches ${name}`);
		const channel = this.#channels.get(name) ?? new MemoryChannel();
		this.#channels.set(name, channel);
		return channel;
	}
}

/** One after the other, for as long as they fit; one does in any case. */
function within(limit: number, bytes: number): (message: HistoryMessage) => boolean {
	let count = 0;
	let sum = 0;
	return ({ data, base64 }) => {
		count++;
		sum += data === undefined ? Buffer.byteLength(base64 ?? "", "base64") : Buffer.byteLength(data);
		return count <= limit && (count === 1 || sum <= bytes);
	};
}

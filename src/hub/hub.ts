/**
 * The hub, on the main thread: it gives each message its id, appends it to the log that all reactors read, and wakes those that have
 * subscribers of its channel. Where those are, and how far behind, it does not know: that is the reactors' (`reactor/modes/hub/`).
 */
import { encodeMessage } from "../channels/encode.js";
import { HubFigures } from "../channels/figures.js";
import { ChannelLog, FLAG_BINARY, FLAG_LOW } from "../channels/log.js";
import { formatId } from "../channels/names.js";
import type { HubMemory, HubSettings } from "../channels/orders.js";
import type { HubChannelConfig, HubConfig } from "../config/config.js";
import type { Channel } from "./channel.js";
import { Channels } from "./channels.js";
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
} from "./desk.js";
import { countHistory, readHistory, toldAs } from "./history.js";
import { saidBytesMax } from "./said.js";

/** How often channels of which nothing is left are forgotten, and messages that nobody may resume from. */
const SWEEP_MS = 10_000;

/** Bytes that a key may have. */
const KEY_MAX_BYTES = 256;

export interface HubOptions {
	readonly config: HubConfig;
	readonly reactors: number;
	/** The reactors' clock, in milliseconds, and Unix time. */
	readonly now: () => number;
	readonly unixNow: () => number;
	/** A reactor is to look at the log. */
	readonly wake: (reactor: number) => void;
	/** A session's subscription is to be taken away. False: it has none. */
	readonly unsubscribe: (session: number, channel: Channel) => Promise<boolean>;
}

export class Hub implements HubDesk {
	readonly memory: HubMemory;
	readonly log: ChannelLog;
	readonly channelsThere: Channels;
	/** By reactor. */
	readonly figures: readonly HubFigures[];
	readonly #options: HubOptions;
	#config: HubConfig;
	#sequence = 0;
	readonly #sweeping: NodeJS.Timeout;
	#isClosed = false;

	constructor(options: HubOptions) {
		const { config, reactors, now, unixNow } = options;
		this.#options = options;
		this.#config = config;
		const sizes = { bytes: config.memoryBytes, channels: config.limits.channels, reactors };
		this.log = new ChannelLog(sizes);
		const figures = new SharedArrayBuffer(HubFigures.bytesFor(reactors));
		this.figures = Array.from({ length: reactors }, (_, reactor) => new HubFigures(figures, reactor));
		// A later start has a higher one: an id of before is recognised by it.
		this.memory = { sizes, epoch: Math.floor(unixNow()), log: this.log.buffer, figures };
		this.channelsThere = new Channels(this.log, reactors, config, now);
		this.#sweeping = setInterval(() => this.#sweep(), SWEEP_MS).unref();
	}

	get config(): HubConfig {
		return this.#config;
	}

	get settings(): HubSettings {
		const { heartbeatMs, deadAfterMs, retryMs, limits } = this.#config;
		return {
			...{ heartbeatMs, deadAfterMs, retryMs },
			...{ messageBytes: saidBytesMax(limits.messageBytes), subscriptions: limits.subscriptions },
		};
	}

	/** A reload. Returns channels that the configuration has no more. */
	use(config: HubConfig): readonly Channel[] {
		this.#config = config;
		const gone = this.channelsThere.use(config.channels);
		for (const channel of gone) endFollowers(channel, "the configuration has this channel no more");
		return gone;
	}

	/** Nothing follows it any more. */
	close(reason: string): void {
		if (this.#isClosed) return;
		this.#isClosed = true;
		clearInterval(this.#sweeping);
		for (const channel of this.channelsThere) endFollowers(channel, reason);
	}

	get messageBytesMax(): number {
		return this.#config.limits.messageBytes;
	}

	/** What holds for a channel of this name. @throws HubRefusal */
	configOf(name: string): HubChannelConfig {
		return this.channelsThere.configOf(name);
	}

	publish(name: string, { data, key, priority }: HubPublication): { readonly id: string } {
		const payloadBytes = typeof data === "string" ? Buffer.byteLength(data) : data.length;
		const { messageBytes } = this.#config.limits;
		if (payloadBytes > messageBytes)
			throw new HubRefusal(
				"too_large",
				`a message has ${messageBytes} bytes at most (hub.limits.message), and this one ${payloadBytes}`,
			);
		if (key !== undefined && (key === "" || Buffer.byteLength(key) > KEY_MAX_BYTES))
			throw new HubRefusal("bad_message", `a key has 1 to ${KEY_MAX_BYTES} bytes`);
		const nowMs = this.#options.now();
		const channel = this.channelsThere.open(name);
		if (!channel.mayPublish(nowMs))
			throw new HubRefusal(
				"limit_rate",
				`more is published to this channel than its publish_per_second, ${channel.config.publishPerSecond}, allows: try again later`,
			);
		const id = { epoch: this.memory.epoch, sequence: this.#sequence + 1 };
		const encodings = encodeMessage({ channel: name, id, data, ...(key === undefined ? {} : { key }) });
		if (encodings.reduce((sum, { length }) => sum + length, 0) > this.log.encodedMax)
			throw new HubRefusal("too_large", "the message is too large for hub.memory: give it more");
		this.#sequence++;
		const flags = (priority === "low" ? FLAG_LOW : 0) | (typeof data === "string" ? 0 : FLAG_BINARY);
		const position = this.log.append(channel.number, id.sequence, nowMs, flags, payloadBytes, encodings);
		if (key !== undefined) {
			const before = channel.keyed(key, position, this.log.tail);
			if (before !== undefined) this.log.supersede(before);
		}
		channel.published++;
		channel.lastSequence = id.sequence;
		this.channelsThere.countPublished(channel);
		for (const [reactor, count] of channel.subscribers.entries())
			if (count > 0 && this.log.isToWake(reactor)) this.#options.wake(reactor);
		if (channel.followers.size > 0) {
			const told = toldAs(name, formatId(id), key, data, this.#options.unixNow());
			for (const follower of channel.followers) follower.heard(told);
		}
		return { id: formatId(id) };
	}

	channels(): readonly ChannelView[] {
		return [...this.channelsThere]
			.map((channel) => this.#viewOf(channel))
			.filter((view) => view !== undefined)
			.sort((one, other) => (one.name < other.name ? -1 : 1));
	}

	channel(name: string): ChannelView | undefined {
		const channel = this.channelsThere.get(name);
		return channel === undefined ? undefined : this.#viewOf(channel);
	}

	history(name: string, options: HistoryOptions): HubHistory {
		const config = this.configOf(name);
		const channel = this.channelsThere.get(name);
		return readHistory(this.log, channel, config, options, {
			epoch: this.memory.epoch,
			nowMs: this.#options.now(),
			unixMs: this.#options.unixNow(),
			forgotten: this.channelsThere.forgotten,
		});
	}

	presence(name: string): HubPresence {
		const config = this.configOf(name);
		const channel = this.channelsThere.get(name);
		const count = channel?.subscriberCount ?? 0;
		if (config.presence !== "who") return { count };
		return { count, who: [...(channel?.who.keys() ?? [])].slice(0, this.#config.limits.presence) };
	}

	follow(name: string, follower: HubFollower): () => void {
		const channel = this.channelsThere.open(name);
		channel.followers.add(follower);
		return () => void channel.followers.delete(follower);
	}

	unsubscribe(session: number, name: string): Promise<boolean> {
		const channel = this.channelsThere.get(name);
		return channel === undefined ? Promise.resolve(false) : this.#options.unsubscribe(session, channel);
	}

	#viewOf(channel: Channel): ChannelView | undefined {
		const { name, config, published, lastSequence, subscriberCount: subscribers } = channel;
		if (subscribers === 0 && published === 0) return undefined;
		return {
			...{ name, match: config.match, policy: config.policy, subscribers, published },
			replayable: countHistory(this.log, channel, config, this.#options.now()),
			lastId: lastSequence === 0 ? null : formatId({ epoch: this.memory.epoch, sequence: lastSequence }),
		};
	}

	#sweep(): void {
		const longestMs = this.#config.channels.reduce((most, { replay }) => Math.max(most, replay.ageMs), 0);
		this.log.forgetBefore(this.#options.now() - longestMs);
		this.channelsThere.sweep();
	}
}

function endFollowers(channel: Channel, reason: string): void {
	const followers = [...channel.followers];
	channel.followers.clear();
	for (const follower of followers) follower.ended?.(reason);
}

export type { HistoryMessage };

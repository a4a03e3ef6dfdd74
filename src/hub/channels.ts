/** All channels that there are: by name, and by their numbers in the log, which are given back when nothing of a channel is left. */

import { RULES_MAX } from "../channels/figures.js";
import type { ChannelLog } from "../channels/log.js";
import { ChannelPattern, isChannelName } from "../channels/names.js";
import type { HubChannelConfig, HubConfig } from "../config/config.js";
import { Channel } from "./channel.js";
import { HubRefusal } from "./desk.js";

interface Rule {
	readonly config: HubChannelConfig;
	readonly pattern: ChannelPattern;
	/** What its channels are counted for. */
	readonly number: number;
}

/** How often that is done at most. */
const SWEEP_AGAIN_MS = 100;

export class Channels {
	readonly #log: ChannelLog;
	readonly #reactors: number;
	readonly #now: () => number;
	readonly #byName = new Map<string, Channel>();
	readonly #byNumber: (Channel | undefined)[] = [];
	readonly #free: number[] = [];
	readonly #most: number;
	/** When it was looked for channels of which nothing is left because none was free. */
	#sweptMs = Number.NEGATIVE_INFINITY;
	#rules: readonly Rule[] = [];
	/** The highest sequence of a message whose channel was forgotten: a channel that comes again may have had it. */
	forgotten = 0;
	/** Numbers of rules, by what they match: kept over reloads, so that what was counted stays theirs. */
	readonly #published: number[] = [];
	readonly #ruleNumbers = new Map<string, number>();

	constructor(log: ChannelLog, reactors: number, { limits, channels }: HubConfig, now: () => number) {
		this.#log = log;
		this.#reactors = reactors;
		this.#now = now;
		this.#most = limits.channels;
		this.use(channels);
	}

	/** Takes over what a configuration says. Returns channels that it has no more: they are there until their subscribers are gone. */
	use(configs: readonly HubChannelConfig[]): readonly Channel[] {
		this.#rules = configs.flatMap((config) => {
			const pattern = ChannelPattern.parse(config.match);
			return pattern === undefined ? [] : [{ config, pattern, number: this.#ruleNumber(config.match) }];
		});
		const gone: Channel[] = [];
		for (const channel of this.#byName.values()) {
			const rule = this.#ruleOf(channel.name);
			channel.isGone = rule === undefined;
			if (rule === undefined) gone.push(channel);
			else {
				channel.use(rule.config, this.#now());
				this.#setTerms(channel, rule);
			}
		}
		return gone;
	}

	countPublished({ config }: Channel): void {
		const rule = this.#ruleNumber(config.match);
		this.#published[rule] = this.publishedBy(rule) + 1;
	}

	/** Messages of all channels of a rule. */
	publishedBy(rule: number): number {
		return this.#published[rule] ?? 0;
	}

	/** What rules match, by their numbers. */
	get ruleNames(): ReadonlyMap<string, number> {
		return this.#ruleNumbers;
	}

	get count(): number {
		return this.#byName.size;
	}

	[Symbol.iterator](): IterableIterator<Channel> {
		return this.#byName.values();
	}

	/** `undefined`: there is nothing of it. */
	get(name: string): Channel | undefined {
		return this.#byName.get(name);
	}

	numbered(number: number): Channel | undefined {
		return this.#byNumber[number];
	}

	/** What holds for a channel of this name. @throws HubRefusal */
	configOf(name: string): HubChannelConfig {
		const there = this.#byName.get(name);
		return there === undefined || there.isGone ? this.#ruleFor(name).config : there.config;
	}

	/** The channel of this name, a new one where there is none. @throws HubRefusal */
	open(name: string): Channel {
		const there = this.#byName.get(name);
		if (there !== undefined && !there.isGone) return there;
		const rule = this.#ruleFor(name);
		const number = this.#takeNumber();
		this.#log.clear(number, this.forgotten);
		const channel = new Channel(name, number, this.#reactors, rule.config, this.#now());
		this.#setTerms(channel, rule);
		this.#byName.set(name, channel);
		this.#byNumber[number] = channel;
		return channel;
	}

	/** Channels without subscribers, followers and messages are forgotten. */
	sweep(): void {
		for (const channel of this.#byName.values()) {
			if (channel.subscriberCount > 0 || channel.followers.size > 0) continue;
			if (!this.#log.isEmpty(channel.number)) continue;
			this.forgotten = Math.max(this.forgotten, channel.lastSequence);
			this.#byName.delete(channel.name);
			this.#byNumber[channel.number] = undefined;
			this.#free.push(channel.number);
		}
	}

	/** Whoever tries one name after the other does not buy a look at all channels with each. */
	#sweepAgain(): void {
		if (this.#now() - this.#sweptMs < SWEEP_AGAIN_MS) return;
		this.#sweptMs = this.#now();
		this.sweep();
	}

	#ruleFor(name: string): Rule {
		if (!isChannelName(name))
			throw new HubRefusal(
				"bad_channel",
				'this is no name of a channel: expected up to 128 letters, digits, ".", "_", "-", "~" and ":", in parts that "/" divides',
			);
		const rule = this.#ruleOf(name);
		if (rule === undefined)
			throw new HubRefusal(
				"no_channel",
				"there is no channel of this name: no match in hub.channels fits it",
			);
		return rule;
	}

	#ruleOf(name: string): Rule | undefined {
		return this.#rules.find(({ pattern }) => pattern.matches(name));
	}

	#takeNumber(): number {
		if (this.#byName.size >= this.#most) this.#sweepAgain();
		if (this.#byName.size >= this.#most)
			throw new HubRefusal(
				"limit_channels",
				`${this.#most} channels are in use: hub.limits.channels allows more`,
			);
		return this.#free.pop() ?? this.#byNumber.length;
	}

	#ruleNumber(match: string): number {
		const number = this.#ruleNumbers.get(match) ?? Math.min(this.#ruleNumbers.size, RULES_MAX - 1);
		this.#ruleNumbers.set(match, number);
		return number;
	}

	#setTerms({ number }: Channel, { config, number: rule }: Rule): void {
		const { policy, outbox, deliverPerSecond } = config;
		this.#log.setTerms(number, {
			...{ policy, messages: outbox.messages, bytes: outbox.bytes, rule },
			paceMs: deliverPerSecond === null ? 0 : 1_000 / deliverPerSecond,
		});
	}
}

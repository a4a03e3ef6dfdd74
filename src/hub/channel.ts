/** A channel as the main thread has it: what holds for it, and what of it is counted. */
import type { HubChannelConfig } from "../config/config.js";
import { Bucket, usualBurst } from "../parts/token-bucket.js";
import type { HubFollower } from "./desk.js";

export class Channel {
	readonly name: string;
	/** In the log. */
	readonly number: number;
	/** Subscriptions by reactor, those included that a reactor was only told of so far. */
	readonly subscribers: number[];
	/** How often somebody is subscribed, by what his token calls him; only where the channel tells it. */
	readonly who = new Map<string, number>();
	readonly followers = new Set<HubFollower>();
	/** The configuration has it no more: it is there until its subscribers have gone, and its messages. */
	isGone = false;
	published = 0;
	/** The sequence of its newest message; 0: it has had none. */
	lastSequence = 0;
	#config: HubChannelConfig;
	#bucket: Bucket | undefined;
	/** Where in the log the newest message of each key is. */
	readonly #keys = new Map<string, number>();

	constructor(name: string, number: number, reactors: number, config: HubChannelConfig, nowMs: number) {
		this.name = name;
		this.number = number;
		this.subscribers = Array.from({ length: reactors }, () => 0);
		this.#config = config;
		this.#bucket = bucketFor(config, nowMs);
	}

	get config(): HubChannelConfig {
		return this.#config;
	}

	/** A reload says something else of it. */
	use(config: HubChannelConfig, nowMs: number): void {
		if (config.publishPerSecond !== this.#config.publishPerSecond) this.#bucket = bucketFor(config, nowMs);
		this.#config = config;
	}

	get subscriberCount(): number {
		return this.subscribers.reduce((sum, count) => sum + count, 0);
	}

	/** False: it is published to more often than it may be. */
	mayPublish(nowMs: number): boolean {
		return this.#bucket?.take(1, nowMs) ?? true;
	}

	/** A message with a key is at `position`. Returns where the one before it with this key is; `undefined`: there was none. */
	keyed(key: string, position: number, tail: number): number | undefined {
		const before = this.#keys.get(key);
		// The newest key last: the first ones are the first that are gone.
		this.#keys.delete(key);
		this.#keys.set(key, position);
		for (const [oldKey, at] of this.#keys) {
			if (at >= tail) break;
			this.#keys.delete(oldKey);
		}
		return before;
	}

	/** Whoever has these rights comes, or goes. */
	countWho(who: string, by: 1 | -1): void {
		const count = (this.who.get(who) ?? 0) + by;
		if (count > 0) this.who.set(who, count);
		else this.who.delete(who);
	}
}

function bucketFor({ publishPerSecond }: HubChannelConfig, nowMs: number): Bucket | undefined {
	return publishPerSecond === null
		? undefined
		: new Bucket(publishPerSecond, usualBurst(publishPerSecond), nowMs);
}

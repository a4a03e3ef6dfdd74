/**
 * What operators and programs ask of the hub: the admin port's API, the commands of the shell behind it, and `gateway.hub` of the
 * library all come here. The hub itself implements it.
 *
 * It is for few and careful callers on the main thread. Subscribers of the network are the reactors', and never come here.
 */

/** What is published to a channel. */
export interface HubPublication {
	/** Text, or bytes: subscribers are told which it was. */
	readonly data: string | Uint8Array;
	/** What `conflate` goes by: of one key only the newest message is sent to whoever is behind. */
	readonly key?: string | undefined;
	/** `low`: where something has to go, this goes first. */
	readonly priority?: "low" | undefined;
}

/** A message as it is told: it was published as text (`data`) or as bytes (`base64`), and has that one. */
export interface HistoryMessage {
	readonly channel: string;
	/** `EPOCH:SEQUENCE` (`docs/hub-wire.md`). */
	readonly id: string;
	readonly key?: string;
	readonly data?: string;
	readonly base64?: string;
	/** Unix time. */
	readonly publishedMs: number;
}

export interface HistoryOptions {
	/** So many at most. */
	readonly limit: number;
	/** And so many bytes of what was published, but one message in any case. Without it, any number. */
	readonly bytes?: number | undefined;
	/**
	 * Those behind this id, the oldest of them first: whoever asks again behind the last one gets all. Without it, the newest ones.
	 * What is no id is refused as `bad_message`.
	 */
	readonly after?: string | undefined;
}

export interface HubHistory {
	/** The oldest first. Only what the channel's `replay` keeps. */
	readonly messages: readonly HistoryMessage[];
	/**
	 * The log does not reach back to `after`: messages between it and the first one here are missing. Also where it is of another start of
	 * the gateway: then there are no messages here, and what is next is what is published from now on. Never without `after`.
	 */
	readonly tooOld: boolean;
}

/** A channel that has subscribers or messages. */
export interface ChannelView {
	readonly name: string;
	/** Of the configuration: the pattern that it goes by. */
	readonly match: string;
	/** What becomes of messages for a subscriber that is behind. */
	readonly policy: string;
	/** Of the network; who follows by this desk is not among them. */
	readonly subscribers: number;
	/** Messages since it came to be. */
	readonly published: number;
	/** Messages that `history` has. */
	readonly replayable: number;
	/** Of the newest message; `null`: it has had none. */
	readonly lastId: string | null;
}

export interface HubPresence {
	/** Subscriptions. */
	readonly count: number;
	/** Who they are, by their tokens, each once; absent where the channel's `presence` does not tell it. */
	readonly who?: readonly string[];
}

/** Hears one channel: each message once, in order, as it is published. Neither function may throw. */
export interface HubFollower {
	heard(message: HistoryMessage): void;
	/** The hub ends it, and says why: the gateway drains or stops, or a reload has taken the channel away. Nothing is heard behind it. */
	ended?(reason: string): void;
}

export interface HubDesk {
	/** Of one message, as published (`hub.limits.message`). A reload may change it. */
	readonly messageBytesMax: number;
	/** Subscribers are on their way to have it when this returns. @throws HubRefusal */
	publish(channel: string, message: HubPublication): { readonly id: string };
	/** Those that have subscribers or messages, by name. */
	channels(): readonly ChannelView[];
	/** `undefined`: it has neither subscribers nor messages. */
	channel(name: string): ChannelView | undefined;
	/** Empty, where the channel has no messages. @throws HubRefusal `bad_channel`, `no_channel`, `bad_message` */
	history(name: string, options: HistoryOptions): HubHistory;
	/** @throws HubRefusal `bad_channel`, `no_channel` */
	presence(name: string): HubPresence;
	/**
	 * Whoever asks for `history` and follows within one turn of the event loop misses nothing, and has nothing twice. Returns what ends
	 * it, which may be called at any time, and more than once; `ended` is not called for that.
	 * @throws HubRefusal `bad_channel`, `no_channel`, `limit_channels`
	 */
	follow(name: string, follower: HubFollower): () => void;
	/** Takes a session's subscription away. False: it has none to this channel, or does not live. */
	unsubscribe(session: number, channel: string): Promise<boolean>;
}

/** Why something is refused, and the status of HTTP that says so. */
const STATUSES = {
	/** It is no name of a channel. */
	bad_channel: 400,
	/** What is published, or asked for, cannot be taken as it is. */
	bad_message: 400,
	forbidden: 403,
	/** No `match` of the configuration fits the name. */
	no_channel: 404,
	/** A message has more bytes than `hub.limits.message`. */
	too_large: 413,
	/** More than the channel's `publish_per_second`. */
	limit_rate: 429,
	/** `hub.limits.channels` are there. */
	limit_channels: 503,
} as const;

export type HubRefusalCode = keyof typeof STATUSES;
export const HUB_REFUSAL_CODES = Object.keys(STATUSES) as readonly HubRefusalCode[];

/** The hub does not do what it was asked for. Nothing has changed; the message says why, and what to do. */
export class HubRefusal extends Error {
	override readonly name = "HubRefusal";
	readonly code: HubRefusalCode;
	readonly status: (typeof STATUSES)[HubRefusalCode];

	constructor(code: HubRefusalCode, message: string) {
		super(message);
		this.code = code;
		this.status = STATUSES[code];
	}
}

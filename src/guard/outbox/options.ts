/** How an outbox is made, and what that comes to. */
import { type Duration, OptionError, requireKnown, type Size, toBytes, toCount, toMs } from "../units.js";
import type { Message } from "./message.js";

/** What happens to a message for which there is no room. */
export type OutboxPolicy =
	/** The oldest that wait make room: for what is only worth something while it is new. */
	| "drop-oldest"
	/** It is not taken: for logs and the like, whose beginning explains the rest. */
	| "drop-newest"
	/** It replaces the waiting one of its key, always, in its place; without one, the oldest make room: for states. */
	| "conflate"
	/** The peer is disconnected: for protocols in which nothing may be missing. */
	| "disconnect";

/** `high` is sent before everything `low`, and is dropped after it. */
export type OutboxPriority = "high" | "low";

/** So much. */
export interface Amount {
	/** Messages. */
	readonly messages: number;
	/** Their bytes. */
	readonly bytes: number;
}

/** What is missing before the next message. */
export interface Gap extends Amount {
	/** Of the messages: each priority has an order of its own. */
	readonly priority: OutboxPriority;
}

/** How an outbox is made. */
export interface OutboxOptions {
	/**
	 * The most that is retained, waiting here or in the socket. Default: 1MiB, so that a thousand peers which stop reading hold no
	 * more than a gigabyte
	 */
	readonly bytesMax?: Size;
	/** The most messages that are retained: each costs some 200 bytes of its own. Default: 1,000 */
	readonly messagesMax?: number;
	/**
	 * How much the socket is given at a time, or one message if that is larger: it cannot be dropped any more, and nothing overtakes
	 * it. Default: 64KiB, for the kernel has buffers of its own and needs no more to be kept busy
	 */
	readonly handedMax?: Size;
	/** What happens where there is no room. Default: `drop-oldest` */
	readonly policy?: OutboxPolicy;
	/** For `conflate`: what a message is about; `undefined`, and it replaces nothing. Default: the message's own `key` */
	readonly key?: (message: Message) => unknown;
	/** So long may bytes wait while the peer takes none: then it is closed as `stall_timeout`. Default: 30s */
	readonly write?: Duration;
	/** Called right before a message is sent, with what was lost before it. Conflated ones are not lost. It may send and close. */
	readonly onGap?: (gap: Gap) => void;
}

const BYTES_MAX = 1024 * 1024;
const MESSAGES_MAX = 1_000;
const HANDED_MAX = 64 * 1024;
const WRITE_MS = 30_000;
const POLICIES: readonly string[] = ["drop-oldest", "drop-newest", "conflate", "disconnect"];

/** How one message is sent. */
export interface SendOptions {
	/** Default: `low` */
	readonly priority?: OutboxPriority;
}

/**
 * What became of a message: with the socket, waiting, lost for want of room, refused because it is larger than the bound, or lost
 * because the outbox is closed.
 */
export type SendResult = "sent" | "queued" | "dropped" | "too_large" | "closed";

/** How to wait for an empty outbox. */
export interface FlushedOptions {
	/** Ends the wait; `flushed` rejects with its reason. */
	readonly signal?: AbortSignal;
}

/** Options as the queue uses them. */
export interface Settings {
	readonly bytesMax: number;
	readonly messagesMax: number;
	readonly handedMax: number;
	readonly writeMs: number;
	readonly policy: OutboxPolicy;
	readonly key: (message: Message) => unknown;
	readonly onGap: ((gap: Gap) => void) | undefined;
}

/**
 * The newest of those without functions of the program, which may hold a socket: ten thousand outboxes that are made alike have one
 * between them.
 */
let newest: Settings | undefined;

const KNOWN: readonly (keyof OutboxOptions)[] = [
	"bytesMax",
	"messagesMax",
	"handedMax",
	"policy",
	"key",
	"write",
	"onGap",
];

/** Throws OptionError. */
export function resolve(options: OutboxOptions): Settings {
	requireKnown("", options, KNOWN);
	const { policy = "drop-oldest", key = keyOf, onGap } = options;
	if (!POLICIES.includes(policy))
		throw new OptionError(
			"policy",
			policy,
			`expected one of ${POLICIES.join(", ")}; found ${String(policy)}`,
		);
	const settings: Settings = {
		bytesMax: toBytes("bytesMax", options.bytesMax ?? BYTES_MAX),
		messagesMax: toCount("messagesMax", options.messagesMax ?? MESSAGES_MAX),
		handedMax: toBytes("handedMax", options.handedMax ?? HANDED_MAX),
		writeMs: toMs("write", options.write ?? WRITE_MS),
		policy,
		key,
		onGap,
	};
	if (key !== keyOf || onGap !== undefined) return settings;
	if (newest === undefined || !isSame(settings, newest)) newest = settings;
	return newest;
}

function keyOf({ key }: Message): unknown {
	return key;
}

/** But for the functions. */
function isSame(one: Settings, other: Settings): boolean {
	return (
		one.bytesMax === other.bytesMax &&
		one.messagesMax === other.messagesMax &&
		one.handedMax === other.handedMax &&
		one.writeMs === other.writeMs &&
		one.policy === other.policy
	);
}

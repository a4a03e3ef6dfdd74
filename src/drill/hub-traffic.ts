/**
 * Who subscribes to what in a drill of the hub. Four channels, for each policy two: to the one come those who read a little now and then, to
 * the other those who do not read at all. What went to the sockets of these and was never read, nobody can count; so they share no
 * channel with those of whom each message is accounted for.
 */
import type { PublishersDoor, SubscribersDoor } from "../rig/subscribers/doors.js";
import type { Target } from "./target.js";

export const POLICIES = ["drop-oldest", "disconnect"] as const;
export type HubPolicy = (typeof POLICIES)[number];

/** What a slow one does once it has stopped: takes a little now and then, or nothing. */
export const MANNERS = ["trickle", "stop"] as const;
export type Manner = (typeof MANNERS)[number];

export interface HubChannel {
	readonly name: string;
	readonly policy: HubPolicy;
	readonly manner: Manner;
}

export const HUB_CHANNELS: readonly HubChannel[] = POLICIES.flatMap((policy) =>
	MANNERS.map((manner) => ({ name: `${policy}/${manner}`, policy, manner })),
);

/** The slow ones, of all subscribers. */
const SLOW_PART = 1 / 5;
/** Of each channel, of so many subscribers in all: there is always somebody slow, and somebody who reads. */
export function slowOf(subscribers: number): number {
	return Math.max(1, Math.floor((subscribers * SLOW_PART) / HUB_CHANNELS.length));
}

export function readersOf(subscribers: number): number {
	return Math.max(1, Math.floor(subscribers / HUB_CHANNELS.length) - slowOf(subscribers));
}

/** One message at a time, to the channels in turn: so each has five a second, which are three times what slow ones take. */
export const PUBLISH_EVERY_MS = 50;
/** As published. */
export const MESSAGE_BYTES = 4096;
/** Around a message as it goes out: its type, channel and id, and the header of its frame. */
const AROUND_BYTES = 256;
/** What waits for one subscriber at most, beside the log: a message that went in part, and what was said behind it. */
export const OUTBOX_BYTES_MAX = MESSAGE_BYTES + AROUND_BYTES;
/** Messages that a slow one may be behind. Those who read are never behind by more than one: only then the next is published. */
export const OUTBOX_MESSAGES = 3;

/** The write deadline, which is that of those who take nothing. */
export const STALL_MS = 2000;
/** A gateway looks four times within it who acknowledges something: so they are gone by then. */
export const STALLED_MS = 1.25 * STALL_MS;

/** The code of a WebSocket for one whose outbox is full, where the policy is to close it (docs/hub-wire.md). */
export const CODE_OUTBOX_FULL = 4409;

const PATH = "/channels/";
const PUBLISH_PATH = "/api/hub/";

export function subscribersDoor(
	{ port, kind }: Pick<Target, "port" | "kind">,
	channel: string,
): SubscribersDoor {
	// The plain server says nothing by itself.
	const confirms = kind === "bare" ? null : '"type":"subscribed"';
	return { port, path: PATH + channel, says: null, confirms };
}

export function publishersDoor(port: number, channel: string): PublishersDoor {
	const fields = { "Content-Type": "text/plain", "Sluice-Operator": "drill" };
	return { port, path: PUBLISH_PATH + channel, fields, before: "", after: "" };
}

/** The channel that a path of either door names; `undefined`: none. */
export function channelIn(path: string | undefined): string | undefined {
	const prefix = [PATH, PUBLISH_PATH].find((each) => path?.startsWith(each));
	return prefix === undefined ? undefined : path?.slice(prefix.length);
}

/** `hub`: channels, who may have them, and what is never exceeded. What goes together is in `hub-rules.ts`. */

import { z } from "zod";
import {
	CONNECTIONS_MAX,
	HUB_CHANNELS_MAX,
	HUB_MEMORY_MAX_BYTES,
	HUB_MEMORY_MIN_BYTES,
	HUB_MESSAGE_MAX_BYTES,
	HUB_MESSAGES_IN_MEMORY,
	HUB_MESSAGES_MAX,
	HUB_SUBSCRIPTIONS_MAX,
	RATE_MAX,
} from "./bounds.js";
import * as defaults from "./defaults.js";
import { parseChannelPattern, parseOrigin } from "./hub-values.js";
import {
	choice,
	dashed,
	duration,
	expected,
	filePath,
	inList,
	optionalDuration,
	optionalNumber,
	parsed,
	section,
	size,
	whole,
} from "./schema-values.js";
import { formatDuration, formatSize } from "./units.js";

/** A name is compared with each, when somebody comes to its channel first. */
const ENTRIES_MAX = 1_024;
/** Each handshake of a browser is compared with all. */
const ORIGINS_MAX = 64;
/** Less is no message. */
const MESSAGE_MIN_BYTES = 64;
/** Each is written into the answer to who asks. */
const PRESENCE_MAX = 10_000;
/** A heartbeat says that somebody lives, and each wakes a phone's radio. */
const HEARTBEAT_MIN_MS = 100;

const sizeUpTo = (example: string, leastBytes: number, mostBytes: number) =>
	size(example, leastBytes).refine((bytes) => typeof bytes !== "number" || bytes <= mostBytes, {
		error: `expected at most ${formatSize(mostBytes)}`,
	});

const heartbeat = (defaultMs: number, description: string) =>
	duration()
		.refine((ms) => ms >= HEARTBEAT_MIN_MS, {
			error: `expected at least ${formatDuration(HEARTBEAT_MIN_MS)}`,
		})
		.optional()
		.meta({ description, default: formatDuration(defaultMs) });

const TOKEN_MEANT = { jwt: "write token", auth: "write token", private: "write token" };
const PUBLIC_MEANT = { all: "write public", anyone: "write public", everybody: "write public" };

const channel = section({
	match: parsed('a channel such as prices, or "rooms/*"', parseChannelPattern, {
		examples: ["prices", "rooms/*", "feeds/**"],
	}).describe(
		"Channels that this holds for: a name, or one in which `*` is for one part, and `**` at the end for all that follow. The first entry that matches a name holds for it; what none matches is no channel.",
	),
	policy: choice(["drop-oldest", "drop-newest", "conflate", "disconnect"], {
		...{ drop_oldest: "write drop-oldest", drop_newest: "write drop-newest", drop: "write drop-oldest" },
		...{ close: "write disconnect", latest: "write conflate", last: "write conflate" },
	})
		.optional()
		.meta({
			description:
				"What becomes of messages for a subscriber whose outbox is full. `drop-oldest`: those that wait longest are left out. `drop-newest`: those that come meanwhile are. `conflate`: as drop-oldest, and of each key only the newest is sent. `disconnect`: the subscriber is closed.",
			default: defaults.hub.policy,
		}),
	outbox: section({
		messages: whole(1, HUB_MESSAGES_MAX).optional().meta({
			description: "Messages that may wait for one subscriber.",
			default: defaults.hub.outbox.messages,
		}),
		bytes: sizeUpTo("64KiB", MESSAGE_MIN_BYTES, HUB_MEMORY_MAX_BYTES)
			.optional()
			.meta({
				description: `Bytes of them, as they were published. At least one message fits. Default: ${formatSize(defaults.hub.outbox.bytes)}, or a larger hub.limits.message.`,
				default: formatSize(defaults.hub.outbox.bytes),
			}),
	})
		.optional()
		.describe(
			"How far behind a subscriber may be before policy decides. It costs no memory: messages stand in hub.memory once, for all.",
		),
	replay: section({
		messages: whole(1, HUB_MESSAGES_MAX)
			.optional()
			.describe("The last messages that may be resumed from, as far as hub.memory reaches back."),
		age: optionalDuration(defaults.hub.replay.ageMs, "How old they may be."),
	})
		.optional()
		.describe(
			"What somebody who comes back by the id of a message is told that he has missed. Default: nothing.",
		),
	subscribe: choice(["public", "token"], { ...TOKEN_MEANT, ...PUBLIC_MEANT })
		.optional()
		.describe(
			"Who may subscribe: everybody, or whoever has a token that says so. Default: token, where hub.keys is set; without, it must be said.",
		),
	publish: choice(["nobody", "public", "token"], {
		...{ ...TOKEN_MEANT, ...PUBLIC_MEANT },
		...{ off: "write nobody", no: "write nobody", none: "write nobody", api: "write nobody" },
	})
		.optional()
		.meta({
			description:
				"Which clients may publish. `nobody`: none; messages come by the API, `sluice publish` and the library.",
			default: defaults.hub.publish,
		}),
	presence: choice(["off", "count", "who"], { on: "write count, or who" }).optional().meta({
		description:
			"What subscribers may ask about the others: how many they are, or also who, as their tokens say.",
		default: defaults.hub.presence,
	}),
	publish_per_second: optionalNumber(
		RATE_MAX,
		"Messages published to each of these channels, per second; as many at once after a quiet second. Further ones are refused as limit_rate.",
	),
	deliver_per_second: optionalNumber(
		RATE_MAX,
		"Messages that each subscriber is sent, per second; as many at once after a quiet second. Further ones wait in its outbox.",
	),
});

const limits = section({
	channels: whole(1, HUB_CHANNELS_MAX).optional().meta({
		description: "Channels at a time: those that have subscribers or messages. Needs a restart.",
		default: defaults.hub.limits.channels,
	}),
	subscribers_per_channel: whole(1, CONNECTIONS_MAX).optional().meta({
		description: "Subscribers of each channel. Further ones are refused as limit_subscribers.",
		default: defaults.hub.limits.subscribersPerChannel,
	}),
	subscriptions: whole(1, HUB_SUBSCRIPTIONS_MAX).optional().meta({
		description: "Channels that one connection may have. Further ones are refused as limit_subscriptions.",
		default: defaults.hub.limits.subscriptions,
	}),
	message: sizeUpTo("64KiB", MESSAGE_MIN_BYTES, HUB_MESSAGE_MAX_BYTES)
		.optional()
		.meta({
			description: `A message, as it is published. At most 1/${HUB_MESSAGES_IN_MEMORY} of hub.memory, so that one does not empty the log. Default: ${formatSize(defaults.hub.limits.messageBytes)}, or 1/${HUB_MESSAGES_IN_MEMORY} of a smaller hub.memory.`,
			default: formatSize(defaults.hub.limits.messageBytes),
		}),
	presence: whole(1, PRESENCE_MAX).optional().meta({
		description: "Subscribers of a channel that are told by name to who asks; of more, only how many.",
		default: defaults.hub.limits.presence,
	}),
});

const origin = () =>
	parsed("an origin such as https://example.com", parseOrigin, { examples: ["https://example.com"] });

export const hub = section({
	keys: filePath("the file of a JWK Set", "hub-keys.json")
		.optional()
		.describe(
			"Keys that tokens are signed with: a JWK Set in which each fixes its `alg` (HS256, EdDSA or ES256). Read again when the file changes. Not needed where all channels are public.",
		),
	memory: sizeUpTo("32MiB", HUB_MEMORY_MIN_BYTES, HUB_MEMORY_MAX_BYTES)
		.optional()
		.meta({
			description:
				"The log of the messages of all channels, from which subscribers are served; the oldest go when it is full. Needs a restart.",
			default: formatSize(defaults.hub.memoryBytes),
		}),
	heartbeat: heartbeat(
		defaults.hub.heartbeatMs,
		"A subscriber that was sent nothing for so long is sent a ping, or what its protocol has for one.",
	),
	dead_after: heartbeat(
		defaults.hub.deadAfterMs,
		"A subscriber of which nothing was heard for so long is gone, and closed. Longer than heartbeat. Of event streams, whose clients say nothing, timeouts.stall finds them.",
	),
	retry: optionalDuration(
		defaults.hub.retryMs,
		"Clients that are sent away when the gateway drains are told to come back after up to so long, each after another time.",
	),
	origins: z
		.union([origin().transform((each) => [each]), z.array(origin()).max(ORIGINS_MAX)], {
			error: expected('a list of origins such as [https://example.com], or "*"', inList),
		})
		.optional()
		.describe(
			'Pages whose scripts may come, as browsers say it in Origin: `https://example.com`; `"*"` for all. Default: pages of the host that the request is for. Who sends no Origin is no browser, and may come.',
		),
	limits: limits.optional().describe("What is never exceeded."),
	channels: z
		.array(channel, {
			error: expected("a list such as [{ match: prices, subscribe: public }]", dashed),
		})
		.min(1, {
			error: "without an entry there is no channel: write one such as { match: prices, subscribe: public }",
		})
		.max(ENTRIES_MAX, { error: `more than ${ENTRIES_MAX} entries: write patterns such as "rooms/*"` })
		.describe("Which channels there are, and what holds for each."),
});

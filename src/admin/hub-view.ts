/** What `/api/hub` answers: channels, one of them with what was published to it last, and what became of a publication. */
import { z } from "zod";
import { type ChannelView, type HistoryMessage, HUB_REFUSAL_CODES, type HubDesk } from "../hub/desk.js";

const count = (what: string) => z.int().min(0).describe(what);

export const channelStatus = z.strictObject({
	name: z.string().describe("What it is called"),
	match: z.string().describe("Of the configuration: the pattern that it goes by"),
	policy: z.string().describe("What becomes of messages for a subscriber that is behind"),
	subscribers: count("Subscriptions over listeners; who follows by this API is not among them"),
	published: count("Messages since it came to be"),
	replayable: count("Of these, messages that its log still has"),
	last_id: z.string().nullable().describe("Of the newest message; null: it has had none"),
});
export type ChannelStatus = z.infer<typeof channelStatus>;

export const channelsStatus = z.strictObject({
	channels: z.array(channelStatus).describe("Those that have subscribers or messages, by name"),
});
export type ChannelsStatus = z.infer<typeof channelsStatus>;

export const hubMessage = z.strictObject({
	channel: z.string().describe("Where it was published"),
	id: z.string().describe("EPOCH:SEQUENCE"),
	key: z.string().optional().describe("What conflate goes by; absent: it has none"),
	data: z.string().optional().describe("Where it was published as text"),
	base64: z.string().optional().describe("Instead of data: it was published as bytes"),
	published: z.iso.datetime().describe("When (ISO 8601, UTC)"),
});
export type PublishedMessage = z.infer<typeof hubMessage>;

export const channelDetails = channelStatus.extend({
	presence: z
		.strictObject({
			count: count("Subscriptions"),
			who: z
				.array(z.string())
				.nullable()
				.describe("Of whom, by their tokens; null: the channel does not tell"),
		})
		.describe("Who subscribes"),
	history: z.array(hubMessage).nullable().describe("The oldest first; null: nobody has asked for it"),
	too_old: z
		.boolean()
		.describe(
			"The log does not reach back to what `after` says: messages before the first one here are missing",
		),
});
export type ChannelDetails = z.infer<typeof channelDetails>;

export const published = z.strictObject({
	id: z.string().describe("Of the message; of several, the last one"),
	published: z.int().min(1).describe("How many"),
});
export type Published = z.infer<typeof published>;

/** What else is said where the hub refuses. */
export const REFUSAL_FACTS = {
	code: {
		type: "string",
		enum: HUB_REFUSAL_CODES,
		description: "Of the hub: why, for programs",
	},
	published: {
		type: "integer",
		description: "Of several messages: how many were published, which are those before the one at fault",
	},
} as const;

export function channelStatusOf({ lastId, ...view }: ChannelView): ChannelStatus {
	const { name, match, policy, subscribers, published, replayable } = view;
	return { name, match, policy, subscribers, published, replayable, last_id: lastId };
}

export function channelDetailsOf(
	desk: HubDesk,
	view: ChannelView,
	asked: { readonly limit: number; readonly bytes: number; readonly after: string | undefined } | undefined,
): ChannelDetails {
	const { count, who } = desk.presence(view.name);
	const history = asked === undefined ? undefined : desk.history(view.name, asked);
	return {
		...channelStatusOf(view),
		presence: { count, who: who === undefined ? null : [...who] },
		history: history?.messages.map(publishedMessageOf) ?? null,
		too_old: history?.tooOld ?? false,
	};
}

function publishedMessageOf({ publishedMs, ...message }: HistoryMessage): PublishedMessage {
	return { ...message, published: new Date(publishedMs).toISOString() };
}

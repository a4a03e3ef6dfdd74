/** The operations of `/api/hub`: channels, what was published to them, publishing, following and taking a subscription away. */
import { z } from "zod";
import { type HubDesk, HubRefusal } from "../hub/desk.js";
import { FOLLOWERS_MAX } from "./followers.js";
import { channelDetails, channelDetailsOf, channelStatusOf, channelsStatus, published } from "./hub-view.js";
import { type ApiAnswer, type ApiRequest, failed, type Operation, ok } from "./operation.js";
import {
	BYTES_TYPE,
	LINES_TYPE,
	PartlyPublished,
	PublicationError,
	publicationsOf,
	publishAll,
} from "./publications.js";
import { historyOf, isFollowing, isLow, sessionOf } from "./query.js";
import type { AdminView } from "./view.js";

export const HUB = "/api/hub";
const CHANNEL = `${HUB}/{channel}`;

/** Of one answer, as published. */
const HISTORY_BYTES = 1_048_576;

const NO_HUB = 'this gateway has no hub: its configuration has no "hub"';

/** What is answered where there is one, and of which channel. */
function atHub(
	answer: (
		desk: HubDesk,
		channel: string,
		request: ApiRequest,
		view: AdminView,
	) => ApiAnswer | Promise<ApiAnswer>,
): Operation["run"] {
	return async (view, request) => {
		const desk = view.hub();
		if (desk === undefined) return failed(404, NO_HUB);
		try {
			return await answer(desk, channelOf(request.path), request, view);
		} catch (error) {
			const refused = refusalAnswer(error);
			if (refused === undefined) throw error;
			return refused;
		}
	};
}

/** `undefined`: it is something else. */
export function refusalAnswer(error: unknown): ApiAnswer | undefined {
	if (error instanceof HubRefusal) return failed(error.status, error.message, { code: error.code });
	if (error instanceof PublicationError) return failed(error.status, error.message, { code: error.code });
	if (!(error instanceof PartlyPublished)) return undefined;
	const { refusal, published } = error;
	return failed(refusal.status, error.message, { code: refusal.code, published });
}

/** The rest of the path, each part decoded once. */
function channelOf(path: string): string {
	try {
		return path
			.slice(HUB.length + 1)
			.split("/")
			.map(decodeURIComponent)
			.join("/");
	} catch {
		throw new HubRefusal("bad_channel", "the name of the channel is not well encoded (percent signs)");
	}
}

export const HUB_OPERATIONS: readonly Operation[] = [
	{
		method: "GET",
		path: HUB,
		summary: "The hub's channels that have subscribers or messages",
		answer: channelsStatus,
		parameters: [],
		run: atHub((desk) => ok({ channels: desk.channels().map(channelStatusOf) })),
	},
	{
		method: "GET",
		path: CHANNEL,
		summary: `A channel: its subscribers, and the last messages that its log has. With follow=1 a stream of events instead (text/event-stream, docs/hub-wire.md), of which there are ${FOLLOWERS_MAX} at most`,
		answer: channelDetails,
		parameters: ["history", "after", "follow"],
		run: atHub((desk, channel, request) => {
			const { query, operator, lastEventId } = request;
			const { history, after } = historyOf(query);
			if (isFollowing(query)) {
				const following = { desk, channel, operator, history: history ?? 0, after: lastEventId ?? after };
				return { status: 200, value: null, following };
			}
			const asked = history === undefined && after === undefined;
			// First, because it says what is wrong with a name.
			desk.presence(channel);
			const view = desk.channel(channel);
			if (view === undefined)
				return failed(404, `${channel} has neither subscribers nor messages: ${HUB} lists those that have`);
			return ok(
				channelDetailsOf(
					desk,
					view,
					asked ? undefined : { limit: history ?? 100, bytes: HISTORY_BYTES, after },
				),
			);
		}),
	},
	{
		method: "POST",
		path: CHANNEL,
		summary: "Publishes what is sent; it is not in the log, for there may be thousands a second",
		answer: published,
		parameters: ["key", "priority"],
		body: {
			description: `The message: text, or bytes as ${BYTES_TYPE}. As ${LINES_TYPE} each line is one: {"data": "…"} or {"base64": "…"}, and optionally "key" and "priority"; they are published in order, up to the first that is refused`,
			types: ["text/plain", "application/json", BYTES_TYPE, LINES_TYPE],
		},
		run: atHub(async (desk, channel, { query, body }) => {
			const manner = {
				key: query.get("key") ?? undefined,
				priority: isLow(query) ? ("low" as const) : undefined,
			};
			const publications = await publicationsOf(body, manner, desk);
			// Nobody hears the answer.
			if (publications === undefined) return failed(400, "the message has not come whole");
			return ok({ id: publishAll(desk, channel, publications), published: publications.length });
		}),
	},
	{
		method: "DELETE",
		path: CHANNEL,
		summary:
			"Takes a session's subscription to the channel away; the session goes on, but for an event stream that has no other channel",
		answer: z.strictObject({ unsubscribed: z.boolean().describe("Always true") }),
		parameters: ["session"],
		run: atHub(async (desk, channel, { query, operator }, view) => {
			const session = sessionOf(query);
			if (!(await desk.unsubscribe(session, channel)))
				return failed(404, `session ${session} does not live, or does not subscribe to ${channel}`);
			view.audit({ operator, session, channel }, "an operator takes a subscription away");
			return ok({ unsubscribed: true });
		}),
	},
];

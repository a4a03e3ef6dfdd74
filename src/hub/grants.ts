/** What somebody may have: a subscription, which is counted from then on, and what a token allows. */
import { parseId } from "../channels/names.js";
import type { SubscribeOrder } from "../channels/orders.js";
import type { HubChannelConfig } from "../config/config.js";
import type { Channel } from "./channel.js";
import type { Hub } from "./hub.js";
import { KEY_GONE } from "./members.js";
import { RequestRefusal } from "./request.js";
import type { HubRights } from "./rights.js";
import type { Ref } from "./said.js";
import type { SubscribersContext } from "./subscribers-context.js";

/** What is asked of a channel beside its name. */
export interface SubscribeWish {
	readonly after?: string;
	readonly last?: boolean;
}

/** One subscription, which is counted from here on. @throws RequestRefusal, HubRefusal */
export function grantSubscription(
	hub: Hub,
	reactor: number,
	name: string,
	wish: SubscribeWish,
	rights: HubRights | undefined,
	ref: Ref,
	opened: readonly Channel[] = [],
): { readonly channel: Channel; readonly order: SubscribeOrder } {
	const config = hub.configOf(name);
	mustAllow(config, "subscribe", rights, name);
	const id = wish.after === undefined ? undefined : parseId(wish.after);
	if (wish.after !== undefined && id === undefined)
		throw new RequestRefusal(400, "bad_message", "after: expected an id as messages have, EPOCH:SEQUENCE");
	const channel = hub.channelsThere.open(name);
	const most = hub.config.limits.subscribersPerChannel;
	if (channel.subscriberCount >= most)
		throw new RequestRefusal(
			503,
			"limit_subscribers",
			`the channel has ${most} subscribers: hub.limits.subscribers_per_channel allows more`,
		);
	if (!opened.includes(channel)) channel.subscribers[reactor] = (channel.subscribers[reactor] ?? 0) + 1;
	const isOfNow = id !== undefined && id.epoch === hub.memory.epoch;
	const order: SubscribeOrder = {
		...{ channel: channel.number, name, isTold: true },
		...(isOfNow ? { after: id.sequence } : {}),
		...(wish.after === undefined ? {} : { afterText: wish.after, isTooOld: !isOfNow }),
		// Who resumes has the last one among what he gets.
		...(wish.last === true && !isOfNow ? { last: true } : {}),
		...{ replayMessages: config.replay.messages, replayAgeMs: config.replay.ageMs },
		...(ref === undefined ? {} : { ref }),
	};
	return { channel, order };
}

/** @throws RequestRefusal */
export function mustAllow(
	config: HubChannelConfig,
	what: "subscribe" | "publish",
	rights: HubRights | undefined,
	name: string,
): void {
	const who = config[what];
	if (who === "public") return;
	if (who === "nobody")
		throw new RequestRefusal(403, "forbidden", "no client may publish here: only operators do");
	if (rights === undefined)
		throw new RequestRefusal(401, "unauthorized", `to ${what} here takes a token that allows it`);
	const may = what === "subscribe" ? rights.maySubscribe(name) : rights.mayPublish(name);
	if (!may) throw new RequestRefusal(403, "forbidden", `the token does not allow to ${what} here`);
}

/** What a token allows. @throws RequestRefusal */
export async function verified(context: SubscribersContext, token: string): Promise<HubRights> {
	const verifier = context.verifier();
	if (verifier === undefined)
		throw new RequestRefusal(401, "unauthorized", "this hub takes no tokens: it has no hub.keys");
	let rights: HubRights;
	try {
		rights = await verifier.verify(token);
	} catch (error) {
		throw new RequestRefusal(
			401,
			"unauthorized",
			error instanceof Error ? error.message : "the token is no good",
		);
	}
	// Its key may have gone meanwhile, and of those who are not there yet nobody is ended for that.
	if (context.verifier()?.knows(rights.key) !== true) throw new RequestRefusal(401, "unauthorized", KEY_GONE);
	return rights;
}

/** What would become of a subscriber: which channel a route to the hub gives it, and what holds for that. */
import type { Explanation } from "../admin/operation-view.js";
import type { Config, HubConfig, ListenerConfig, RouteConfig } from "../config/config.js";
import * as defaults from "../config/defaults.js";
import { coversChannels, parseChannelName } from "../config/hub-values.js";
import { HUB } from "../config/names.js";
import { attempt } from "../config/plain.js";
import { formatDuration } from "../config/units.js";

/** `path`: of the request, in its normal form. `null`: the route leads elsewhere. */
export function hubExplanation(
	{ hub }: Config,
	{ readsRequests }: ListenerConfig,
	route: RouteConfig | null,
	path: string | null,
): Explanation["hub"] {
	if (hub === null || route?.to !== HUB) return null;
	const wanted = readsRequests ? channelIn(route, path) : (route.channel ?? "");
	// A name is a pattern that matches itself.
	const channel = attempt(wanted, parseChannelName);
	const entry = hub.channels.find(({ match }) => channel !== null && coversChannels(match, channel));
	return {
		speaks: readsRequests ? "http" : "frames",
		channel: wanted === "" ? null : wanted,
		match: entry?.match ?? null,
		policy: entry?.policy ?? null,
		subscribe: entry?.subscribe ?? null,
		publish: entry?.publish ?? null,
	};
}

/** What follows the route's path; empty: the request says it otherwise. */
function channelIn(route: RouteConfig, path: string | null): string {
	const prefix = (route.path ?? ["/"]).find((each) => path?.startsWith(each) === true);
	if (path === null || prefix === undefined) return "";
	const written = path.slice(prefix.length);
	try {
		return written.split("/").map(decodeURIComponent).join("/");
	} catch (error) {
		if (error instanceof URIError) return written;
		throw error;
	}
}

/** How it is found that a subscriber is gone, beside the deadlines of its session. */
export function hubDeadlines({ heartbeatMs, deadAfterMs }: HubConfig): Explanation["deadlines"] {
	const from = (ms: number, usualMs: number): string => (ms === usualMs ? "default" : HUB);
	return [
		{
			timeout: "heartbeat",
			value: formatDuration(heartbeatMs),
			from: from(heartbeatMs, defaults.hub.heartbeatMs),
		},
		{
			timeout: "dead_after",
			value: formatDuration(deadAfterMs),
			from: from(deadAfterMs, defaults.hub.deadAfterMs),
		},
	];
}

/** `sluice channels | unsubscribe`: the hub's channels, and a subscription that is taken away. */
import type { ChannelDetails, ChannelStatus, ChannelsStatus } from "../../admin/hub-view.js";
import { AdminClient } from "./client.js";
import { OperateError, type Where } from "./operate-error.js";
import { facts, json, table } from "./table.js";

/** Where a channel is asked for. @throws OperateError */
export function channelPath(channel: string): string {
	if (channel === "") throw new OperateError("a channel has a name, such as prices or rooms/42");
	return `/api/hub/${channel.split("/").map(encodeURIComponent).join("/")}`;
}

export async function channels(channel: string | undefined, options: Where): Promise<string> {
	const client = new AdminClient(options);
	if (channel === undefined) {
		const value = await client.get<ChannelsStatus>("/api/hub");
		return options.json === true ? json(value) : channelTable(value.channels);
	}
	const value = await client.get<ChannelDetails>(channelPath(channel));
	return options.json === true ? json(value) : channelText(value);
}

export function channelTable(channels: readonly ChannelStatus[]): string {
	return table(
		["CHANNEL", "MATCH", "POLICY", "SUBSCRIBERS", "PUBLISHED", "REPLAYABLE", "LAST"],
		channels.map(({ name, match, policy, subscribers, published, replayable, last_id: last }) => [
			...[name, match, policy, String(subscribers), String(published), String(replayable), last ?? "-"],
		]),
	);
}

export function channelText(channel: ChannelDetails): string {
	const { who } = channel.presence;
	return facts([
		["channel", `${channel.name}, as ${channel.match} says`],
		["policy", channel.policy],
		["subscribers", `${channel.subscribers}${who === null || who.length === 0 ? "" : `: ${who.join(", ")}`}`],
		["published", `${channel.published}, of which ${channel.replayable} can be had again`],
		["last", channel.last_id ?? "-"],
	]);
}

export async function unsubscribe(channel: string, session: string, options: Where): Promise<string> {
	const client = new AdminClient(options);
	const value = await client.delete(channelPath(channel), new URLSearchParams({ session }));
	return options.json === true
		? json(value)
		: `session ${session} does not subscribe to ${channel} any more\n`;
}

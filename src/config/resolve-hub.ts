/** `hub` with its defaults filled in, and the upstream that its routes lead to. */
import { resolve } from "node:path";
import { HUB_MESSAGES_IN_MEMORY } from "./bounds.js";
import type { HubChannelConfig, HubConfig, HubLimits, UpstreamConfig } from "./config.js";
import * as defaults from "./defaults.js";
import { HUB } from "./names.js";
import type { ConfigFile } from "./schema.js";

type HubFile = NonNullable<ConfigFile["hub"]>;

/** Positions in the log are those of 64-bit words. */
const WORD_BYTES = 8;

export function resolveHub(file: HubFile | undefined, baseDir: string): HubConfig | null {
	if (file === undefined) return null;
	const { keys, memory = defaults.hub.memoryBytes } = file;
	const memoryBytes = memory - (memory % WORD_BYTES);
	const limits = resolveLimits(file.limits, memoryBytes);
	return {
		keysFile: keys === undefined ? null : resolve(baseDir, keys),
		memoryBytes,
		heartbeatMs: file.heartbeat ?? defaults.hub.heartbeatMs,
		deadAfterMs: file.dead_after ?? defaults.hub.deadAfterMs,
		retryMs: file.retry ?? defaults.hub.retryMs,
		origins: file.origins ?? null,
		limits,
		channels: file.channels.map((channel) => resolveChannel(channel, limits, keys !== undefined)),
	};
}

function resolveLimits(file: HubFile["limits"], memoryBytes: number): HubLimits {
	const usual = defaults.hub.limits;
	return {
		channels: file?.channels ?? usual.channels,
		subscribersPerChannel: file?.subscribers_per_channel ?? usual.subscribersPerChannel,
		subscriptions: file?.subscriptions ?? usual.subscriptions,
		messageBytes: file?.message ?? usualMessageBytes(memoryBytes),
		presence: file?.presence ?? usual.presence,
	};
}

/** Where nobody says anything: less than usual where the log is small. */
export function usualMessageBytes(memoryBytes: number): number {
	return Math.min(defaults.hub.limits.messageBytes, Math.floor(memoryBytes / HUB_MESSAGES_IN_MEMORY));
}

function resolveChannel(
	file: HubFile["channels"][number],
	{ messageBytes }: HubLimits,
	hasKeys: boolean,
): HubChannelConfig {
	const { outbox, replay, publish_per_second: published, deliver_per_second: delivered } = file;
	return {
		match: file.match,
		policy: file.policy ?? defaults.hub.policy,
		outbox: {
			messages: outbox?.messages ?? defaults.hub.outbox.messages,
			bytes: outbox?.bytes ?? Math.max(defaults.hub.outbox.bytes, messageBytes),
		},
		replay: {
			messages: replay?.messages ?? defaults.hub.replay.messages,
			ageMs: replay?.age ?? defaults.hub.replay.ageMs,
		},
		// Without keys the rules say that it is "public".
		subscribe: file.subscribe ?? (hasKeys ? "token" : "public"),
		publish: file.publish ?? defaults.hub.publish,
		presence: file.presence ?? defaults.hub.presence,
		publishPerSecond: typeof published === "number" ? published : null,
		deliverPerSecond: typeof delivered === "number" ? delivered : null,
	};
}

/** Where routes lead that say `to: hub`: it has no addresses, and what else upstreams have means nothing of it. */
export const HUB_UPSTREAM: UpstreamConfig = {
	name: HUB,
	addresses: [],
	http: null,
	tls: null,
	timeouts: {},
	balance: defaults.balance,
	proxyProtocol: "off",
	proxyTlvs: [],
	health: null,
	eject: defaults.eject,
	resolveMs: defaults.resolveMs,
	hub: true,
};

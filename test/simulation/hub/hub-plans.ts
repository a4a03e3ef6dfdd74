/** Random hubs: few channels, small outboxes, a log that comes round often, and short deadlines. */
import type { HubChannelConfig, HubConfig } from "../../../src/config/config.js";
import type { ListenerPlan, Plan, Policy, TlsEntryPlan } from "../../../src/reactor/plan/plan.js";
import type { Random } from "../../../src/rig/random.js";
import { NO_LIMITS, NO_REQUESTS } from "../../reactor/no-limits.js";
import { NO_CONDITION } from "../plans.js";

const UNLIMITED = Number.POSITIVE_INFINITY;

/** Names that clients ask for; the last ones match no rule. */
export const NAMES = [
	"prices",
	"news",
	"slow",
	"rooms/1",
	"rooms/2",
	"rooms/3",
	"rooms/4",
	"nothing",
] as const;
const MATCHES = ["prices", "news", "slow", "rooms/*"] as const;
/** Of the listener of frames that names one. */
export const FRAMED_CHANNEL = "prices";

export interface HubTraits {
	readonly memoryBytes: number;
	/** Of a message, at most. */
	readonly messageBytes: number;
	readonly reactors: number;
	readonly isLarge: boolean;
	/** How likely listeners are to terminate TLS. */
	readonly secured: number;
	readonly paced: number;
	readonly reloads: boolean;
	/** Deadlines are long, and clients mostly well: much is told. */
	readonly patient: boolean;
}

export function randomHubTraits(random: Random): HubTraits {
	const isLarge = random.chance(0.15);
	const memoryBytes = isLarge ? 4 << 20 : random.pick([16_384, 16_384, 65_536, 262_144]);
	// Three encodings, of which JSON makes six of one byte, have an eighth of the log at most.
	const messageBytes = isLarge ? 90_000 : Math.min(1_500, memoryBytes / 64);
	return {
		...{ memoryBytes, messageBytes, isLarge },
		reactors: random.pick([1, 1, 1, 2, 3]),
		secured: random.pick([0, 0, 0.5, 1]),
		paced: random.pick([0, 0, 0, 0.5]),
		reloads: random.chance(0.3),
		patient: random.chance(0.6),
	};
}

export function randomHub(random: Random, traits: HubTraits): HubConfig {
	const heartbeatMs = random.between(50, 3_000) * (traits.patient ? 10 : 1);
	return {
		keysFile: null,
		memoryBytes: traits.memoryBytes,
		heartbeatMs,
		deadAfterMs: heartbeatMs * random.between(2, 4),
		retryMs: random.between(1, 5_000),
		origins: null,
		limits: {
			channels: random.pick([3, 20, 20, 20]),
			subscribersPerChannel: random.pick([3, 1_000, 1_000, 1_000]),
			subscriptions: random.pick([1, 2, 64, 64]),
			messageBytes: traits.messageBytes,
			presence: 10,
		},
		channels: MATCHES.filter(() => !random.chance(0.04)).map((match) => randomChannel(random, match, traits)),
	};
}

function randomChannel(random: Random, match: string, traits: HubTraits): HubChannelConfig {
	const messages = random.pick([1, 2, 3, 8, 64]);
	return {
		match,
		policy: random.pick(["drop-oldest", "drop-newest", "conflate", "disconnect"] as const),
		// As the configuration has it: a message that fits nowhere is none.
		outbox: { messages, bytes: traits.messageBytes * random.pick([1, 1, 2, 20]) },
		replay: { messages: random.pick([0, 1, 5, 1_000]), ageMs: random.pick([50, 5_000, 3_600_000]) },
		subscribe: "public",
		publish: random.pick(["nobody", "public"] as const),
		presence: random.pick(["off", "count", "who"] as const),
		publishPerSecond: random.chance(0.15) ? random.pick([1, 20, 500]) : null,
		deliverPerSecond: random.chance(traits.paced) ? random.pick([1, 10, 100]) : null,
	};
}

/** What holds for sessions. */
export function randomHubPolicy(random: Random, { patient }: HubTraits): Policy {
	const scale = patient ? 10 : 1;
	return {
		...{ handshakeMs: random.between(100, 3_000) * scale, connectMs: 1_000, quicIdleMs: 600_000 },
		...{ idleMs: random.between(100, 3_000), stallMs: random.between(50, 3_000) * scale },
		...{ halfClosedMs: 1_000, lifetimeMs: random.chance(0.2) ? random.between(500, 30_000) * scale : 0 },
		...{
			silenceMs: 100,
			requestHeadMs: random.between(100, 3_000) * scale,
			responseHeadMs: 1_000,
			keepAliveMs: 1_000,
		},
		...{ bodyBytesPerSecond: 1, keepaliveIdleSeconds: 30, keepaliveIntervalSeconds: 10, keepaliveProbes: 6 },
		...{ userTimeoutMs: 90_000, unsentBytes: 262_144, sendBufferBytes: 0, receiveBufferBytes: 0 },
		...{ rates: null, places: null },
	};
}

/** What a listener is for. */
export type Door = "requests" | "frames" | "frames of a channel";
export const DOORS: readonly Door[] = ["requests", "frames", "frames of a channel"];

export function hubListener(door: Door, slot: number, fd: number, isSecured: boolean): ListenerPlan {
	const condition = door === "requests" ? { ...NO_CONDITION, path: "/channels/" } : NO_CONDITION;
	return {
		...{ slot, fd, port: 1_000 + slot, connections: UNLIMITED, acceptsPerSecond: UNLIMITED },
		...{ requestsPerSecond: UNLIMITED, policy: 0, proxyRequired: false, trusted: [] },
		...NO_REQUESTS,
		readsRequests: door === "requests",
		tls: isSecured ? [CERTIFICATE] : [],
		routes: [
			{
				...{ conditions: condition, slot, upstream: HUB_SLOT, policy: -1 },
				...{ sessionsPerSecond: UNLIMITED, requestsPerSecond: UNLIMITED },
				...(door === "frames of a channel" ? { channel: FRAMED_CHANNEL } : {}),
			},
		],
	};
}

const FILE = { file: "", text: "" };
const CERTIFICATE: TlsEntryPlan = {
	names: ["*"],
	server: { names: ["*"], cert: FILE, key: FILE, alpn: [] },
	identity: "certificate",
};

const HUB_SLOT = 0;

export function hubPlan(policy: Policy, sessions: number, listeners: readonly ListenerPlan[]): Plan {
	return {
		...{ revision: 1, policies: [policy], connections: sessions },
		...{ ...NO_LIMITS, logSessions: true, listeners },
		upstreams: [
			{
				...{ slot: HUB_SLOT, balance: "round_robin", proxyProtocol: "off", pool: null, host: null },
				...{ authority: new Uint8Array(0), trailers: false, ejectFailures: 1, ejectForMs: 1_000 },
				...{ hub: true, addresses: [] },
			},
		],
	};
}

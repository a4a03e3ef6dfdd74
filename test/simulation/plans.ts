/** Random configurations: small limits and short deadlines, so that every bound is met often. */
import type { Balance, RouteConfig } from "../../src/config/config.js";
import { encodeInternet, encodeUnix } from "../../src/kernel/sockaddr.js";
import type { ListenerPlan, Plan, Policy, RoutePlan } from "../../src/reactor/plan.js";
import type { UpstreamPlan } from "../../src/upstream/plan.js";
import { NO_LIMITS, NO_REQUESTS } from "../reactor/no-limits.js";
import type { Random } from "./random.js";

export const UPSTREAMS = 3;
export const LISTENERS = 3;
const ADDRESSES = 4;
export const ADDRESS_COUNT = UPSTREAMS * ADDRESSES;

const NO_CONDITION: RouteConfig = {
	sni: null,
	host: null,
	alpn: null,
	protocol: null,
	source: null,
	path: null,
	to: "upstream",
	label: "",
};

const BALANCES: readonly Balance[] = ["round_robin", "least_connections", "source_hash"];

/** Lists of routes, each by its conditions. */
const ROUTES: readonly (readonly Partial<RouteConfig>[])[] = [
	[{}],
	[{}],
	[{ protocol: "tls" }, { protocol: "http" }, { protocol: "ssh" }],
	[{ sni: "*.example" }, { host: "*.example.com" }, {}],
	[{ sni: "never.example" }, { protocol: "any" }],
	[{ alpn: "h2" }, { protocol: "other" }],
	[{ protocol: "http", to: null }, { protocol: "tls", to: null }, {}],
	[{ host: "nobody.example" }],
];

export function randomPolicy(random: Random): Policy {
	const scale = random.pick([1, 1, 4, 30]);
	return {
		handshakeMs: random.between(60, 800) * scale,
		connectMs: random.between(40, 500) * scale,
		idleMs: random.between(100, 3_000) * scale,
		stallMs: random.between(50, 1_000) * scale,
		halfClosedMs: random.between(50, 1_000) * scale,
		lifetimeMs: random.chance(0.3) ? random.between(200, 6_000) * scale : 0,
		silenceMs: random.between(20, 300),
		keepaliveIdleSeconds: 30,
		keepaliveIntervalSeconds: 10,
		keepaliveProbes: 6,
		userTimeoutMs: 90_000,
		unsentBytes: 262_144,
		sendBufferBytes: random.pick([0, 0, 65_536]),
		receiveBufferBytes: random.pick([0, 0, 131_072]),
	};
}

export function randomListener(random: Random, slot: number, fd: number, sessions: number): ListenerPlan {
	const proxyRequired = random.chance(0.25);
	const routes: RoutePlan[] = random.pick(ROUTES).map((conditions, index) => ({
		conditions: { ...NO_CONDITION, ...conditions },
		slot: slot * 8 + index,
		upstream: conditions.to === null ? -1 : random.below(UPSTREAMS),
	}));
	return {
		slot,
		fd,
		connections: random.chance(0.25) ? random.between(1, sessions) : UNLIMITED,
		...NO_REQUESTS,
		proxyRequired,
		trusted: [
			// Some clients' addresses are not trusted.
			{ family: 4, bytes: [10, 0, 0, 0], prefixLength: random.chance(0.8) ? 24 : 31 },
			{ family: 6, bytes: V6_BLOCK, prefixLength: random.chance(0.8) ? 32 : 64 },
		],
		routes,
	};
}

export function randomUpstream(random: Random, slot: number): UpstreamPlan {
	const count = random.chance(0.05) ? 0 : random.between(1, ADDRESSES);
	return {
		slot,
		balance: random.pick(BALANCES),
		proxyProtocol: random.pick(["off", "off", "v1", "v2"]),
		pool: null,
		ejectFailures: random.between(1, 3),
		ejectForMs: random.between(50, 2_000),
		addresses: Array.from({ length: count }, (_, index) => {
			const board = slot * ADDRESSES + index;
			// The last address of each is a Unix socket.
			const sockaddr =
				index === ADDRESSES - 1
					? encodeUnix(`/${board}`)
					: encodeInternet(Uint8Array.of(10, 2, 2, board), 1_000 + board);
			return { board, sockaddr, hash: Math.imul(board + 1, 0x9e3779b1) };
		}),
	};
}

/** 2001:db8:0:1:: */
const V6_BLOCK = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0] as const;

const UNLIMITED = Number.POSITIVE_INFINITY;

/** Limits on who may come. `foreign`: descriptors in use before the first client comes. */
function randomLimits(random: Random, sessions: number, foreign: number) {
	if (random.chance(0.4)) return NO_LIMITS;
	return {
		resetsWhenFull: random.chance(0.4),
		shedsWhenFull: random.chance(0.3),
		connectionsPerSource: random.chance(0.4) ? random.between(1, 6) : UNLIMITED,
		acceptsPerSecondPerSource: random.chance(0.3) ? random.pick([1, 2, 5, 20, 100]) : UNLIMITED,
		acceptsPerSecond: random.chance(0.3) ? random.pick([1, 3, 10, 50, 200]) : UNLIMITED,
		descriptorCeiling: random.chance(0.3) ? foreign + random.between(1, 2 * sessions) : UNLIMITED,
	};
}

/** `sessions`: rows of this reactor. All reactors together may have fewer sessions, or many more. */
export function randomPlan(
	random: Random,
	revision: number,
	sessions: number,
	foreign: number,
	policy: Policy,
	listeners: readonly ListenerPlan[],
): Plan {
	const connections = random.chance(0.2)
		? 8 * sessions
		: Math.max(1, sessions - random.pick([0, 0, 0, 1, 3]));
	const upstreams: UpstreamPlan[] = [];
	for (let slot = 0; slot < UPSTREAMS; slot++)
		if (!random.chance(0.05)) upstreams.push(randomUpstream(random, slot));
	const limits = randomLimits(random, sessions, foreign);
	return { revision, policy, connections, ...limits, logSessions: true, listeners, upstreams };
}

/** Random configurations: small limits and short deadlines, so that every bound is met often. */
import type { Balance, RouteConfig } from "../../src/config/config.js";
import { encodeInternet, encodeUnix } from "../../src/kernel/sockaddr.js";
import type { ListenerPlan, Plan, Policy, RoutePlan } from "../../src/reactor/plan.js";
import type { UpstreamPlan } from "../../src/upstream/plan.js";
import { NO_LIMITS } from "../reactor/no-limits.js";
import type { Random } from "./random.js";

export const UPSTREAMS = 3;
const ADDRESSES = 4;
export const ADDRESS_COUNT = UPSTREAMS * ADDRESSES;

const NO_CONDITION: RouteConfig = {
	sni: null,
	host: null,
	alpn: null,
	protocol: null,
	source: null,
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
		sendBufferBytes: 0,
		receiveBufferBytes: 0,
	};
}

export function randomListener(random: Random, slot: number, fd: number): ListenerPlan {
	const proxyRequired = random.chance(0.25);
	const routes: RoutePlan[] = random.pick(ROUTES).map((conditions, index) => ({
		conditions: { ...NO_CONDITION, ...conditions },
		slot: slot * 8 + index,
		upstream: conditions.to === null ? -1 : random.below(UPSTREAMS),
	}));
	return {
		slot,
		fd,
		connections: Number.POSITIVE_INFINITY,
		proxyRequired,
		trusted: [
			// One client address in four is not trusted.
			{ family: 4, bytes: [10, 0, 0, 0], prefixLength: random.chance(0.8) ? 24 : 31 },
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

export function randomPlan(
	random: Random,
	revision: number,
	connections: number,
	policy: Policy,
	listeners: readonly ListenerPlan[],
): Plan {
	const upstreams: UpstreamPlan[] = [];
	for (let slot = 0; slot < UPSTREAMS; slot++)
		if (!random.chance(0.05)) upstreams.push(randomUpstream(random, slot));
	return { revision, policy, connections, ...NO_LIMITS, logSessions: true, listeners, upstreams };
}

/** Random configurations of listeners on UDP, and of the upstreams that they lead to. */
import type { RouteConditions } from "../../../src/config/config.js";
import { AF_INET, AF_INET6 } from "../../../src/kernel/constants.js";
import { PROTOCOL_DTLS, PROTOCOL_OTHER, PROTOCOL_QUIC } from "../../../src/protocol/protocols.js";
import type { ListenerPlan, RoutePlan } from "../../../src/reactor/plan/plan.js";
import type { Random } from "../../../src/rig/random.js";
import type { UpstreamPlan } from "../../../src/upstream/plan.js";
import { NO_REQUESTS } from "../../reactor/no-limits.js";
import { ADDRESSES, NO_CONDITION, POLICIES } from "../plans.js";
import { type Endpoint, endpoint, sockaddrOf } from "./endpoints.js";
import type { Speech } from "./speeches.js";

const UNLIMITED = Number.POSITIVE_INFINITY;

/** Lists of routes, each by its conditions. */
const ROUTES: readonly (readonly Partial<RouteConditions>[])[] = [
	[{}],
	[{ protocol: "any" }],
	[{ protocol: "quic" }, { protocol: "dtls" }, { protocol: "other" }],
	[{ sni: "a.example" }, { sni: "*.b.example" }, { protocol: "other" }],
	[{ alpn: "h3", protocol: "quic" }, { sni: "c.example" }, { protocol: "any" }],
	[{ sni: "a.example", to: null }, { protocol: "other", to: null }, { protocol: "any" }],
	[{ sni: "b.example", alpn: "doq" }, { protocol: "dtls", sni: "a.example" }, { protocol: "quic" }],
];

export interface DatagramListenerPlan extends ListenerPlan {
	readonly datagrams: NonNullable<ListenerPlan["datagrams"]>;
}

export function randomDatagramListener(
	random: Random,
	place: Pick<ListenerPlan, "slot" | "fd" | "port"> & { readonly bindsAny: boolean },
	sessions: number,
	upstreams: readonly number[],
): DatagramListenerPlan {
	const { slot, fd, port, bindsAny } = place;
	const routes: RoutePlan[] = random.pick(ROUTES).map((conditions, index) => ({
		conditions: { ...NO_CONDITION, ...conditions },
		slot: slot * 8 + index,
		upstream: conditions.to === null ? -1 : random.pick(upstreams),
		policy: random.chance(0.3) ? random.below(POLICIES) : -1,
		sessionsPerSecond: random.chance(0.1) ? random.pick([1, 10, 100]) : UNLIMITED,
		requestsPerSecond: UNLIMITED,
	}));
	return {
		...{ slot, fd, port, routes, ...NO_REQUESTS },
		connections: random.chance(0.25) ? random.between(1, sessions) : UNLIMITED,
		acceptsPerSecond: UNLIMITED,
		requestsPerSecond: UNLIMITED,
		policy: random.below(POLICIES - 1),
		proxyRequired: false,
		trusted: [],
		datagrams: { unknownVersions: random.chance(0.5) ? "reject" : "route", bindsAny },
	};
}

/** Where the server of an address on the board is: some have IPv6. */
export function serverAt(board: number): Endpoint {
	const v6 = board % 3 === 2;
	const bytes = v6
		? Uint8Array.of(0x20, 1, 0xd, 0xb8, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, board)
		: Uint8Array.of(10, 3, 3, board);
	return endpoint(bytes, 500 + board);
}

export function randomDatagramUpstream(random: Random, slot: number): UpstreamPlan {
	const count = random.chance(0.05) ? 0 : random.between(1, ADDRESSES);
	return {
		slot,
		responses: random.pick([0, 0, 1, 3]),
		balance: random.pick(["round_robin", "least_connections", "source_hash"]),
		proxyProtocol: random.pick(["off", "off", "v2"]),
		proxyTlvs: random.pick([[], ["sni", "alpn"]] as const),
		pool: null,
		host: null,
		trailers: false,
		ejectFailures: random.between(1, 3),
		authority: Uint8Array.of(0x75),
		ejectForMs: random.between(50, 2_000),
		addresses: Array.from({ length: count }, (_, index) => {
			const board = slot * ADDRESSES + index;
			const at = serverAt(board);
			const sockaddr = sockaddrOf(at, at.bytes.length === 16 ? AF_INET6 : AF_INET);
			const most = random.chance(0.2) ? { connectionsMax: random.between(1, 3) } : {};
			return { board, sockaddr, hash: Math.imul(board + 1, 0x9e3779b1), ...most };
		}),
	};
}

/** The upstream that a listener's routes have for who says this, worked out apart from the router; -1: none. */
export function upstreamFor(routes: readonly RoutePlan[], { protocol, asked }: Speech): number {
	for (const { conditions, upstream } of routes) {
		const { sni, alpn } = conditions;
		if (!takesProtocol(conditions, protocol)) continue;
		if (sni !== null && !isNamed(sni, asked?.name)) continue;
		if (alpn !== null && alpn !== asked?.alpn) continue;
		return upstream;
	}
	return -1;
}

function takesProtocol({ protocol, sni, alpn }: RouteConditions, spoken: number): boolean {
	switch (protocol) {
		case "any":
			return true;
		case "quic":
			return spoken === PROTOCOL_QUIC;
		case "dtls":
			return spoken === PROTOCOL_DTLS;
		case "other":
			return spoken === PROTOCOL_OTHER;
		default:
			return sni !== null || alpn !== null ? spoken !== PROTOCOL_OTHER : true;
	}
}

function isNamed(condition: string, name: string | undefined): boolean {
	if (name === undefined) return false;
	return condition.startsWith("*.") ? name.endsWith(condition.slice(1)) : name === condition;
}

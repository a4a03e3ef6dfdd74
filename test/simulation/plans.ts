/** Random configurations: small limits and short deadlines, so that every bound is met often. */
import type { Balance, RouteConditions } from "../../src/config/config.js";
import { encodeInternet, encodeUnix } from "../../src/kernel/sockaddr.js";
import { SHARE_ALL } from "../../src/reactor/modes/http1/log.js";
import type {
	ByteRates,
	HttpPlan,
	ListenerPlan,
	Plan,
	Policy,
	RoutePlan,
	TlsEntryPlan,
} from "../../src/reactor/plan/plan.js";
import type { Random } from "../../src/rig/random.js";
import type { AddressPlan, PoolPlan, UpstreamPlan } from "../../src/upstream/plan.js";
import { NO_LIMITS, NO_REQUESTS } from "../reactor/no-limits.js";

export const UPSTREAMS = 3;
export const LISTENERS = 3;
export const ADDRESSES = 4;
/** Of a plan. */
export const POLICIES = 4;
export const ADDRESS_COUNT = UPSTREAMS * ADDRESSES;

export const NO_CONDITION: RouteConditions = {
	sni: null,
	host: null,
	alpn: null,
	protocol: null,
	source: null,
	path: null,
	subprotocol: null,
	to: "upstream",
	answer: null,
	requests: null,
	label: "",
};

const BALANCES: readonly Balance[] = ["round_robin", "least_connections", "source_hash"];

/** Lists of routes, each by its conditions. */
const ROUTES: readonly (readonly Partial<RouteConditions>[])[] = [
	[{}],
	[{}],
	[{ protocol: "tls" }, { protocol: "http" }, { protocol: "ssh" }],
	[{ sni: "*.example" }, { host: "*.example.com" }, {}],
	[{ sni: "never.example" }, { protocol: "any" }],
	[{ alpn: "h2" }, { protocol: "other" }],
	[{ protocol: "http", to: null }, { protocol: "tls", to: null }, {}],
	[{ host: "nobody.example" }],
];

/** What all plans of a run have in common. */
export interface Traits {
	/** Which listeners read requests, by their slots. */
	readonly readsRequests: readonly boolean[];
	/** How likely upstreams are to take them. */
	readonly requests: number;
	/** Deadlines are long, limits and failures rare, upstreams few: much is answered, and over few connections. */
	readonly patient: boolean;
	/** Which listeners terminate TLS, whatever name is asked for. */
	readonly terminates: readonly boolean[];
	/** How likely an upstream's address is to be spoken to through TLS. */
	readonly upstreamTls: number;
	/** Each request has a record. */
	readonly logsAll: boolean;
	/** How likely sessions are to have a rate. */
	readonly paced: number;
}

export function randomTraits(random: Random): Traits {
	const reads = random.chance(0.4) ? 0 : random.pick([0.3, 1]);
	const readsRequests = Array.from({ length: LISTENERS }, () => random.chance(reads));
	const some = readsRequests.includes(true);
	const patient = some && random.chance(0.75);
	const terminating = random.pick([0, 0, 0.4, 1]);
	const terminates = Array.from({ length: LISTENERS }, () => random.chance(terminating));
	const upstreamTls = random.pick([0, 0, 0.3, 1]);
	const logsAll = random.chance(0.3);
	const paced = random.pick([0, 0, 0, 0.5, 1]);
	return { readsRequests, requests: some ? 0.9 : 0, patient, terminates, upstreamTls, logsAll, paced };
}

/** Of some kinds, and low enough for what clients have here to take a while. */
function randomRates(random: Random): ByteRates {
	const rate = () => (random.chance(0.5) ? 0 : 1_000 + random.magnitude(300_000));
	return { all: rate(), listener: rate(), route: 0, source: rate(), own: rate() };
}

function randomPolicy(random: Random, { patient, paced }: Traits): Policy {
	const scale = patient ? random.pick([4, 10, 30]) : random.pick([1, 1, 4, 30]);
	return {
		handshakeMs: random.between(60, 800) * scale,
		connectMs: random.between(40, 500) * scale,
		quicIdleMs: 600_000,
		idleMs: random.between(100, 3_000) * scale,
		stallMs: random.between(50, 1_000) * scale,
		halfClosedMs: random.between(50, 1_000) * scale,
		lifetimeMs: random.chance(0.3) ? random.between(200, 6_000) * scale : 0,
		silenceMs: random.between(20, 300),
		requestHeadMs: random.between(50, 1_000) * scale,
		responseHeadMs: random.between(50, 2_000) * scale,
		keepAliveMs: random.between(30, 1_000) * scale,
		bodyBytesPerSecond: random.pick([1, 100, 10_000]),
		keepaliveIdleSeconds: 30,
		keepaliveIntervalSeconds: 10,
		keepaliveProbes: 6,
		userTimeoutMs: random.pick([90_000, 90_000, 0, 30_000]),
		unsentBytes: 262_144,
		sendBufferBytes: random.pick([0, 0, 65_536]),
		receiveBufferBytes: random.pick([0, 0, 131_072]),
		rates: random.chance(paced) ? randomRates(random) : null,
		places: null,
	};
}

/** The last one is a route's, which may have a rate and places of its own. */
function ofRoute(random: Random, policy: Policy): Policy {
	const rates = policy.rates === null ? null : { ...policy.rates, route: 1_000 + random.magnitude(300_000) };
	const places = random.chance(0.3) ? { route: random.below(32), most: random.between(1, 8) } : null;
	return { ...policy, rates, places };
}

/** Of one plan: listeners and routes have deadlines of their own, and all the same buffers. */
export function randomPolicies(random: Random, traits: Traits): Policy[] {
	const { sendBufferBytes, receiveBufferBytes } = randomPolicy(random, traits);
	const policies = Array.from({ length: POLICIES }, () => ({
		...randomPolicy(random, traits),
		sendBufferBytes,
		receiveBufferBytes,
	}));
	return policies.map((policy, index) => (index < POLICIES - 1 ? policy : ofRoute(random, policy)));
}

const FIXED = { status: 503, body: "later\n", contentType: "text/plain", redirect: null } as const;
const REDIRECT = { status: 308, body: "", contentType: "", redirect: "https" } as const;

/** Lists of routes of a listener that reads requests. */
const REQUEST_ROUTES: readonly (readonly Partial<RouteConditions>[])[] = [
	[{}],
	[{}],
	[{}],
	[{}],
	[{ host: "*.example" }, {}],
	[{ path: "/api" }, {}],
	[{ path: "/api", to: null, answer: FIXED }, { host: "b.example", to: null, answer: REDIRECT }, {}],
	[{ host: "a.example" }, { host: "*.example" }, {}],
	[{ path: "/api" }, { path: "/static/", host: "b.example" }, {}],
	[{ path: "/x", to: null }, { host: "*.b.example", path: "/" }, { protocol: "http" }],
	[{ host: "b.example" }, { protocol: "tls" }],
];

function randomHttp(random: Random): HttpPlan {
	return {
		...NO_REQUESTS.http,
		requestsPerConnection: random.pick([1, 2, 5, 1_000, 1_000, 1_000]),
		requestsPerSecond: random.chance(0.1) ? random.pick([0.5, 10, 200]) : UNLIMITED,
		requestsPerSecondPerSource: random.chance(0.1) ? random.pick([0.5, 5, 100]) : UNLIMITED,
		requestBodyBytes: random.chance(0.1) ? random.magnitude(20_000) : UNLIMITED,
	};
}

/** Mostly short, so that every reason to replace a connection is met. */
function randomPool(random: Random, { patient }: Traits): PoolPlan {
	return {
		keeps: random.chance(0.85),
		idleMs: random.between(20, 2_000) * (patient ? 10 : 1),
		ageMs: patient ? random.between(1_000, 200_000) : random.magnitude(20_000),
		requests: random.pick([1, 2, 5, 50, 50]),
		idleMax: random.pick([1, 1, 2, 8]),
	};
}

export function randomListener(
	random: Random,
	slot: number,
	fd: number,
	sessions: number,
	traits: Traits,
): ListenerPlan {
	const readsRequests = traits.readsRequests[slot] === true;
	const proxyRequired = random.chance(0.25);
	const logRequests = traits.logsAll ? SHARE_ALL : random.pick([0, 0.3 * SHARE_ALL, SHARE_ALL]);
	const lists = readsRequests ? REQUEST_ROUTES : ROUTES;
	const routes: RoutePlan[] = random.pick(lists).map((conditions, index) => ({
		conditions: { ...NO_CONDITION, ...conditions },
		slot: slot * 8 + index,
		upstream: conditions.to === null ? -1 : random.below(UPSTREAMS),
		policy: random.chance(0.3) ? random.below(POLICIES) : -1,
		sessionsPerSecond: random.chance(0.1) ? random.pick([1, 10, 100]) : UNLIMITED,
		requestsPerSecond: random.chance(0.1) ? random.pick([1, 10, 100]) : UNLIMITED,
	}));
	return {
		slot,
		fd,
		// As one of the upstreams' addresses has: for all that is known, it may lead back here.
		port: 1_000 + slot,
		connections: random.chance(0.25) ? random.between(1, sessions) : UNLIMITED,
		acceptsPerSecond: UNLIMITED,
		requestsPerSecond: UNLIMITED,
		policy: random.below(POLICIES - 1),
		...NO_REQUESTS,
		...(readsRequests ? { readsRequests, logRequests, http: randomHttp(random) } : {}),
		tls: traits.terminates[slot] === true ? [certificate(random.below(3))] : [],
		proxyRequired,
		trusted: [
			// Some clients' addresses are not trusted.
			{ family: 4, bytes: [10, 0, 0, 0], prefixLength: random.chance(0.8) ? 24 : 31 },
			{ family: 6, bytes: V6_BLOCK, prefixLength: random.chance(0.8) ? 32 : 64 },
		],
		routes,
	};
}

/** A certificate for whatever name. `number`: another one than before is another context. */
function certificate(number: number): TlsEntryPlan {
	const file = { file: "", text: "" };
	const server = { names: ["*"], cert: file, key: file, alpn: [] };
	return { names: server.names, server, identity: `certificate ${number}` };
}

export function isTerminated(plan: ListenerPlan): boolean {
	return plan.tls.length > 0;
}

/** How an address is spoken to through TLS. */
function clientTls(number: number): NonNullable<AddressPlan["tls"]> {
	return { client: { serverName: "", verify: false, alpn: [] }, identity: `way ${number}` };
}

/** What makes an address unlike the others; its weight is the board's. */
function randomShare(random: Random, { patient }: Traits): Pick<AddressPlan, "backup" | "connectionsMax"> {
	return {
		...(random.chance(0.3) ? { backup: true } : {}),
		...(random.chance(0.5) ? { connectionsMax: random.between(1, patient ? 8 : 3) } : {}),
	};
}

export function randomUpstream(random: Random, slot: number, traits: Traits): UpstreamPlan {
	const pool = random.chance(traits.requests) ? randomPool(random, traits) : null;
	const most = traits.patient && random.chance(0.7) ? 1 : ADDRESSES;
	const count = random.chance(traits.patient ? 0.01 : 0.05) ? 0 : random.between(1, most);
	const isUnlike = random.chance(0.4);
	return {
		slot,
		balance: random.pick(BALANCES),
		proxyTlvs: random.pick([[], [], ["sni", "alpn", "tls"]] as const),
		proxyProtocol: pool === null ? random.pick(["off", "off", "v1", "v2"]) : "off",
		pool,
		host: null,
		trailers: random.chance(0.5),
		ejectFailures: random.between(1, 3),
		authority: Uint8Array.of(0x75),
		ejectForMs: random.between(50, 2_000),
		addresses: Array.from({ length: count }, (_, index) => {
			const board = slot * ADDRESSES + index;
			// The last address of each is a Unix socket.
			const sockaddr =
				index === ADDRESSES - 1
					? encodeUnix(`/${board}`)
					: encodeInternet(Uint8Array.of(10, 2, 2, board), 1_000 + board);
			const tls = random.chance(traits.upstreamTls) ? { tls: clientTls(random.pick([1, 1, 1, 2])) } : {};
			const share = isUnlike ? randomShare(random, traits) : {};
			return { board, sockaddr, hash: Math.imul(board + 1, 0x9e3779b1), ...tls, ...share };
		}),
	};
}

/** 2001:db8:0:1:: */
const V6_BLOCK = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0] as const;

const UNLIMITED = Number.POSITIVE_INFINITY;

/** Limits on who may come. `foreign`: descriptors in use before the first client comes. */
function randomLimits(random: Random, sessions: number, foreign: number, { patient }: Traits) {
	if (random.chance(patient ? 0.85 : 0.4)) return NO_LIMITS;
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
	policies: readonly Policy[],
	listeners: readonly ListenerPlan[],
	traits: Traits,
): Plan {
	const connections = random.chance(0.2)
		? 8 * sessions
		: Math.max(1, sessions - random.pick([0, 0, 0, 1, 3]));
	const upstreams: UpstreamPlan[] = [];
	for (let slot = 0; slot < UPSTREAMS; slot++)
		if (!random.chance(traits.patient ? 0.01 : 0.05)) upstreams.push(randomUpstream(random, slot, traits));
	const limits = { ...NO_LIMITS, ...randomLimits(random, sessions, foreign, traits) };
	return { revision, policies, connections, ...limits, logSessions: true, listeners, upstreams };
}

/** Config plus what is known now (addresses, descriptors) to the plan that reactors run on. */

import { isDeepStrictEqual } from "node:util";
import { alternativesOf } from "../config/alternatives.js";
import { isWildcard } from "../config/bind-rules.js";
import type {
	Config,
	Deadlines,
	Endpoint,
	LinesConfig,
	ListenerConfig,
	RouteConfig,
	TunnelAddress,
	UpstreamAddress,
	UpstreamConfig,
} from "../config/config.js";
import { hostFieldOf } from "../config/http-check.js";
import { encodeInternet, encodeUnix } from "../kernel/sockaddr.js";
import { parseIpv4, parseIpv6 } from "../protocol/index.js";
import { SHARE_ALL } from "../reactor/modes/http1/log.js";
import type {
	ByteRates,
	HeldNumbers,
	HttpPlan,
	ListenerPlan,
	Plan,
	Policy,
	RoutePlaces,
	RoutePlan,
} from "../reactor/plan/plan.js";
import { type Counters, LISTENER_SLOTS, ROUTE_SLOTS, UPSTREAM_SLOTS } from "../reactor/records/counters.js";
import { type Board, PLACES } from "../upstream/board.js";
import type { CheckedAddress } from "../upstream/health.js";
import type { AddressPlan, LinesPlan, PoolPlan, UpstreamPlan } from "../upstream/plan.js";
import type { Resolver, Target } from "../upstream/resolver.js";
import type { Certificates, ClientTemplate } from "./certificates.js";
import { lineOptions } from "./line-options.js";
import type { Names } from "./log-lines.js";
import { Slots } from "./slots.js";

/** Gives everything in a config its number, and keeps the numbers over reloads. */
export class Registry {
	readonly listeners: Slots;
	readonly routes: Slots;
	readonly upstreams: Slots;
	readonly addresses: Slots;

	/** `counters`: of all reactors. What was counted for a name goes when its number becomes another's. */
	constructor(board: Board, counters: readonly Counters[]) {
		const forget = (what: (each: Counters) => void): void => {
			for (const each of counters) what(each);
		};
		this.listeners = new Slots("listeners", LISTENER_SLOTS, (slot) =>
			forget((each) => each.forgetListener(slot)),
		);
		this.routes = new Slots("routes", ROUTE_SLOTS, (slot) => forget((each) => each.forgetRoute(slot)));
		this.upstreams = new Slots("upstreams", UPSTREAM_SLOTS, (slot) =>
			forget((each) => each.forgetUpstream(slot)),
		);
		this.addresses = new Slots("upstream addresses", PLACES, (slot) => board.reset(slot));
	}

	/** All reactors have said what they hold, and the journals have been read since. */
	free(held: readonly HeldNumbers[]): void {
		this.listeners.free((slot) => held.some(({ listeners }) => listeners[slot] === 1));
		this.routes.free((slot) => held.some(({ routes }) => routes[slot] === 1));
		this.upstreams.free((slot) => held.some(({ upstreams }) => upstreams[slot] === 1));
		this.addresses.free((slot) => held.some(({ addresses }) => addresses[slot] === 1));
	}

	/** Where an agent of a tunnel is counted, which a plan names. */
	placeOf(upstream: string, label: string): { readonly upstream: number; readonly address: number } {
		return {
			upstream: this.upstreams.take(upstream),
			address: this.addresses.take(addressKey(upstream, label)),
		};
	}

	/** All reactors run with this config: numbers of other names may be given away when nothing holds them. */
	keep(config: Config): void {
		this.listeners.keep(config.listeners.map((listener) => listener.name));
		this.routes.keep(
			config.listeners.flatMap((listener) =>
				listener.routes.map((route) => routeKey(listener.name, route.label)),
			),
		);
		this.upstreams.keep(config.upstreams.map((upstream) => upstream.name));
	}

	/**
	 * Upstreams with the addresses that are known now.
	 *
	 * @throws OutOfSlots when the board has no place for an address
	 */
	resolve(config: Config, resolver: Resolver, { clients }: Certificates): ResolvedUpstream[] {
		const targets = config.upstreams.map((upstream) =>
			distinct([
				...upstream.addresses.flatMap((endpoint) =>
					resolver.targets(endpoint).map((target) => ({ target, host: hostOf(endpoint), share: endpoint })),
				),
				...(upstream.agents ?? []).map(agentTarget),
			]),
		);
		const placed = config.upstreams.map(({ name }, index) =>
			(targets[index] ?? []).map((each) => this.#place(name, each)),
		);
		// Those of before go on being used until the reactors have these; and so long, they say that they hold them.
		this.addresses.keep(
			config.upstreams.flatMap(({ name }, index) =>
				(placed[index] ?? []).map(({ label }) => addressKey(name, label)),
			),
		);
		return config.upstreams.map((upstream, index) => {
			const addresses = placed[index] ?? [];
			const client = clients.get(upstream.name);
			return {
				config: upstream,
				addresses,
				plan: {
					slot: this.upstreams.take(upstream.name),
					balance: upstream.balance,
					proxyProtocol: upstream.proxyProtocol,
					proxyTlvs: upstream.proxyTlvs,
					pool: poolOf(upstream),
					host: bytesOf(upstream.http?.host ?? null),
					authority: authorityOf(upstream),
					trailers: upstream.http?.trailers ?? false,
					...(upstream.datagrams === undefined ? {} : { responses: upstream.datagrams.responses ?? 0 }),
					...(upstream.addresses.some(({ serverId }) => serverId !== undefined)
						? { namesServers: true }
						: {}),
					...(upstream.lines === undefined ? {} : { lines: linesOf(upstream.lines) }),
					...(upstream.hub === undefined ? {} : { hub: upstream.hub }),
					ejectFailures: upstream.eject.failures,
					ejectForMs: upstream.eject.forMs,
					addresses: addresses.map(({ board, target, label, host, share }) => ({
						board,
						sockaddr: sockaddrOf(target),
						hash: hashOf(label),
						...(share.backup ? { backup: true } : {}),
						...(target.kind === "agent" ? { tunnel: target.tunnel } : {}),
						...(share.serverId === undefined ? {} : { serverId: share.serverId }),
						...(share.maxConnections === null ? {} : { connectionsMax: share.maxConnections }),
						...(client === undefined ? {} : { tls: clientTls(client, upstream.tls?.serverName ?? host) }),
					})),
				},
			};
		});
	}

	#place(upstream: string, found: Omit<PlacedAddress, "board" | "label">): PlacedAddress {
		const label = targetText(found.target);
		return { ...found, board: this.addresses.take(addressKey(upstream, label)), label };
	}
}

function agentTarget({
	tunnel,
	label,
	maxConnections,
}: TunnelAddress): Omit<PlacedAddress, "board" | "label"> {
	return {
		target: { kind: "agent", tunnel, label },
		host: label,
		share: { weight: 1, backup: false, maxConnections },
	};
}

function linesOf({ pool, replaceMs, reserved, heartbeatMs, deadAfterMs }: LinesConfig): LinesPlan {
	const { idleMs, ageMs, requests, connections } = pool;
	return {
		...{ keeps: true, idleMs, ageMs, requests, idleMax: connections, replaceMs, reserved },
		...lineOptions(heartbeatMs, deadAfterMs),
	};
}

function poolOf({ http }: UpstreamConfig): PoolPlan | null {
	if (http === null) return null;
	if (http.pool === null) return { keeps: false, idleMs: 0, ageMs: 0, requests: 1, idleMax: 0 };
	const { idleMs, ageMs, requests, connections } = http.pool;
	return { keeps: true, idleMs, ageMs, requests, idleMax: connections };
}

function bytesOf(text: string | null): Uint8Array | null {
	return text === null ? null : new TextEncoder().encode(text);
}

/** An address that two names lead to is one address: twice in the list, it would get twice the sessions. */
function distinct<T extends { readonly target: Target }>(targets: readonly T[]): T[] {
	return [...new Map(targets.map((named) => [targetText(named.target), named])).values()];
}

/** For requests that name no host. */
function authorityOf({ addresses: [endpoint], tls }: UpstreamConfig): Uint8Array {
	const host = endpoint === undefined ? "localhost" : hostFieldOf({ endpoint, throughTls: tls !== null });
	return new TextEncoder().encode(host);
}

/** What an upstream's certificate is for, unless the config says otherwise. */
function hostOf(endpoint: Endpoint): string {
	if (endpoint.kind === "unix") return "localhost";
	return endpoint.kind === "ip" ? endpoint.address : endpoint.host.replace(/\.$/, "");
}

function clientTls(
	{ options, identity }: ClientTemplate,
	serverName: string,
): NonNullable<AddressPlan["tls"]> {
	return { client: { ...options, serverName }, identity: `${identity} ${serverName}` };
}

/** An upstream with what its names mean now. */
export interface ResolvedUpstream {
	readonly config: UpstreamConfig;
	readonly addresses: readonly PlacedAddress[];
	readonly plan: UpstreamPlan;
}

export interface PlacedAddress {
	/** Place on the board. */
	readonly board: number;
	readonly target: Target;
	/** `10.0.0.5:443` */
	readonly label: string;
	/** As its endpoint is written. */
	readonly host: string;
	/** Its weight, and what else the file says of it. */
	readonly share: Pick<UpstreamAddress, "weight" | "backup" | "maxConnections" | "serverId">;
}

/** What health checks have to follow. */
export function checkedAddresses(upstreams: readonly ResolvedUpstream[]): CheckedAddress[] {
	return upstreams.flatMap(({ config, addresses, plan }) => {
		const { health } = config;
		if (health === null) return [];
		return addresses.flatMap(({ board, target, label }, index) => {
			if (target.kind === "agent") return [];
			const tls = plan.addresses[index]?.tls?.client ?? null;
			return { board, target, health, tls, label: `${config.name} ${label}` };
		});
	});
}

/** Names that carry two parts are joined by a character that neither can contain. */
const SEPARATOR = "\t";

export function routeKey(listener: string, label: string): string {
	return `${listener}${SEPARATOR}${label}`;
}

function addressKey(upstream: string, target: string): string {
	return `${upstream}${SEPARATOR}${target}`;
}

/** The parts of a route's or an address's name: its listener or upstream, and itself. */
export function splitKey(key: string): [string, string] {
	const [owner = "", own = ""] = key.split(SEPARATOR);
	return [owner, own];
}

/** What numbers mean that sessions carry. */
export function namesIn({ listeners, routes, upstreams, addresses }: Registry): Names {
	const ownPart = (key: string): string => splitKey(key)[1];
	return {
		listener: { of: (slot) => listeners.nameOf(slot) },
		route: { of: (slot) => routes.nameOf(slot), shown: ownPart },
		upstream: { of: (slot) => upstreams.nameOf(slot) },
		address: { of: (slot) => addresses.nameOf(slot), shown: ownPart },
	};
}

export function policyOf(
	{ limits, keepalive, sockets }: Config,
	{ timeouts, userTimeoutMs, quicIdleMs }: Deadlines,
	rates: ByteRates | null,
	places: RoutePlaces | null,
): Policy {
	return {
		handshakeMs: timeouts.handshakeMs,
		connectMs: timeouts.connectMs,
		idleMs: timeouts.idleMs,
		quicIdleMs: quicIdleMs ?? timeouts.idleMs,
		stallMs: timeouts.stallMs,
		halfClosedMs: timeouts.halfClosedMs,
		lifetimeMs: timeouts.lifetimeMs,
		silenceMs: timeouts.silenceMs,
		requestHeadMs: timeouts.requestHeadMs,
		responseHeadMs: timeouts.responseHeadMs,
		keepAliveMs: timeouts.keepAliveMs,
		bodyBytesPerSecond: limits.bodyBytesPerSecond,
		keepaliveIdleSeconds: keepalive.idleSeconds,
		keepaliveIntervalSeconds: keepalive.intervalSeconds,
		keepaliveProbes: keepalive.probes,
		userTimeoutMs,
		unsentBytes: sockets.unsentBytes,
		sendBufferBytes: sockets.sendBytes ?? 0,
		receiveBufferBytes: sockets.receiveBytes ?? 0,
		rates,
		places,
	};
}

/** The policies of a config, each once. */
class PolicyList {
	readonly all: Policy[] = [];
	readonly #config: Config;
	readonly #numbers = new Map<string, number>();

	constructor(config: Config) {
		this.#config = config;
	}

	numberOf(deadlines: Deadlines, rates: ByteRates | null, places: RoutePlaces | null): number {
		const text = JSON.stringify([deadlines, rates, places]);
		const number =
			this.#numbers.get(text) ?? this.all.push(policyOf(this.#config, deadlines, rates, places)) - 1;
		this.#numbers.set(text, number);
		return number;
	}
}

/** What the process may use, as decided at start. */
export interface Capacity {
	/** Sessions at once. */
	readonly connections: number;
	readonly descriptors: number;
}

/** What the files of certificates hold, and the keys of tickets. */
export interface TlsMaterial {
	readonly certificates: Certificates;
	readonly ticketKeys: readonly Uint8Array[];
}

/**
 * The plan for one reactor; `socketOf`: its listening socket for a listener, and where that is bound.
 *
 * @throws OutOfSlots
 */
export function planFor(
	config: Config,
	registry: Registry,
	upstreams: readonly ResolvedUpstream[],
	revision: number,
	capacity: Capacity,
	{ certificates, ticketKeys }: TlsMaterial,
	socketOf: (listener: string) => Pick<ListenerPlan, "fd" | "port" | "isShared">,
): Plan {
	const { limits } = config;
	const policies = new PolicyList(config);
	const listeners: ListenerPlan[] = config.listeners.map((listener) => ({
		slot: registry.listeners.take(listener.name),
		...socketOf(listener.name),
		// Not those of all together: being full on its own account, it would never make room.
		connections: listener.connections ?? Number.POSITIVE_INFINITY,
		acceptsPerSecond: listener.acceptsPerSecond ?? Number.POSITIVE_INFINITY,
		requestsPerSecond: listener.requestsPerSecond ?? Number.POSITIVE_INFINITY,
		policy: policies.numberOf(listener.deadlines, ratesOf(config, listener, null), null),
		...(listener.isForAgents === true ? { isForAgents: true } : {}),
		...(listener.datagrams === undefined
			? {}
			: { datagrams: { ...listener.datagrams, bindsAny: isWildcard(listener.host) } }),
		...(listener.passes === undefined ? {} : { passes: listener.passes }),
		proxyRequired: listener.proxyProtocol.mode === "require",
		trusted: listener.proxyProtocol.trusted,
		routes: listener.routes.flatMap((route) => routePlans(config, route, listener, registry, policies)),
		readsRequests: listener.readsRequests,
		logRequests: isLogged(config) ? Math.round(listener.logRequests * SHARE_ALL) : 0,
		http: httpPlan(config, listener),
		tls: certificates.entries.get(listener.name) ?? [],
	}));
	return {
		revision,
		policies: policies.all,
		connections: capacity.connections,
		resetsWhenFull: limits.whenFull === "reset",
		shedsWhenFull: limits.connections === null,
		connectionsPerSource: limits.connectionsPerIp ?? Number.POSITIVE_INFINITY,
		acceptsPerSecondPerSource: limits.acceptsPerSecondPerIp ?? Number.POSITIVE_INFINITY,
		acceptsPerSecond: limits.acceptsPerSecond ?? Number.POSITIVE_INFINITY,
		descriptorCeiling: capacity.descriptors - limits.fdReserve,
		// The admin port tells why sessions ended, whatever the log says.
		halfHellos: limits.halfHellos,
		logSessions:
			(isLogged(config) && config.log.sessions) ||
			config.admin !== null ||
			config.tunnels !== null ||
			config.listeners.some(({ isForOwnLines }) => isForOwnLines === true),
		ticketKeys: listeners.some(({ tls }) => tls.length > 0) ? ticketKeys : [],
		clientSubjectField: config.tls.clientSubjectHeader,
		listeners,
		upstreams: upstreams.map(({ plan }) => plan),
	};
}

/** One for each combination of its values; all of them are the same route to whoever counts. */
function routePlans(
	config: Config,
	route: RouteConfig,
	listener: ListenerConfig,
	registry: Registry,
	policies: PolicyList,
): RoutePlan[] {
	const slot = registry.routes.take(routeKey(listener.name, route.label));
	const upstream = route.to === null ? -1 : registry.upstreams.take(route.to);
	const rates = ratesOf(config, listener, route);
	const places = route.connections === null ? null : { route: slot, most: route.connections };
	const isListeners =
		route.deadlines === null && places === null && isDeepStrictEqual(rates, ratesOf(config, listener, null));
	return alternativesOf(route).map((conditions) => ({
		conditions,
		slot,
		upstream,
		policy: isListeners ? -1 : policies.numberOf(route.deadlines ?? listener.deadlines, rates, places),
		sessionsPerSecond: route.sessionsPerSecond ?? Number.POSITIVE_INFINITY,
		requestsPerSecond: route.requestsPerSecond ?? Number.POSITIVE_INFINITY,
		...(route.noTunnel === true ? { noTunnel: true } : {}),
		...(route.channel === undefined ? {} : { channel: route.channel }),
	}));
}

/** What sessions of a listener, or of one of its routes, may move; `null`: any number of bytes. */
function ratesOf(
	{ limits }: Config,
	{ byteRates }: ListenerConfig,
	route: RouteConfig | null,
): ByteRates | null {
	const { perIp, perSession } = route === null ? byteRates : route.byteRates;
	const rates: ByteRates = {
		all: limits.byteRates.all ?? 0,
		listener: byteRates.all ?? 0,
		route: route?.byteRates.all ?? 0,
		source: perIp ?? 0,
		own: perSession ?? 0,
	};
	return Object.values(rates).every((rate) => rate === 0) ? null : rates;
}

/** Lines of requests are written at level info. */
function isLogged({ log }: Config): boolean {
	return log.level === "debug" || log.level === "info";
}

function httpPlan({ limits }: Config, listener: ListenerConfig): HttpPlan {
	return {
		requestsPerConnection: limits.requestsPerConnection,
		requestsPerSecond: limits.requestsPerSecond ?? Number.POSITIVE_INFINITY,
		requestsPerSecondPerSource: limits.requestsPerSecondPerIp ?? Number.POSITIVE_INFINITY,
		requestBodyBytes: limits.requestBodyBytes ?? Number.POSITIVE_INFINITY,
		via: bytesOf(listener.via),
		forwardedTrusted: listener.forwardedTrusted,
		paths: listener.paths,
	};
}

export function targetText(target: Target): string {
	if (target.kind === "unix") return `unix:${target.path}`;
	if (target.kind === "agent") return target.label;
	return target.family === 6 ? `[${target.address}]:${target.port}` : `${target.address}:${target.port}`;
}

/** 4 or 16 bytes of an IP literal. */
export function addressBytes(address: string): Uint8Array {
	const bytes = parseIpv4(address) ?? parseIpv6(address);
	if (bytes === undefined) throw new TypeError(`"${address}" is not an IP address`);
	return bytes;
}

const NOT_DIALLED = new Uint8Array(0);

function sockaddrOf(target: Target): Uint8Array {
	if (target.kind === "unix") return encodeUnix(target.path);
	if (target.kind === "agent") return NOT_DIALLED;
	return encodeInternet(addressBytes(target.address), target.port);
}

function hashOf(text: string): number {
	let hash = 0x811c9dc5;
	for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
	return hash | 0;
}

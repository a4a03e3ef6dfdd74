/**
 * What is open makes of a configuration: the port for agents is a listener, a tunnel an upstream whose addresses are agents, and a
 * route to `tunnels` a route for each name that is held at this moment. So reactors, metrics, operators and `explain` know tunnels as
 * they know everything else, and what comes and goes takes the way of a reload.
 *
 *     { sni: "*.example.com", to: tunnels }   ──►   { sni: app.example.com, to: "tunnels:app" }    for each that is held, and
 *                                                   { sni: "*.example.com", to: reject }           behind all of them
 */
import type {
	Cidr,
	Config,
	FixedAnswerConfig,
	ListenerConfig,
	RouteConfig,
	TunnelsConfig,
	UpstreamConfig,
} from "../../config/config.js";
import * as defaults from "../../config/defaults.js";
import { routeLabel } from "../../config/label.js";
import { TUNNELS } from "../../config/names.js";
import { distinctLists } from "../../config/passwords.js";
import { bracketed } from "../../parts/bracketed.js";
import { carriesDatagrams, hasPort, isEndToEnd, LINE_ALPN } from "../../protocol/tunnel/index.js";
import { contains } from "../../route/router.js";
import type { DatagramKind, NamedKind, OpenTunnel } from "../../tunnel/gateway/interfaces.js";
import { plainListener, plainRoute } from "../plain-listener.js";

/** Requests for a name that no agent holds. */
const NO_TUNNEL: FixedAnswerConfig = {
	status: 503,
	body: "No agent holds this name at the moment.\n",
	contentType: "text/plain; charset=utf-8",
	redirect: null,
};

/** As log, metrics and operators call the upstream of a tunnel: no name in a file has a colon. */
export function upstreamName({ name }: OpenTunnel): string {
	return `${TUNNELS}:${name}`;
}

/** The upstream of this name is a tunnel's. */
export function isTunnel(upstream: string): boolean {
	return upstream.startsWith(`${TUNNELS}:`);
}

/** The address of one agent in it. */
export function agentLabel({ identity, number }: OpenTunnel): string {
	return `${identity}#${number}`;
}

/** `open`: what agents hold. */
export function withTunnels(config: Config, open: readonly OpenTunnel[]): Config {
	const { tunnels } = config;
	if (tunnels === null) return config;
	return {
		...config,
		listeners: [
			...config.listeners.map((listener) => leadingTo(listener, open)),
			agentsListener(config, tunnels),
			...atPorts(open).map((agents) => portListener(config, tunnels, agents)),
		],
		upstreams: [...config.upstreams, ...upstreamsOf(tunnels, open, tunnels.deadlines.timeouts.connectMs)],
	};
}

/** Tunnels with a port of their own, by port and transport. One that several agents share has one. */
function atPorts(open: readonly OpenTunnel[]): readonly (readonly [OpenTunnel, ...OpenTunnel[]])[] {
	const byPort = new Map<string, [OpenTunnel, ...OpenTunnel[]]>();
	for (const tunnel of open) {
		if (tunnel.port === null) continue;
		const key = `${tunnel.kind} ${tunnel.port}`;
		const others = byPort.get(key);
		if (others === undefined) byPort.set(key, [tunnel]);
		else others.push(tunnel);
	}
	return [...byPort.values()];
}

function leadingTo(listener: ListenerConfig, all: readonly OpenTunnel[]): ListenerConfig {
	if (!listener.routes.some(({ to }) => to === TUNNELS)) return listener;
	const takesDatagrams = listener.datagrams !== undefined;
	const open = all.filter(({ kind }) => carriesDatagrams(kind) === takesDatagrams);
	if (takesDatagrams) return { ...listener, routes: routesOf(listener.routes, open, false) };
	return {
		...listener,
		readsRequests: true,
		routes: routesOf(listener.routes, open, true),
		// Their agents show certificates of their own, whatever is shown for other names here.
		passes: open.flatMap(({ kind, host }) => (kind === "tls" && host !== null ? [host] : [])),
	};
}

/**
 * Names that nobody holds are refused behind the last of these routes, for what one of them does not lead to another may: in TLS that
 * is terminated, a name may be held as one of requests.
 */
function routesOf(
	routes: readonly RouteConfig[],
	open: readonly OpenTunnel[],
	answers: boolean,
): RouteConfig[] {
	const leading = routes.filter(({ to }) => to === TUNNELS);
	const refusing = leading.map((route) => refusalOf(route, answers));
	const last = leading.at(-1);
	return routes.flatMap((route) => {
		if (route.to !== TUNNELS) return [route];
		const held = routesFor(route, open);
		// Requests are told so; others see an end.
		return route === last
			? [
					...held,
					...refusing.filter(({ answer }) => answer !== null),
					...refusing.filter(({ answer }) => answer === null),
				]
			: held;
	});
}

function refusalOf(route: RouteConfig, answers: boolean): RouteConfig {
	const isForRequests = answers && (route.host !== null || route.path !== null || route.sni === null);
	return { ...route, to: null, answer: isForRequests ? NO_TUNNEL : null, noTunnel: true };
}

/** One for each name that fits. */
function routesFor(route: RouteConfig, open: readonly OpenTunnel[]): RouteConfig[] {
	const held = new Map<string, RouteConfig>();
	for (const tunnel of open) {
		const { kind, host } = tunnel;
		if (host === null || hasPort(kind)) continue;
		if (!leadsTo(route, kind, host)) continue;
		const key = isEndToEnd(kind) ? "sni" : "host";
		const own: RouteConfig = {
			...route,
			[key]: [host],
			...(kind === "quic" ? { protocol: ["quic"] } : {}),
			to: upstreamName(tunnel),
		};
		held.set(host, narrowed(held.get(host) ?? own, tunnel));
	}
	// Nobody may come who may take the others.
	const taken = [...held.values()].filter(({ source }) => source?.length !== 0);
	return taken.map((each) => ({ ...each, label: labelOf(each) }));
}

/** What a tunnel lets pass of what a route would. One that several agents share lets pass what each of them does. */
function narrowed(route: RouteConfig, { allow, bytesPerSecond, basicAuth }: OpenTunnel): RouteConfig {
	const { source, byteRates } = route;
	const asked = distinctLists([...(route.basicAuth ?? []), ...basicAuth]);
	return {
		...route,
		source: meet(source, allow),
		byteRates: { ...byteRates, all: lesser(byteRates.all, bytesPerSecond) },
		...(asked.length === 0 ? {} : { basicAuth: asked }),
	};
}

/** A route to tunnels takes visitors of this name. What asks for the other kind of name is for others. */
export function leadsTo(route: RouteConfig, kind: NamedKind, host: string): boolean {
	if (route.to !== TUNNELS) return false;
	// Where a password is asked for, nothing may pass that cannot be asked.
	if (isEndToEnd(kind) && route.basicAuth !== undefined) return false;
	const [asked, other] = isEndToEnd(kind) ? [route.sni, route.host] : [route.host, route.sni];
	return asked === null ? other === null : fits(asked, host);
}

/** The longest that a session of datagrams may be idle in a tunnel of this kind, wherever it comes in. */
export function datagramIdleMs(
	{ listeners }: Config,
	{ datagramDeadlines }: TunnelsConfig,
	kind: DatagramKind,
): number {
	const leading = listeners.filter(({ datagrams }) => datagrams !== undefined && kind === "quic");
	const held = leading.flatMap(({ routes, deadlines }) =>
		routes.filter(({ to }) => to === TUNNELS).map((route) => route.deadlines ?? deadlines),
	);
	return Math.max(
		...[datagramDeadlines, ...held].map(({ timeouts, quicIdleMs }) =>
			kind === "quic" ? (quicIdleMs ?? timeouts.idleMs) : timeouts.idleMs,
		),
	);
}

/** Addresses that are in a block of each list; `null`: all addresses are. */
function meet(one: readonly Cidr[] | null, other: readonly Cidr[] | null): readonly Cidr[] | null {
	if (one === null || other === null) return one ?? other;
	return one.flatMap((block) =>
		other.flatMap((each) => {
			const [wide, narrow] = block.prefixLength <= each.prefixLength ? [block, each] : [each, block];
			return wide.family === narrow.family && contains(wide, narrow.family, Uint8Array.from(narrow.bytes), 0)
				? [narrow]
				: [];
		}),
	);
}

function lesser(one: number | null, other: number | null): number | null {
	return one === null || other === null ? (one ?? other) : Math.min(one, other);
}

function labelOf(route: RouteConfig): string {
	const { sni, host, path, subprotocol, alpn, protocol, source } = route;
	return routeLabel({ sni, host, path, subprotocol, alpn, protocol, source });
}

function fits(patterns: readonly string[], host: string): boolean {
	return patterns.some((pattern) =>
		pattern.startsWith("*.") ? host.endsWith(pattern.slice(1)) : pattern === host,
	);
}

/** `replaceMs`: so long an old line waits for the one in its place, and so long a visitor would. */
function upstreamsOf(
	tunnels: TunnelsConfig,
	open: readonly OpenTunnel[],
	replaceMs: number,
): UpstreamConfig[] {
	const byName = new Map<string, OpenTunnel[]>();
	for (const tunnel of open) {
		const name = upstreamName(tunnel);
		byName.set(name, [...(byName.get(name) ?? []), tunnel]);
	}
	return [...byName].map(([name, agents]) => {
		const kind = agents[0]?.kind ?? "tcp";
		const isHttp = kind === "http";
		const takesDatagrams = carriesDatagrams(kind);
		const pool = {
			idleMs: Number.POSITIVE_INFINITY,
			ageMs: tunnels.ageMs,
			requests: tunnels.requests,
			connections: tunnels.linesMax,
		};
		const { heartbeatMs, deadAfterMs } = tunnels;
		return {
			name,
			addresses: [],
			...(takesDatagrams ? { datagrams: { responses: null } } : {}),
			agents: agents.map((tunnel) => ({
				tunnel: tunnel.number,
				label: agentLabel(tunnel),
				maxConnections: tunnel.connections,
			})),
			lines: { pool, replaceMs, reserved: tunnels.linesReserved, heartbeatMs, deadAfterMs },
			http: isHttp ? { host: null, trailers: false, pool } : null,
			tls: null,
			timeouts: tunnels.timeouts,
			balance: "least_connections",
			// By it an agent knows a visitor, and who it is.
			proxyProtocol: isHttp ? "off" : "v2",
			proxyTlvs: [],
			health: null,
			eject: defaults.eject,
			resolveMs: defaults.resolveMs,
		};
	});
}

function agentsListener(config: Config, { name, host, port, tls }: TunnelsConfig): ListenerConfig {
	const certificate =
		tls === null ? [] : [{ names: ["*"], ...tls, clientCaFile: null, ocspFile: null, alpn: [LINE_ALPN] }];
	// Several may ask for a free port, and are told apart all the same.
	const isTaken = config.listeners.some((listener) => listener.name === name);
	return {
		...plainListener(config, isTaken ? `${name}#agents` : name, host, port),
		certificates: certificate,
		isForAgents: true,
	};
}

/** Visitors of a `tcp` or `udp` tunnel come to a port of its own. `agents`: those that share it. */
function portListener(
	config: Config,
	{ host, deadlines, datagramDeadlines }: TunnelsConfig,
	agents: readonly [OpenTunnel, ...OpenTunnel[]],
): ListenerConfig {
	const [tunnel] = agents;
	const takesDatagrams = carriesDatagrams(tunnel.kind);
	const port = tunnel.port ?? 0;
	const shown = host === "*" ? "" : bracketed(host);
	const { perIp, perSession } = config.limits.byteRates;
	const route: RouteConfig = {
		...plainRoute(upstreamName(tunnel), { all: null, perIp, perSession }),
		deadlines: takesDatagrams ? datagramDeadlines : deadlines,
		// Each has as many as it may.
		connections: agents.reduce<number | null>(
			(sum, { connections }) => (sum === null || connections === null ? null : sum + connections),
			0,
		),
	};
	const routes = [agents.reduce(narrowed, route)];
	const name = `${shown}:${port}${takesDatagrams ? "/udp" : ""}`;
	return {
		...plainListener(config, name, host, port),
		routes,
		...(takesDatagrams ? { datagrams: { unknownVersions: defaults.datagrams.unknownVersions } } : {}),
	};
}

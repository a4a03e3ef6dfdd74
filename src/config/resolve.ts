/** From the file as parsed to the Config that the rest of Sluice sees: shorthands spelled out, defaults filled in. */

import { resolve } from "node:path";
import type {
	AdminConfig,
	CertificatePair,
	Config,
	Deadlines,
	Endpoint,
	FixedAnswerConfig,
	HttpUpstreamConfig,
	Keepalive,
	ListenerConfig,
	RouteConfig,
	RoutedTimeouts,
	RouteRequests,
	Timeouts,
	UpstreamAddress,
	UpstreamConfig,
	UpstreamTlsConfig,
} from "./config.js";
import * as defaults from "./defaults.js";
import { hostFieldOf } from "./http-check.js";
import { routeLabel } from "./label.js";
import { REJECT, TUNNELS } from "./names.js";
import { bytesTargets, readsRequests } from "./request-rules.js";
import { datagramTimeouts, resolveDatagrams } from "./resolve-datagrams.js";
import { resolveHealth } from "./resolve-health.js";
import { HUB_UPSTREAM, resolveHub } from "./resolve-hub.js";
import { resolveRates } from "./resolve-rates.js";
import {
	type Holding,
	holding,
	listenerTimeouts,
	resolveTimeouts,
	routedTimeouts,
	tunnelTimeouts,
} from "./resolve-timeouts.js";
import { resolveTunnels } from "./resolve-tunnels.js";
import type { ConfigFile } from "./schema.js";

type ListenerFile = NonNullable<ConfigFile["listeners"]>[number];
type RouteFile = ListenerFile["routes"][number];
type UpstreamFile = NonNullable<ConfigFile["upstreams"]>[string];
type UpstreamTlsFile = Exclude<UpstreamFile, Endpoint>["tls"];
type PoolFile = Exclude<UpstreamFile, Endpoint>["pool"];

/** What the values say; where they stand in the text, the loader adds. */
export function resolveConfig(
	input: ConfigFile,
	file: string | null,
	baseDir: string,
): Omit<Config, "warnings" | "places" | "parts"> {
	const { limits, sockets, log } = input;
	const general = resolveTimeouts(input.timeouts);
	const usualHold = holding(input.keepalive);
	const limitBodyBytes = unlessOff(limits?.request_body_bytes) ?? defaults.limits.requestBodyBytes;
	const takeNone = bytesTargets(input.upstreams);
	const generalRates = resolveRates(limits);
	const upstreams = Object.entries(input.upstreams ?? {}).map(([name, upstream]) =>
		resolveUpstream(name, upstream, baseDir),
	);
	const timeoutsTo = new Map(upstreams.map(({ name, timeouts }) => [name, timeouts]));
	return {
		file,
		admin: resolveAdmin(input.admin, baseDir),
		adminHosts: input.admin_hosts ?? [],
		adminTokens: { full: input.admin_tokens?.full ?? null, read: input.admin_tokens?.read ?? null },
		reactors: input.reactors ?? null,
		limits: {
			connections: limits?.connections ?? defaults.limits.connections,
			whenFull: limits?.when_full ?? defaults.limits.whenFull,
			connectionsPerIp: unlessOff(limits?.connections_per_ip) ?? defaults.limits.connectionsPerIp,
			acceptsPerSecond: unlessOff(limits?.accepts_per_second) ?? defaults.limits.acceptsPerSecond,
			acceptsPerSecondPerIp:
				unlessOff(limits?.accepts_per_second_per_ip) ?? defaults.limits.acceptsPerSecondPerIp,
			bufferedBytes: limits?.buffered_bytes ?? defaults.limits.bufferedBytes,
			fdReserve: limits?.fd_reserve ?? defaults.limits.fdReserve,
			halfHellos: limits?.half_hellos ?? defaults.limits.halfHellos,
			memoryBytes: limits?.memory ?? defaults.limits.memoryBytes,
			requestsPerConnection: limits?.requests_per_connection ?? defaults.limits.requestsPerConnection,
			requestsPerSecond: unlessOff(limits?.requests_per_second) ?? defaults.limits.requestsPerSecond,
			requestsPerSecondPerIp:
				unlessOff(limits?.requests_per_second_per_ip) ?? defaults.limits.requestsPerSecondPerIp,
			requestBodyBytes: limitBodyBytes,
			bodyBytesPerSecond: rateOf(limits?.body_bytes_per_second) ?? defaults.limits.bodyBytesPerSecond,
			byteRates: generalRates,
		},
		timeouts: general,
		keepalive: resolveKeepalive(input.keepalive, usualHold(general).userTimeoutMs),
		sockets: {
			unsentBytes: sockets?.unsent ?? defaults.sockets.unsentBytes,
			sendBytes: unlessOff(sockets?.send_buffer) ?? defaults.sockets.sendBytes,
			receiveBytes: unlessOff(sockets?.receive_buffer) ?? defaults.sockets.receiveBytes,
		},
		ledger: { intervalMs: input.ledger?.interval ?? defaults.ledger.intervalMs },
		log: {
			level: log?.level ?? defaults.log.level,
			format: log?.format ?? defaults.log.format,
			sessions: log?.sessions ?? defaults.log.sessions,
		},
		tls: {
			reloadMs: input.tls?.reload ?? defaults.tls.reloadMs,
			clientSubjectHeader: input.tls?.client_subject_header ?? defaults.tls.clientSubjectHeader,
		},
		watch: input.watch ?? defaults.watch,
		listeners: distinctNames(
			(input.listeners ?? []).map((each) => {
				const [timeouts, hold] =
					each.listen.transport === "udp"
						? datagramTimeouts(general, each.timeouts, usualHold)
						: [listenerTimeouts(general, each.timeouts), usualHold];
				const byteRates = resolveRates(each, generalRates);
				const held = (route: RouteFile): Deadlines | null =>
					routeDeadlines(
						timeouts,
						route.to === TUNNELS
							? each.listen.transport === "udp"
								? routedTimeouts(input.tunnels?.timeouts)
								: tunnelTimeouts(input.tunnels?.timeouts, [input.timeouts, each.timeouts])
							: timeoutsTo.get(String(route.to)),
						route.timeouts,
						hold,
					);
				return {
					...resolveListener(each, takeNone, baseDir),
					deadlines: hold(timeouts),
					byteRates,
					routes: each.routes.map((route) => ({
						...resolveRoute(route, limitBodyBytes),
						deadlines: held(route),
						byteRates: resolveRates(route, byteRates),
					})),
				};
			}),
		),
		upstreams: input.hub === undefined ? upstreams : [...upstreams, HUB_UPSTREAM],
		tunnels: resolveTunnels(
			input.tunnels,
			baseDir,
			(timeouts) => usualHold({ ...general, ...timeouts }),
			input.timeouts,
		),
		hub: resolveHub(input.hub, baseDir),
	};
}

function resolveAdmin(file: ConfigFile["admin"], baseDir: string): AdminConfig | null {
	if (file === undefined || file === "off") return null;
	const { listen, tls, mode = defaults.adminMode } = "listen" in file ? file : { listen: file };
	if (listen.kind === "unix") return { ...absolute(listen, baseDir), mode: mode.padStart(4, "0") };
	return { ...listen, tls: tls === undefined ? null : certificatePair(tls, baseDir) };
}

function certificatePair({ cert, key }: { cert: string; key: string }, baseDir: string): CertificatePair {
	return { certFile: resolve(baseDir, cert), keyFile: resolve(baseDir, key) };
}

/** A word stands for "no number here". */
function unlessOff(value: number | "off" | "auto" | undefined): number | undefined {
	return typeof value === "number" ? value : undefined;
}

function resolveKeepalive(file: ConfigFile["keepalive"], userTimeoutMs: number): Keepalive {
	return {
		idleSeconds: file?.idle ?? defaults.keepalive.idleSeconds,
		intervalSeconds: file?.interval ?? defaults.keepalive.intervalSeconds,
		probes: file?.probes ?? defaults.keepalive.probes,
		userTimeoutMs,
	};
}

/** Several listeners may ask for a free port (`127.0.0.1:0`); their names must tell them apart all the same. */
function distinctNames(listeners: readonly ListenerConfig[]): ListenerConfig[] {
	const seen = new Map<string, number>();
	return listeners.map((listener) => {
		const count = (seen.get(listener.name) ?? 0) + 1;
		seen.set(listener.name, count);
		return count === 1 ? listener : { ...listener, name: `${listener.name}#${count}` };
	});
}

function resolveListener(
	listener: ListenerFile,
	takeNone: ReadonlySet<string>,
	baseDir: string,
): Omit<ListenerConfig, "deadlines" | "byteRates" | "routes"> {
	const reads = readsRequests(listener.routes, takeNone);
	const file = (path: string | undefined): string | null =>
		path === undefined ? null : resolve(baseDir, path);
	const { name, host, port, transport } = listener.listen;
	return {
		...{ name, host, port },
		...(transport === "tcp" ? {} : { datagrams: resolveDatagrams(listener.unknown_versions) }),
		backlog: listener.backlog ?? defaults.backlog,
		connections: listener.connections ?? null,
		acceptsPerSecond: unlessOff(listener.accepts_per_second) ?? null,
		requestsPerSecond: unlessOff(listener.requests_per_second) ?? null,
		proxyProtocol: { mode: listener.proxy_protocol ?? "off", trusted: listener.trusted ?? [] },
		forwardedTrusted: listener.forwarded_trusted ?? [],
		paths: listener.paths ?? "match",
		certificates: (listener.tls ?? []).map(({ names, cert, key, client_ca, ocsp, alpn }) => ({
			names,
			...certificatePair({ cert, key }, baseDir),
			clientCaFile: file(client_ca),
			ocspFile: file(ocsp),
			alpn: alpn ?? (reads ? defaults.HTTP_ALPN : []),
		})),
		via: resolveVia(listener.via),
		logRequests: resolveShare(listener.log_requests),
		readsRequests: reads,
	};
}

function resolveVia(via: string | undefined): string | null {
	if (via === undefined || via === "off") return null;
	return via === "on" ? defaults.viaName : via;
}

function resolveShare(value: ListenerFile["log_requests"]): number {
	if (value === undefined) return defaults.logRequests;
	return typeof value === "number" ? value : value === "all" ? 1 : 0;
}

/** Its own where it or its upstream says something, otherwise its listener's. */
function routeDeadlines(
	listener: Timeouts,
	upstream: Partial<RoutedTimeouts> | undefined,
	route: RouteFile["timeouts"],
	hold: Holding,
): Deadlines | null {
	const own = { ...upstream, ...routedTimeouts(route) };
	if (Object.keys(own).length === 0) return null;
	const { quicIdleMs, ...deadlines } = hold({ ...listener, ...own });
	// What is said of idle sessions is said of those of QUIC, too.
	return quicIdleMs === undefined || own.idleMs !== undefined ? deadlines : { ...deadlines, quicIdleMs };
}

function resolveRoute(
	route: RouteFile,
	bodyBytes: number | null,
): Omit<RouteConfig, "deadlines" | "byteRates"> {
	return {
		sni: listed(route.sni),
		host: listed(route.host),
		alpn: listed(route.alpn),
		protocol: listed(route.protocol),
		source: listed(route.source),
		path: listed(route.path),
		subprotocol: listed(route.subprotocol),
		to: typeof route.to !== "string" || route.to === REJECT ? null : route.to,
		answer: typeof route.to === "string" ? null : resolveAnswer(route.to),
		requests: resolveRequests(route, bodyBytes),
		...(route.basic_auth === undefined ? {} : { basicAuth: [route.basic_auth] }),
		connections: route.connections ?? null,
		...(route.channel === undefined ? {} : { channel: route.channel }),
		sessionsPerSecond: unlessOff(route.sessions_per_second) ?? null,
		requestsPerSecond: unlessOff(route.requests_per_second) ?? null,
		label: routeLabel(route),
	};
}

function resolveAnswer(to: Exclude<RouteFile["to"], string>): FixedAnswerConfig {
	const { redirect = null, body = "", content_type: contentType = defaults.answerContentType } = to;
	// The rules say that there is one of the two.
	return { status: to.status ?? defaults.redirectStatus, body, contentType, redirect };
}

function listed<Value>(value: Value | Value[] | undefined): Value[] | null {
	if (value === undefined) return null;
	return Array.isArray(value) ? value : [value];
}

/** 0: a body may pause. */
function rateOf(value: number | "off" | undefined): number | undefined {
	return value === "off" ? 0 : value;
}

/** `limitBodyBytes`: what holds where the route says nothing. */
function resolveRequests(route: RouteFile, limitBodyBytes: number | null): RouteRequests | null {
	const { request_headers, response_headers, request_body_bytes: bodyBytes } = route;
	const rate = rateOf(route.body_bytes_per_second);
	const says = [request_headers, response_headers, bodyBytes, rate];
	if (says.every((value) => value === undefined)) return null;
	return {
		requestHeaders: { set: request_headers?.set ?? {}, remove: request_headers?.remove ?? [] },
		responseHeaders: { set: response_headers?.set ?? {}, remove: response_headers?.remove ?? [] },
		bodyBytes: bodyBytes === undefined ? limitBodyBytes : (unlessOff(bodyBytes) ?? null),
		bodyBytesPerSecond: rate ?? null,
	};
}

function resolveUpstream(name: string, file: UpstreamFile, baseDir: string): UpstreamConfig {
	const upstream: Exclude<UpstreamFile, Endpoint> = "kind" in file ? { addresses: [file] } : file;
	const requested = [upstream.http ?? []].flat();
	const urls = requested.map((url) => ("url" in url ? url.url : url));
	// The rules say that there is one of the two.
	const addresses = [
		...requested.map((url) =>
			"url" in url ? placed(url.url.endpoint, url, baseDir) : placed(url.endpoint, {}, baseDir),
		),
		...[upstream.addresses ?? []]
			.flat()
			.map((each) => ("kind" in each ? placed(each, {}, baseDir) : placed(each.address, each, baseDir))),
		...[upstream.udp ?? []].flat().map(placedDatagrams),
	];
	const { http, host, trailers, tls, pool, health, eject, balance, resolve, timeouts } = upstream;
	return {
		name,
		addresses,
		http:
			http === undefined
				? null
				: { host: host ?? null, trailers: trailers === "on", pool: resolvePool(pool) },
		...(upstream.udp === undefined ? {} : { datagrams: { responses: upstream.responses ?? null } }),
		tls: resolveUpstreamTls(tls ?? (urls.some(({ throughTls }) => throughTls) ? "on" : "off"), baseDir),
		timeouts: routedTimeouts(timeouts),
		balance: balance ?? defaults.balance,
		proxyProtocol: upstream.proxy_protocol ?? "off",
		proxyTlvs: upstream.proxy_tlvs ?? [],
		health: resolveHealth(health, host ?? (urls[0] === undefined ? "" : hostFieldOf(urls[0]))),
		eject: {
			failures: eject?.failures ?? defaults.eject.failures,
			forMs: eject?.for ?? defaults.eject.forMs,
		},
		resolveMs: resolve ?? defaults.resolveMs,
	};
}

function resolveUpstreamTls(file: NonNullable<UpstreamTlsFile>, baseDir: string): UpstreamTlsConfig | null {
	if (file === "off") return null;
	const { verify, server_name: serverName, ca, cert, key } = file === "on" ? {} : file;
	return {
		verify: verify ?? true,
		serverName: serverName ?? null,
		caFile: ca === undefined ? null : resolve(baseDir, ca),
		// The rules say that neither stands alone.
		identity: cert === undefined || key === undefined ? null : certificatePair({ cert, key }, baseDir),
	};
}

function resolvePool(file: PoolFile): HttpUpstreamConfig["pool"] {
	if (file === "off") return null;
	const { idle, age, requests, connections } = file === "on" || file === undefined ? {} : file;
	return {
		idleMs: idle ?? defaults.pool.idleMs,
		ageMs: age ?? defaults.pool.ageMs,
		requests: requests ?? defaults.pool.requests,
		connections: connections ?? defaults.pool.connections,
	};
}

interface ShareFile {
	readonly weight?: number | undefined;
	readonly backup?: boolean | undefined;
	readonly max_connections?: number | undefined;
}

/** `share`: what its mapping says of it. */
function placed(endpoint: Endpoint, share: ShareFile, baseDir: string): UpstreamAddress {
	const { weight = 1, backup = false, max_connections: maxConnections } = share;
	return { ...absolute(endpoint, baseDir), weight, backup, maxConnections: maxConnections ?? null };
}

type DatagramAddressFile = Exclude<NonNullable<Exclude<UpstreamFile, Endpoint>["udp"]>, unknown[]>;

function placedDatagrams(each: DatagramAddressFile): UpstreamAddress {
	if ("kind" in each) return placed(each, {}, "");
	const { server_id: serverId } = each;
	return { ...placed(each.address, each, ""), ...(serverId === undefined ? {} : { serverId }) };
}

function absolute<Place extends Endpoint>(endpoint: Place, baseDir: string): Place {
	return endpoint.kind === "unix" ? { ...endpoint, path: resolve(baseDir, endpoint.path) } : endpoint;
}

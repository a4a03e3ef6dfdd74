/**
 * What must hold between values of the file, after each was looked at on its own: names that refer, addresses
 * that collide, conditions that exclude each other, routes that nothing reaches.
 *
 * These rules read the plain value and pass over what has the wrong shape (the schema tells that), so that
 * one run finds everything.
 */

import { resolve } from "node:path";
import { parseAdmin, parseCidr, parseEndpoint, parseHttpUrl, parseListen } from "./address.js";
import { ADDRESSES_MAX, ROUTES_MAX } from "./bounds.js";
import type { Endpoint } from "./config.js";
import * as defaults from "./defaults.js";
import { InvalidValue } from "./errors.js";
import { CONDITIONS, type Conditions, routeLabel } from "./label.js";
import {
	parseCertificateName,
	parseHostPattern,
	parseServerName,
	parseSubprotocol,
	REJECT,
} from "./names.js";
import { didYouMean } from "./nearest.js";
import { list, type Mapping, mapping } from "./plain.js";
import { bytesTargets, checkRouteActions, ROUTE_ACTIONS, readsRequests } from "./request-rules.js";
import type { Part, Path } from "./source.js";
import { formatDuration, parseDuration } from "./units.js";

export interface Report {
	problem(path: Path, message: string, part?: Part): void;
	lineOf(path: Path): number;
}

/** `baseDir`: what relative socket paths are relative to. */
export function checkRules(file: unknown, baseDir: string, report: Report): void {
	const { admin, timeouts, keepalive, limits, listeners, upstreams } = mapping(file);
	checkTimeouts(timeouts, report);
	checkUserTimeout(keepalive, timeouts, report);
	checkListenerLimits(list(listeners), limits, report);
	checkBinds(list(listeners), admin, report);
	checkRouteCount(list(listeners), report);
	const targets = upstreamNames(upstreams, report);
	const takeNone = bytesTargets(upstreams);
	for (const [index, value] of list(listeners).entries()) {
		const listener = mapping(value);
		checkProxyProtocol(listener, ["listeners", index], report);
		checkCertificateNames(list(listener["tls"]), ["listeners", index, "tls"], report);
		const path = ["listeners", index, "routes"];
		const routes = routesOf(listener);
		checkRequestLog(listener, ["listeners", index], takeNone, report);
		for (const [position, route] of routes.entries()) {
			const { to } = mapping(route);
			checkConditions(mapping(route), [...path, position], report);
			checkTarget(to, [...path, position, "to"], targets, report);
			checkRouteActions(mapping(route), [...path, position], takeNone, report);
		}
		checkReach(routes, path, report);
	}
	checkUpstreams(mapping(upstreams), baseDir, report);
}

function checkTimeouts(value: unknown, report: Report): void {
	const { silence, handshake } = mapping(value);
	const silenceMs = attempt(silence, parseDuration);
	const handshakeMs = attempt(handshake, parseDuration) ?? defaults.timeouts.handshakeMs;
	if (silenceMs === null || silenceMs < handshakeMs) return;
	report.problem(
		["timeouts", "silence"],
		`silence must be shorter than handshake (${formatDuration(handshakeMs)}): otherwise a silent client is closed before it is routed`,
	);
}

/** A living reader that takes nothing would be closed as if it were dead. */
function checkUserTimeout(keepalive: unknown, timeouts: unknown, report: Report): void {
	const userTimeoutMs = attempt(mapping(keepalive)["user_timeout"], parseDuration);
	const stallMs = attempt(mapping(timeouts)["stall"], parseDuration) ?? defaults.timeouts.stallMs;
	if (userTimeoutMs === null || userTimeoutMs > stallMs) return;
	report.problem(
		["keepalive", "user_timeout"],
		`user_timeout must be longer than timeouts.stall (${formatDuration(stallMs)}): the kernel would reset a slow reader as if it were dead; lengthen it, or shorten stall`,
	);
}

/** A listener may not have more than all of them together. */
function checkListenerLimits(listeners: readonly unknown[], limits: unknown, report: Report): void {
	const { connections: all } = mapping(limits);
	if (typeof all !== "number") return;
	for (const [index, listener] of listeners.entries()) {
		const { connections } = mapping(listener);
		if (typeof connections !== "number" || connections <= all) continue;
		report.problem(
			["listeners", index, "connections"],
			`a listener cannot have more sessions than limits.connections (${all}): lower this, or raise that`,
		);
	}
}

/** Two listeners, or a listener and the admin pages, on one address. */
function checkBinds(listeners: readonly unknown[], admin: unknown, report: Report): void {
	const taken = new Map<string, Path>();
	const claim = (host: string, port: number, path: Path): void => {
		// The kernel picks a free port each time.
		if (port === 0) return;
		// `*` is one socket for both families: it collides with the wildcard of either.
		const hosts = host === "*" ? ["*", "0.0.0.0", "::"] : [host];
		const claims = hosts.map((name) => `${name} ${port}`);
		const other = claims.map((name) => taken.get(name)).find((found) => found !== undefined);
		for (const name of claims) if (!taken.has(name)) taken.set(name, path);
		if (other === undefined) return;
		const holder = other[0] === "admin" ? "the admin pages" : "the listener";
		report.problem(
			path,
			`this address is already taken by ${holder} on line ${report.lineOf(other)}: give each its own`,
		);
	};
	const adminAt = attempt(admin, parseAdmin);
	if (adminAt !== null)
		claim(adminAt.host === "localhost" ? "127.0.0.1" : adminAt.host, adminAt.port, ["admin"]);
	for (const [index, listener] of listeners.entries()) {
		const { listen } = mapping(listener);
		const bind = attempt(listen, parseListen);
		if (bind !== null) claim(bind.host, bind.port, ["listeners", index, "listen"]);
	}
}

function checkRouteCount(listeners: readonly unknown[], report: Report): void {
	let count = 0;
	for (const [index, listener] of listeners.entries()) {
		count += routesOf(listener).length;
		if (count <= ROUTES_MAX) continue;
		report.problem(
			["listeners", index, "routes"],
			`more than ${ROUTES_MAX} routes over all listeners: the shared table has no more rows; use wildcards`,
		);
		return;
	}
}

function checkProxyProtocol(listener: Mapping, path: Path, report: Report): void {
	const { proxy_protocol: mode, trusted } = listener;
	if (mode === "require" && trusted === undefined) {
		report.problem(
			[...path, "proxy_protocol"],
			'"proxy_protocol: require" needs "trusted": anyone could forge an address otherwise; name the load balancers, such as trusted: [10.0.0.0/8] (0.0.0.0/0 and ::/0 trust all)',
		);
	}
	if (mode !== "require" && trusted !== undefined) {
		report.problem(
			[...path, "trusted"],
			'"trusted" does nothing without PROXY headers: add "proxy_protocol: require", or remove "trusted"',
			"key",
		);
	}
}

/** Requests are read only where something needs it; otherwise there is nothing to write a line about. */
function checkRequestLog(
	listener: Mapping,
	path: Path,
	takeNone: ReadonlySet<string>,
	report: Report,
): void {
	const { log_requests: share } = listener;
	if (share === undefined || share === "off" || readsRequests(routesOf(listener), takeNone)) return;
	report.problem(
		[...path, "log_requests"],
		'"log_requests" does nothing here: no route leads to an upstream with "http", so no request is read; remove it',
		"key",
	);
}

/** The first entry with a name is shown to those who ask for it; a second one would be shown to nobody. */
function checkCertificateNames(entries: readonly unknown[], path: Path, report: Report): void {
	const taken = new Map<string, Path>();
	for (const [index, entry] of entries.entries())
		for (const [position, name] of list(mapping(entry)["names"]).entries()) {
			const parsed = attempt(name, parseCertificateName);
			if (parsed === null) continue;
			const place = [...path, index, "names", position];
			const other = taken.get(parsed);
			if (other === undefined) taken.set(parsed, place);
			else
				report.problem(
					place,
					`the certificate on line ${report.lineOf(other)} is shown for "${parsed}" already: remove one of the two`,
				);
		}
}

/** A connection is one protocol; conditions on two of them never hold together. */
function checkConditions(route: Mapping, path: Path, report: Report): void {
	const { sni, host, alpn, protocol } = route;
	for (const key of ["path", "subprotocol"]) {
		if (route[key] === undefined || (sni === undefined && alpn === undefined)) continue;
		report.problem(
			[...path, key],
			`"${key}" is of plain HTTP and "${sni !== undefined ? "sni" : "alpn"}" of TLS, so no connection has both: write two routes (where TLS is terminated, "host" holds inside)`,
			"key",
		);
	}
	if (host !== undefined && (sni !== undefined || alpn !== undefined)) {
		const tls = sni !== undefined ? "sni" : "alpn";
		report.problem(
			[...path, tls],
			`"${tls}" is of TLS and "host" of plain HTTP, so no connection has both: write two routes`,
			"key",
		);
	}
	if (typeof protocol !== "string") return;
	const needs = (key: "sni" | "alpn" | "host" | "path" | "subprotocol", only: string): void => {
		if (route[key] === undefined || protocol === only) return;
		report.problem(
			[...path, "protocol"],
			`"${key}" holds for ${only} only: remove "protocol: ${protocol}", or remove "${key}"`,
		);
	};
	needs("sni", "tls");
	if (sni === undefined) needs("alpn", "tls");
	if (sni !== undefined || alpn !== undefined) return;
	needs(host !== undefined ? "host" : route["path"] !== undefined ? "path" : "subprotocol", "http");
}

interface Targets {
	readonly names: ReadonlySet<string>;
	readonly hints: Map<string, string>;
}

/** A file in which more names than this are wrong needs no further guesses, and each costs a search. */
const HINTS_MAX = 100;

function upstreamNames(value: unknown, report: Report): Targets {
	const names = Object.keys(mapping(value));
	if (names.length > ADDRESSES_MAX) {
		report.problem(["upstreams"], `more than ${ADDRESSES_MAX} upstreams: the shared table has no more rows`);
	}
	return { names: new Set([...names, REJECT]), hints: new Map() };
}

function checkTarget(to: unknown, path: Path, { names, hints }: Targets, report: Report): void {
	if (typeof to !== "string" || names.has(to)) return;
	let hint = hints.get(to);
	if (hint === undefined && hints.size < HINTS_MAX) {
		hint = didYouMean(to, names);
		hints.set(to, hint);
	}
	report.problem(path, `unknown upstream "${to}"${hint || ': define it under "upstreams"'}`);
}

/**
 * The first match wins: a route is dead when an earlier one takes all that it could.
 *
 * A route without `protocol` waits for the client's first bytes, so a silent client passes it and can still
 * reach a later `protocol: any`. Not so below a first route without conditions: that makes the listener a
 * plain proxy, which waits for nothing.
 */
function checkReach(routes: readonly unknown[], path: Path, report: Report): void {
	const seen = new Map<string, number>();
	let told = false;
	for (const [index, route] of routes.entries()) {
		const conditions = conditionsOf(mapping(route));
		if (conditions === null) continue;
		const own = routeLabel(conditions);
		const covering = [own, ...coverers(conditions, seen.get(EVERYTHING) === 0)].find((label) =>
			seen.has(label),
		);
		const earlier = covering === undefined ? undefined : seen.get(covering);
		if (earlier === undefined) {
			seen.set(own, index);
			continue;
		}
		const line = report.lineOf([...path, earlier]);
		if (covering !== EVERYTHING && covering !== ANYTHING) {
			report.problem(
				[...path, index],
				`no connection reaches this route: the one on line ${line} (${covering}) takes all that it could; move this one up, or remove it`,
			);
		} else if (!told) {
			// All that follow are as dead, and one message says enough.
			told = true;
			report.problem(
				[...path, index],
				`no connection reaches this route: the one on line ${line} takes everything that comes to it; move that one to the end`,
			);
		}
	}
}

const EVERYTHING = routeLabel({});
const ANYTHING = routeLabel({ protocol: "any" });

/** Labels of routes with at most one condition that take whatever these conditions let pass. */
function coverers(conditions: Conditions, nothingPeeked: boolean): string[] {
	const { sni, host, path, subprotocol, alpn, protocol, source } = conditions;
	if (protocol === "any") return nothingPeeked ? [EVERYTHING, ANYTHING] : [ANYTHING];
	const labels = [EVERYTHING, ANYTHING];
	if (sni) for (const name of patternsOver(sni)) labels.push(routeLabel({ sni: name }));
	for (const name of host ? [null, ...patternsOver(host)] : [null]) {
		for (const prefix of path ? [null, ...pathsOver(path)] : [null]) {
			labels.push(routeLabel({ host: name, path: prefix }));
			if (subprotocol) labels.push(routeLabel({ host: name, path: prefix, subprotocol }));
		}
	}
	if (alpn) labels.push(routeLabel({ alpn }));
	if (source) labels.push(routeLabel({ source }));
	const implied = sni || alpn ? "tls" : host || path || subprotocol ? "http" : null;
	for (const name of [protocol, implied]) if (name) labels.push(routeLabel({ protocol: name }));
	return labels;
}

/** `a.b.c` → itself, `*.b.c`, `*.c`: a wildcard stands for any number of labels. */
function patternsOver(name: string): string[] {
	const patterns = [name];
	for (let dot = name.indexOf("."); dot !== -1; dot = name.indexOf(".", dot + 1)) {
		patterns.push(`*${name.slice(dot)}`);
	}
	return patterns;
}

/** `/a/b` → itself, `/a/`, `/`: what ends in a slash stands for all that begins so. */
function pathsOver(path: string): string[] {
	const paths = [path];
	for (let slash = path.indexOf("/"); slash !== -1; slash = path.indexOf("/", slash + 1)) {
		paths.push(path.slice(0, slash + 1));
	}
	return [...new Set(paths)];
}

const ROUTE_KEYS: ReadonlySet<string> = new Set([...CONDITIONS, ...ROUTE_ACTIONS, "to"]);

/** Null for what is no route, or has a condition that is wrong or unknown: what it takes cannot be said. */
function conditionsOf(route: Mapping): Conditions | null {
	const { sni, host, path, subprotocol, alpn, protocol, source } = route;
	if (Object.keys(route).length === 0 || Object.keys(route).some((key) => !ROUTE_KEYS.has(key))) return null;
	const conditions = {
		sni: attempt(sni, parseServerName),
		host: attempt(host, parseHostPattern),
		path: attempt(path, String),
		subprotocol: attempt(subprotocol, parseSubprotocol),
		alpn: attempt(alpn, String),
		protocol: attempt(protocol, String),
		source: attempt(source, parseCidr),
	};
	return CONDITIONS.some((key) => route[key] !== undefined && conditions[key] === null) ? null : conditions;
}

function checkUpstreams(upstreams: Mapping, baseDir: string, report: Report): void {
	let count = 0;
	for (const [name, value] of Object.entries(upstreams)) {
		const path = ["upstreams", name];
		const { addresses, http, health } = mapping(value);
		checkHealth(mapping(health), [...path, "health"], report);
		checkHttpCheck(mapping(health), http !== undefined, [...path, "health"], report);
		checkKind(value, path, report);
		checkUpstreamTls(value, path, report);
		const [key, places, parse] =
			http === undefined
				? (["addresses", addresses, parseEndpoint] as const)
				: (["http", http, (text: string) => parseHttpUrl(text).endpoint] as const);
		const entries: [unknown, Path][] =
			typeof value === "string"
				? [[value, path]]
				: Array.isArray(places)
					? places.map((place, index) => [place, [...path, key, index]])
					: [[places, [...path, key]]];
		checkAddresses(entries, parse, baseDir, report);
		const before = count;
		count += entries.length;
		if (before <= ADDRESSES_MAX && count > ADDRESSES_MAX) {
			report.problem(
				path,
				`more than ${ADDRESSES_MAX} addresses over all upstreams: the shared table has no more rows; a host name counts once`,
			);
		}
	}
}

/** Through TLS or in the open, and then all of it. */
function checkUpstreamTls(value: unknown, path: Path, report: Report): void {
	const { addresses, http, tls } = mapping(value);
	const urls = (Array.isArray(http) ? http : [http]).map((url) => attempt(url, parseHttpUrl));
	const secure = urls.filter((url) => url?.throughTls);
	const open = urls.filter((url) => url !== null && !url.throughTls);
	if (secure.length > 0 && open.length > 0)
		report.problem([...path, "http"], "http:// and https:// do not mix in one upstream: make them two");
	if (tls === "off" && secure.length > 0)
		report.problem([...path, "tls"], '"tls: off" contradicts https://: remove one of the two', "key");
	if (tls !== undefined && tls !== "off" && open.length > 0)
		report.problem(
			[...path, "tls"],
			"requests go through TLS by their URL: write https:// instead of http://",
			"key",
		);
	const { cert, key, server_name: serverName, verify } = mapping(tls);
	for (const [own, other, name] of [
		["cert", key, "key"],
		["key", cert, "cert"],
	] as const)
		if (mapping(tls)[own] !== undefined && other === undefined)
			report.problem([...path, "tls", own], `"${own}" does nothing without "${name}": add it`, "key");
	const throughTls = secure.length > 0 || (tls !== undefined && tls !== "off");
	const endpoints = [
		...urls.map((url) => url?.endpoint),
		...(Array.isArray(addresses) ? addresses : [addresses]).map((text) => attempt(text, parseEndpoint)),
	];
	if (
		throughTls &&
		verify !== false &&
		serverName === undefined &&
		endpoints.some((end) => end?.kind === "unix")
	)
		report.problem(
			path,
			"a socket path is no name that a certificate could be for: add tls: { server_name: … }",
		);
}

/** Bytes go to `addresses`, requests to `http`. */
function checkKind(value: unknown, path: Path, report: Report): void {
	if (typeof value !== "object" || value === null || Array.isArray(value)) return;
	const { addresses, http, pool, host, proxy_protocol: proxyProtocol } = mapping(value);
	if (addresses === undefined && http === undefined) {
		report.problem(path, "an upstream needs addresses: [host:port] for bytes, or http: [URL] for requests");
		return;
	}
	if (addresses !== undefined && http !== undefined) {
		report.problem([...path, "http"], '"http" stands instead of "addresses": remove one of the two', "key");
	}
	if (pool !== undefined && http === undefined) {
		report.problem(
			[...path, "pool"],
			'"pool" holds for "http" only: bytes are relayed over a connection of their own',
			"key",
		);
	}
	if (host !== undefined && http === undefined) {
		report.problem(
			[...path, "host"],
			'"host" holds for "http" only: bytes are relayed as the client sent them; remove it',
			"key",
		);
	}
	if (http !== undefined && proxyProtocol !== undefined && proxyProtocol !== "off") {
		report.problem(
			[...path, "proxy_protocol"],
			"a pooled connection serves many clients, so no PROXY header can say whom: the upstream is told by X-Forwarded-For; remove this",
			"key",
		);
	}
}

/** The kernel's `sun_path` is 108 bytes, the last of them zero (unix(7)). */
const SOCKET_PATH_MAX_BYTES = 107;

function checkAddresses(
	entries: readonly [unknown, Path][],
	parse: (text: string) => Endpoint,
	baseDir: string,
	report: Report,
): void {
	const seen = new Set<string>();
	for (const [value, path] of entries) {
		const endpoint = attempt(value, parse);
		if (endpoint === null) continue;
		let key: string;
		if (endpoint.kind === "unix") {
			key = resolve(baseDir, endpoint.path);
			if (Buffer.byteLength(key) > SOCKET_PATH_MAX_BYTES) {
				report.problem(path, `the socket path ${key} is longer than ${SOCKET_PATH_MAX_BYTES} bytes`);
			}
		} else {
			key = `${endpoint.kind === "ip" ? endpoint.address : endpoint.host} ${endpoint.port}`;
		}
		if (seen.has(key)) report.problem(path, `this address stands in the list already: remove one of the two`);
		seen.add(key);
	}
}

function checkHealth({ interval, timeout }: Mapping, path: Path, report: Report): void {
	const timeoutMs = attempt(timeout, parseDuration);
	const intervalMs = attempt(interval, parseDuration) ?? defaults.health.intervalMs;
	if (timeoutMs === null || timeoutMs <= intervalMs) return;
	report.problem(
		[...path, "timeout"],
		`timeout must not be longer than interval (${formatDuration(intervalMs)}): checks would overlap`,
	);
}

/** A check that asks needs somebody who answers. */
function checkHttpCheck(health: Mapping, takesRequests: boolean, path: Path, report: Report): void {
	const first = (["path", "status", "host"] as const).find((key) => health[key] !== undefined);
	if (first === undefined) return;
	if (!takesRequests) {
		report.problem(
			[...path, first],
			`"${first}" is of HTTP checks, and this upstream takes bytes: write its addresses as http: [http://host:port], or remove "${first}" to check that they accept`,
			"key",
		);
	} else if (first !== "path") {
		report.problem(
			[...path, first],
			`"${first}" does nothing without a path to ask for: add path: /healthz, or remove "${first}"`,
			"key",
		);
	}
}

function routesOf(listener: unknown): readonly unknown[] {
	const { routes } = mapping(listener);
	return list(routes);
}

/** Null for what is no string or does not parse: the schema complains about it. */
function attempt<T>(value: unknown, parse: (text: string) => T): T | null {
	if (typeof value !== "string") return null;
	try {
		return parse(value);
	} catch (error) {
		if (error instanceof InvalidValue) return null;
		throw error;
	}
}

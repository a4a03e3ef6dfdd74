/** Rules of upstreams: what kind each is, its addresses, and what goes together with them. */
import { resolve } from "node:path";
import { parseEndpoint, parseHttpUrl } from "./address.js";
import { ADDRESSES_MAX, SOCKET_PATH_MAX_BYTES } from "./bounds.js";
import type { Endpoint } from "./config.js";
import { checkDatagramUpstream } from "./datagram-upstream-rules.js";
import { parseUdpEndpoint } from "./datagram-values.js";
import * as defaults from "./defaults.js";
import { attempt, type Mapping, mapping } from "./plain.js";
import type { Path, Report } from "./source.js";
import { isOff, isOn } from "./switches.js";
import { formatDuration, parseDuration } from "./units.js";
import { writtenAddresses, writtenEntries } from "./written-addresses.js";

export function checkUpstreams(upstreams: Mapping, baseDir: string, report: Report): void {
	let count = 0;
	for (const [name, value] of Object.entries(upstreams)) {
		const path = ["upstreams", name];
		const { http, udp, health } = mapping(value);
		checkHealth(mapping(health), [...path, "health"], report);
		checkDatagramUpstream(value, path, report);
		if (udp === undefined) {
			checkHttpCheck(mapping(health), http !== undefined, [...path, "health"], report);
			checkKind(value, path, report);
			checkUpstreamTls(value, path, report);
			checkProxyTlvs(value, path, report);
		}
		const [key, places, parse] = placesOf(mapping(value));
		const entries =
			typeof value === "string" ? writtenAddresses(value, path) : writtenAddresses(places, [...path, key]);
		checkAddresses(entries, parse, baseDir, report);
		checkBackups(places, [...path, key], report);
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

/** The key under which its addresses stand, they, and how each is read. */
function placesOf({ addresses, http, udp }: Mapping): [string, unknown, (text: string) => Endpoint] {
	if (udp !== undefined) return ["udp", udp, parseUdpEndpoint];
	return http === undefined
		? ["addresses", addresses, parseEndpoint]
		: ["http", http, (text) => parseHttpUrl(text).endpoint];
}

/** Through TLS or in the open, and then all of it. */
function checkUpstreamTls(value: unknown, path: Path, report: Report): void {
	const { addresses, http, tls } = mapping(value);
	const urls = writtenAddresses(http, []).map((url) => attempt(url.value, parseHttpUrl));
	const secure = urls.filter((url) => url?.throughTls);
	const open = urls.filter((url) => url !== null && !url.throughTls);
	if (secure.length > 0 && open.length > 0)
		report.problem([...path, "http"], "http:// and https:// do not mix in one upstream: make them two");
	if (isOff(tls) && secure.length > 0)
		report.problem([...path, "tls"], '"tls: off" contradicts https://: remove one of the two', "key");
	if (tls !== undefined && !isOff(tls) && open.length > 0)
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
	const throughTls = secure.length > 0 || (tls !== undefined && !isOff(tls));
	const endpoints = [
		...urls.map((url) => url?.endpoint),
		...writtenAddresses(addresses, []).map((each) => attempt(each.value, parseEndpoint)),
	];
	if (
		throughTls &&
		!isOff(verify) &&
		serverName === undefined &&
		endpoints.some((end) => end?.kind === "unix")
	)
		report.problem(
			path,
			"a socket path is no name that a certificate could be for: add tls: { server_name: … }",
		);
}

/** Bytes go to `addresses`, requests to `http`; of `udp` it is told elsewhere. */
function checkKind(value: unknown, path: Path, report: Report): void {
	if (typeof value !== "object" || value === null || Array.isArray(value)) return;
	const { addresses, http, pool, host, trailers, proxy_protocol: proxyProtocol } = mapping(value);
	if (addresses === undefined && http === undefined) {
		report.problem(
			path,
			"an upstream needs addresses: [host:port] for bytes, http: [URL] for requests, or udp: [host:port] for datagrams",
		);
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
	if (trailers !== undefined && http === undefined) {
		report.problem(
			[...path, "trailers"],
			'"trailers" holds for "http" only: bytes are relayed as the client sent them; remove it',
			"key",
		);
	}
	if (http !== undefined && proxyProtocol !== undefined && !isOff(proxyProtocol)) {
		report.problem(
			[...path, "proxy_protocol"],
			"a pooled connection serves many clients, so no PROXY header can say whom: the upstream is told by X-Forwarded-For; remove this",
			"key",
		);
	}
}

function checkProxyTlvs(value: unknown, path: Path, report: Report): void {
	const { proxy_protocol: version, proxy_tlvs: tlvs } = mapping(value);
	if (tlvs !== undefined && version !== "v2")
		report.problem(
			[...path, "proxy_tlvs"],
			'only a PROXY header of version 2 can say this: write "proxy_protocol: v2", or remove "proxy_tlvs"',
			"key",
		);
}

function checkAddresses(
	entries: readonly { readonly value: unknown; readonly path: Path }[],
	parse: (text: string) => Endpoint,
	baseDir: string,
	report: Report,
): void {
	const seen = new Set<string>();
	for (const { value, path } of entries) {
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

/** A backup stands in for somebody. */
function checkBackups(places: unknown, path: Path, report: Report): void {
	const entries = writtenEntries(places, path);
	const [first] = entries;
	if (first === undefined || entries.some(({ value }) => !isOn(mapping(value)["backup"]))) return;
	report.problem(
		[...first.path, "backup"],
		"all addresses are backups, and there is none that they could stand in for: remove it from one",
		"key",
	);
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

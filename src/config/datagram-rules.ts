/** Rules of listeners on UDP and of their routes: what has no meaning for datagrams, and that each side gets what it takes. */
import { writtenAlternatives } from "./alternatives.js";
import { REJECT } from "./names.js";
import { list, type Mapping, mapping } from "./plain.js";
import { isFixed } from "./request-rules.js";
import type { Path, Report } from "./source.js";
import { isOff } from "./switches.js";

/** For a `listen` that may be wrong otherwise. */
export function takesDatagrams({ listen }: Mapping): boolean {
	return typeof listen === "string" && /^(udp|quic|dtls|h3):|\/(udp|quic|dtls|h3|http3)$/i.test(listen);
}

/** Upstreams that take datagrams. */
export function datagramTargets(upstreams: unknown): ReadonlySet<string> {
	const entries = Object.entries(mapping(upstreams));
	return new Set(entries.filter(([, value]) => mapping(value)["udp"] !== undefined).map(([name]) => name));
}

const OF_REQUESTS = "it is of requests of HTTP/1, and none is read from datagrams";
const NO_HEADER = "a PROXY header is not looked for in datagrams, and the client is who they come from";

/** Keys of listeners that do nothing on UDP, and why. */
const LISTENER_KEYS: Readonly<Record<string, string>> = {
	tls: "TLS of QUIC and DTLS does not end here, and certificates are the upstream's",
	...{ proxy_protocol: NO_HEADER, trusted: NO_HEADER },
	backlog: "datagrams are not accepted, and wait in the socket's receive buffer",
	...{ forwarded_trusted: OF_REQUESTS, requests_per_second: OF_REQUESTS, log_requests: OF_REQUESTS },
	...{ paths: OF_REQUESTS, via: OF_REQUESTS },
};

const ROUTE_KEYS: Readonly<Record<string, string>> = {
	...{ requests_per_second: OF_REQUESTS, basic_auth: OF_REQUESTS, request_headers: OF_REQUESTS },
	...{ response_headers: OF_REQUESTS, request_body_bytes: OF_REQUESTS, body_bytes_per_second: OF_REQUESTS },
};

const TIMEOUT_KEYS: Readonly<Record<string, string>> = {
	connect: "a session of datagrams needs nobody to accept it",
	stall: "a datagram that its reader does not take is lost, and does not wait",
	half_closed: "no datagram says that its side has ended",
	...{ response_head: OF_REQUESTS, request_head: OF_REQUESTS, keep_alive: OF_REQUESTS },
	silence: "a session begins with a datagram, and no client of it is silent",
};

export function checkDatagramListener(
	listener: Mapping,
	path: Path,
	upstreams: Mapping,
	report: Report,
): void {
	checkMeaningless(listener, LISTENER_KEYS, path, report);
	checkDatagramTimeouts(listener["timeouts"], [...path, "timeouts"], report);
	checkUnknownVersions(listener, path, report);
	checkLooksLikeQuic(list(listener["routes"]).map(mapping), path, upstreams, report);
	for (const [index, value] of list(listener["routes"]).entries()) {
		const route = mapping(value);
		const place = [...path, "routes", index];
		checkMeaningless(route, ROUTE_KEYS, place, report);
		checkDatagramTimeouts(route["timeouts"], [...place, "timeouts"], report);
		checkConditions(route, place, report);
		checkAlpn(route, place, OVER_TCP, "comes over TCP, and this listener is on UDP: HTTP/3 is h3", report);
		checkLeadsToDatagrams(route["to"], [...place, "to"], upstreams, report);
		checkResponses(route, place, upstreams, report);
	}
}

/** QUIC that cannot be opened says no name, and takes what asks for none. */
function checkUnknownVersions({ unknown_versions: mode, routes }: Mapping, path: Path, report: Report): void {
	if (mode !== "route") return;
	const takes = list(routes)
		.map(mapping)
		.some(({ sni, alpn, protocol = "any", to }) => {
			const isQuic = [protocol].flat().some((each) => each === "quic" || each === "any");
			return sni === undefined && alpn === undefined && isQuic && to !== REJECT;
		});
	if (!takes)
		report.warning(
			[...path, "unknown_versions"],
			"QUIC of unknown versions finds no route here: add one that asks for no name, such as { protocol: quic, to: … }, or write reject",
		);
}

/**
 * Where routes ask for hellos, what may be a packet of an unknown connection of QUIC begins no session, unless a route says that it takes
 * what is none. Who counts answers speaks another protocol, of which a quarter may look so.
 */
function checkLooksLikeQuic(
	routes: readonly Mapping[],
	path: Path,
	upstreams: Mapping,
	report: Report,
): void {
	const ask = (...wanted: readonly string[]): boolean =>
		routes.some(({ protocol }) => [protocol].flat().some((each) => wanted.includes(String(each))));
	const asksHello = ask("quic", "dtls") || routes.some(({ sni, alpn }) => (sni ?? alpn) !== undefined);
	if (!asksHello || ask("other", "any")) return;
	for (const [index, { sni, alpn, protocol, to }] of routes.entries()) {
		const { udp, responses } = mapping(upstreams[String(to)]);
		if ((sni ?? alpn ?? protocol) !== undefined || udp === undefined || responses === undefined) continue;
		report.warning(
			[...path, "routes", index],
			`a quarter of what comes here without a hello looks like late packets of QUIC, and would be dropped: write "protocol: other" beside "to: ${String(to)}"`,
		);
	}
}

/** A connection goes on behind the first answers to it. */
function checkResponses(route: Mapping, path: Path, upstreams: Mapping, report: Report): void {
	const { to, sni, alpn, protocol } = route;
	const { udp, responses } = mapping(upstreams[String(to)]);
	const asked = [protocol].flat().find((each) => each === "quic" || each === "dtls");
	const key = sni !== undefined ? "sni" : alpn !== undefined ? "alpn" : asked && "protocol";
	if (udp === undefined || responses === undefined || key === undefined) return;
	report.warning(
		[...path, "to"],
		`by "${key}" come connections of QUIC and DTLS, and "${String(to)}" ends each behind its answers (responses: ${String(responses)}): name an upstream without "responses"`,
	);
}

/** Registered for TLS over TCP alone, and for QUIC alone (IANA's TLS ALPN Protocol IDs). */
const OVER_TCP: ReadonlySet<unknown> = new Set(["h2", "http/1.1", "http/1.0"]);
const OVER_QUIC: ReadonlySet<unknown> = new Set(["h3", "doq"]);

function checkAlpn(
	{ alpn }: Mapping,
	path: Path,
	elsewhere: ReadonlySet<unknown>,
	why: string,
	report: Report,
): void {
	for (const [index, each] of [alpn].flat().entries())
		if (elsewhere.has(each))
			report.warning([...path, "alpn", ...(Array.isArray(alpn) ? [index] : [])], `"${String(each)}" ${why}`);
}

/** Of a listener, a route, or an upstream. */
export function checkDatagramTimeouts(timeouts: unknown, path: Path, report: Report): void {
	checkMeaningless(mapping(timeouts), TIMEOUT_KEYS, path, report);
}

function checkMeaningless(
	section: Mapping,
	keys: Readonly<Record<string, string>>,
	path: Path,
	report: Report,
): void {
	for (const [key, why] of Object.entries(keys))
		if (section[key] !== undefined && !isOff(section[key]))
			report.problem([...path, key], `"${key}" does nothing on UDP: ${why}; remove it`, "key");
}

/** Protocols of connections. */
const OF_CONNECTIONS: ReadonlySet<unknown> = new Set(["tls", "http", "ssh", "h2c"]);

function checkConditions(route: Mapping, path: Path, report: Report): void {
	for (const key of ["host", "path", "subprotocol"])
		if (route[key] !== undefined)
			report.problem(
				[...path, key],
				`"${key}" is of requests of HTTP/1, and datagrams are routed by sni, alpn, protocol and source: ${key === "host" ? 'write "sni" instead' : "remove it"}`,
				"key",
			);
	const told = new Set<unknown>();
	for (const { protocol, sni, alpn } of writtenAlternatives(route)) {
		if (told.has(protocol)) continue;
		told.add(protocol);
		if (OF_CONNECTIONS.has(protocol))
			report.problem(
				[...path, "protocol"],
				`"protocol: ${String(protocol)}" comes over TCP, and this listener is on UDP: write quic, dtls, other or any, or move the route to a listener without /udp`,
			);
		const key = sni === undefined ? (alpn === undefined ? undefined : "alpn") : "sni";
		if (key !== undefined && (protocol === "other" || protocol === "any"))
			report.problem(
				[...path, "protocol"],
				`"${key}" holds for quic and dtls only: remove "protocol: ${protocol}", or remove "${key}"`,
			);
	}
}

function checkLeadsToDatagrams(to: unknown, path: Path, upstreams: Mapping, report: Report): void {
	const advice = 'write reject, or the name of an upstream with "udp"';
	if (isFixed(to))
		report.problem(path, `only requests of HTTP/1.1 can be answered, and no datagram: ${advice}`);
	else if (typeof to === "string" && takesConnections(upstreams[to]))
		report.problem(
			path,
			`"${to}" takes connections, and this listener takes datagrams: name an upstream with udp: [host:port], or remove /udp from "listen"`,
		);
}

/** Of an upstream that is unknown, or says nothing of what it takes, that is told elsewhere. */
function takesConnections(upstream: unknown): boolean {
	const { addresses, http, udp } = mapping(upstream);
	return udp === undefined && (typeof upstream === "string" || (addresses ?? http) !== undefined);
}

/** Of a listener that takes connections: what only datagrams have. */
export function checkStreamListener(
	listener: Mapping,
	path: Path,
	targets: ReadonlySet<string>,
	report: Report,
): void {
	if (listener["unknown_versions"] !== undefined)
		report.problem(
			[...path, "unknown_versions"],
			'"unknown_versions" is of QUIC, which comes by UDP: write /udp behind the address under "listen", or remove it',
			"key",
		);
	for (const [index, value] of list(listener["routes"]).entries()) {
		const { to, protocol } = mapping(value);
		const place = [...path, "routes", index];
		const why =
			"comes by QUIC, and this listener is on TCP: write a listener for it whose address ends in /udp";
		checkAlpn(mapping(value), place, OVER_QUIC, why, report);
		for (const each of [protocol].flat())
			if (each === "quic" || each === "dtls")
				report.problem(
					[...place, "protocol"],
					`"protocol: ${each}" comes by UDP, and this listener is on TCP: write a listener for it whose address ends in /udp`,
				);
		if (typeof to === "string" && targets.has(to))
			report.problem(
				[...place, "to"],
				`"${to}" takes datagrams, and this listener takes connections: name an upstream with addresses: [host:port], or write /udp behind the address under "listen"`,
			);
	}
}

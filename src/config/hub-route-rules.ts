/** Rules of routes that say `to: hub`: how subscribers come to them, and what has no meaning there. */
import { coversChannels, parseChannelName, parseChannelPattern } from "./hub-values.js";
import { HUB } from "./names.js";
import { attempt, list, type Mapping, mapping } from "./plain.js";
import type { Path, Report } from "./source.js";
import type { TerminatedNames } from "./terminated.js";

/** What a file says that leads to the hub and has none. */
const EXAMPLE = "hub: { channels: [{ match: prices, subscribe: public }] }";

/** Of the listener that a route stands in. */
export interface HubSurroundings {
	/** The section; `undefined`: there is none. */
	readonly hub: unknown;
	readonly readsRequests: boolean;
}

export function checkHubRoute(route: Mapping, path: Path, around: HubSurroundings, report: Report): void {
	checkLeadsToHub(route["to"], around.hub, [...path, "to"], report);
	checkChannel(route, path, around, report);
	if (route["to"] !== HUB) return;
	checkPaths(route["path"], [...path, "path"], report);
	checkActions(route, path, around.readsRequests, report);
	checkTimeouts(route["timeouts"], [...path, "timeouts"], report);
}

/** `to: hub` without channels that could be led to. */
export function checkLeadsToHub(to: unknown, hub: unknown, path: Path, report: Report): void {
	if (to === HUB && hub === undefined)
		report.problem(path, `"to: hub" needs a section for the channels, at the top of the file: ${EXAMPLE}`);
}

/** A channel stands in the path of a request; only where none is read can a route name it. */
export function checkChannel(
	{ to, channel, path: paths }: Mapping,
	path: Path,
	{ hub, readsRequests }: HubSurroundings,
	report: Report,
): void {
	if (channel === undefined) return;
	const place = [...path, "channel"];
	const name = attempt(channel, parseChannelName);
	if (to !== HUB) {
		report.problem(place, '"channel" is of routes to the hub: write "to: hub", or remove "channel"', "key");
		return;
	}
	if (readsRequests) {
		const [prefix = "/"] = [paths].flat();
		report.problem(
			place,
			`this listener reads requests, whose path says the channel (${String(prefix)}${name ?? "prices"}): remove "channel"; or give connections of devices a listener of their own, without host, path and "protocol: http"`,
			"key",
		);
		return;
	}
	if (name === null) return;
	const matches = list(mapping(hub)["channels"]).map((each) => mapping(each)["match"]);
	// One that cannot be read may be the one.
	const patterns = matches.map((match) => attempt(match, parseChannelPattern));
	if (hub === undefined || patterns.some((pattern) => pattern === null || coversChannels(pattern, name)))
		return;
	report.problem(
		place,
		`no entry under hub.channels matches "${name}", so that there is no such channel: add one, or name another`,
	);
}

/** What follows the path is the channel. */
function checkPaths(written: unknown, path: Path, report: Report): void {
	for (const [index, each] of [written].flat().entries()) {
		if (typeof each !== "string" || !each.startsWith("/") || each.endsWith("/")) continue;
		report.problem(
			Array.isArray(written) ? [...path, index] : path,
			`what follows this path is a channel, so that it ends in a slash: write ${each}/`,
		);
	}
}

const NO_UPSTREAM = "the hub answers itself, and nothing goes on to an upstream";

const ACTIONS = ["request_headers", "response_headers", "request_body_bytes", "body_bytes_per_second"];

function checkActions(route: Mapping, path: Path, readsRequests: boolean, report: Report): void {
	for (const key of ACTIONS)
		if (route[key] !== undefined)
			report.problem([...path, key], `"${key}" does nothing here: ${NO_UPSTREAM}; remove it`, "key");
	if (!readsRequests && route["basic_auth"] !== undefined)
		report.problem(
			[...path, "basic_auth"],
			'"basic_auth" is asked of requests, and this listener reads none: let subscribers come with tokens (hub.keys), and remove it',
			"key",
		);
}

const HEARTBEATS = "hub.heartbeat and hub.dead_after find subscribers that are gone";

/** Subscribers have `stall` and `lifetime`. */
const TIMEOUTS: Readonly<Record<string, string>> = {
	connect: NO_UPSTREAM,
	response_head: NO_UPSTREAM,
	idle: `subscribers may say nothing for ever: ${HEARTBEATS}`,
	half_closed: `a subscriber that ends its side is closed: ${HEARTBEATS}`,
};

function checkTimeouts(timeouts: unknown, path: Path, report: Report): void {
	for (const [key, why] of Object.entries(TIMEOUTS))
		if (mapping(timeouts)[key] !== undefined)
			report.problem([...path, key], `"${key}" does nothing here: ${why}; remove it`, "key");
}

/** What can be read here: HTTP, or frames, in the open or in TLS that ends here. `route`: one value of each condition. */
export function checkHubReads(
	route: Mapping,
	path: Path,
	readsRequests: boolean,
	terminated: TerminatedNames,
	report: Report,
): void {
	const { to, sni, alpn, protocol } = route;
	if (to !== HUB) return;
	const frames = readsRequests ? ["ssh", "h2c", "other", "any"] : ["ssh", "h2c"];
	if (frames.includes(String(protocol))) {
		report.problem(
			[...path, "protocol"],
			readsRequests
				? `this listener reads requests of HTTP/1.1, and "protocol: ${String(protocol)}" is none: remove it, or give devices that speak framed TCP a listener of their own`
				: `the hub speaks framed TCP here, and "protocol: ${String(protocol)}" is none: remove it`,
		);
		return;
	}
	const isTls = sni !== undefined || alpn !== undefined || protocol === "tls";
	if (!isTls || terminated.mayTake(route)) return;
	const condition =
		sni !== undefined
			? `sni: ${String(sni)}`
			: alpn !== undefined
				? `alpn: ${String(alpn)}`
				: "protocol: tls";
	report.problem(
		[...path, "to"],
		`what "${condition}" takes is TLS that this listener cannot read, and so the hub neither: add a certificate under "tls" of the listener`,
	);
}

/** A listener on UDP. */
export function checkNoHubHere({ to, channel }: Mapping, path: Path, report: Report): void {
	if (to === HUB)
		report.problem(
			[...path, "to"],
			"subscribers of the hub come by TCP, and this listener takes datagrams: move the route to a listener without /udp",
		);
	else if (channel !== undefined)
		report.problem(
			[...path, "channel"],
			'"channel" is of routes to the hub, and none can stand here: remove it',
			"key",
		);
}

/** Rules of routes: conditions that exclude each other, names that must be known, routes that nothing reaches. */
import { parseCidr } from "./address.js";
import { writtenAlternatives } from "./alternatives.js";
import { ADDRESSES_MAX } from "./bounds.js";
import { CONDITIONS, type Conditions, routeLabel } from "./label.js";
import { HUB, parseHostPattern, parseServerName, parseSubprotocol, REJECT, TUNNELS } from "./names.js";
import { didYouMean } from "./nearest.js";
import { adviceForPlaceholder } from "./placeholder.js";
import { attempt, type Mapping, mapping } from "./plain.js";
import { isFixed, ROUTE_ACTIONS } from "./request-rules.js";
import type { Path, Report } from "./source.js";
import type { TerminatedNames } from "./terminated.js";

/** Conditions on what a request says. */
const OF_REQUESTS = ["host", "path", "subprotocol"] as const;

/**
 * A connection is one protocol, and conditions on two of them never hold together; but where TLS is terminated, what
 * the hello asked for and what is inside are both known.
 */
export function checkConditions(
	route: Mapping,
	path: Path,
	terminated: TerminatedNames,
	report: Report,
): void {
	const { protocol } = route;
	const outside = (["sni", "alpn"] as const).find((key) => route[key] !== undefined);
	const inside = OF_REQUESTS.filter((key) => route[key] !== undefined);
	const passes = outside !== undefined && !terminated.mayTake(route);
	if (passes)
		for (const key of inside)
			report.problem(
				[...path, key === "host" ? outside : key],
				`"${outside}" is of TLS and "${key}" of what is inside, which is not read for this name: write two routes, or add a certificate for the name under "tls" of the listener`,
				"key",
			);
	// That these come by UDP is told elsewhere.
	if (typeof protocol !== "string" || protocol === "quic" || protocol === "dtls") return;
	const needs = (key: string | undefined, only: string): void => {
		if (key === undefined || protocol === only) return;
		report.problem(
			[...path, "protocol"],
			`"${key}" holds for ${only} only: remove "protocol: ${protocol}", or remove "${key}"`,
		);
	};
	if (passes) needs(outside, "tls");
	// Requests that come through TLS are both.
	else if (protocol !== "tls" || !terminated.mayTake(route)) needs(inside[0], "http");
}

/** Protocols that are never requests of HTTP/1. */
const NO_REQUESTS: ReadonlySet<unknown> = new Set(["ssh", "h2c", "other"]);

/** An upstream of requests can serve what is read here: HTTP in the open, or inside TLS that is terminated. */
export function checkReadable(
	route: Mapping,
	path: Path,
	takeNone: ReadonlySet<string>,
	targets: Targets,
	terminated: TerminatedNames,
	report: Report,
): void {
	const { to, sni, alpn, protocol } = route;
	if (isFixed(to) && NO_REQUESTS.has(protocol)) {
		report.problem(
			[...path, "to"],
			`only requests of HTTP/1.1 can be answered, and "protocol: ${protocol}" is none: write reject, or the name of an upstream`,
		);
		return;
	}
	// An agent takes requests and bytes, as it has opened its tunnel; of the hub, it is told elsewhere.
	if (typeof to !== "string" || to === TUNNELS || to === HUB || takeNone.has(to) || !targets.names.has(to))
		return;
	if (NO_REQUESTS.has(protocol)) {
		report.warning(
			[...path, "to"],
			`"${to}" takes requests of HTTP/1.1, and "protocol: ${protocol}" is none: name an upstream with addresses: [host:port]`,
		);
		return;
	}
	const isTls = sni !== undefined || alpn !== undefined || protocol === "tls";
	if (!isTls || terminated.mayTake(route)) return;
	const isExact = typeof sni === "string" && !sni.startsWith("*");
	const condition =
		typeof sni === "string" ? `sni: ${sni}` : alpn === undefined ? "protocol: tls" : `alpn: ${String(alpn)}`;
	report[isExact ? "problem" : "warning"](
		[...path, "to"],
		`"${to}" takes requests, and what "${condition}" takes is TLS that this listener cannot read: add a certificate${isExact ? ` for ${sni}` : ""} under "tls" of the listener, or let TLS pass to an upstream with addresses: [host:port]`,
	);
}

export interface Targets {
	readonly names: ReadonlySet<string>;
	readonly hints: Map<string, string>;
}

/** A file in which more names than this are wrong needs no further guesses, and each costs a search. */
const HINTS_MAX = 100;

export function upstreamNames(value: unknown, report: Report): Targets {
	const names = Object.keys(mapping(value));
	if (names.length > ADDRESSES_MAX) {
		report.problem(["upstreams"], `more than ${ADDRESSES_MAX} upstreams: the shared table has no more rows`);
	}
	return { names: new Set([...names, REJECT, TUNNELS, HUB]), hints: new Map() };
}

/** What other programs call it. */
const REJECTING: ReadonlySet<string> = new Set(["deny", "drop", "close", "block", "refuse", "none", "null"]);

export function checkTarget(to: unknown, path: Path, { names, hints }: Targets, report: Report): void {
	if (typeof to !== "string" || names.has(to)) return;
	let hint = hints.get(to);
	if (hint === undefined && hints.size < HINTS_MAX) {
		hint = REJECTING.has(to.toLowerCase()) ? ': write "reject" to close it' : didYouMean(to, names);
		hints.set(to, hint);
	}
	report.problem(
		path,
		adviceForPlaceholder(to) ?? `unknown upstream "${to}"${hint || ': define it under "upstreams"'}`,
	);
}

/**
 * The first match wins: a route is dead when an earlier one takes all that it could.
 *
 * A route without `protocol` waits for the client's first bytes, so a silent client passes it and can still
 * reach a later `protocol: any`. Not so below a first route without conditions: that makes the listener a
 * plain proxy, which waits for nothing; nor where nobody is silent, because sessions begin with what clients say.
 */
export function checkReach(
	routes: readonly unknown[],
	path: Path,
	nobodyIsSilent: boolean,
	report: Report,
): void {
	const seen = new Map<string, number>();
	let told = false;
	for (const [index, written] of routes.entries()) {
		const route = mapping(written);
		const alternatives = writtenAlternatives(route).map(conditionsOf);
		if (alternatives.length === 0 || alternatives.includes(null)) continue;
		const covered = (alternatives as Conditions[]).map((conditions) =>
			coveredBy(conditions, seen, nobodyIsSilent),
		);
		const open = covered.indexOf(undefined);
		for (const conditions of alternatives as Conditions[]) {
			const own = routeLabel(conditions);
			if (!seen.has(own)) seen.set(own, index);
		}
		const [covering] = covered;
		if (open >= 0 || covering === undefined) {
			checkDeadValues(route, covered, [...path, index], seen, path, report);
			continue;
		}
		const line = report.lineOf([...path, seen.get(covering) ?? 0]);
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

/** The label of an earlier route, or of one value of it, that takes whatever these conditions let pass. */
function coveredBy(
	conditions: Conditions,
	seen: ReadonlyMap<string, number>,
	nobodyIsSilent: boolean,
): string | undefined {
	const nothingPeeked = nobodyIsSilent || seen.get(EVERYTHING) === 0;
	return [routeLabel(conditions), ...coverers(conditions as Single, nothingPeeked)].find((label) =>
		seen.has(label),
	);
}

/** Of a route with one list, the values that an earlier route takes. */
function checkDeadValues(
	route: Mapping,
	covered: readonly (string | undefined)[],
	place: Path,
	seen: ReadonlyMap<string, number>,
	path: Path,
	report: Report,
): void {
	const lists = CONDITIONS.filter((key) => Array.isArray(route[key]));
	const [key] = lists;
	if (key === undefined || lists.length > 1) return;
	for (const [position, label] of covered.entries()) {
		if (label === undefined) continue;
		const line = report.lineOf([...path, seen.get(label) ?? 0]);
		report.problem(
			[...place, key, position],
			`no connection reaches this value: the route on line ${line} (${label}) takes all that it could; remove it here, or move this route up`,
		);
	}
}

const EVERYTHING = routeLabel({});
const ANYTHING = routeLabel({ protocol: "any" });

/** One value of each condition. */
type Single = { readonly [Key in keyof Conditions]: Exclude<Conditions[Key], readonly unknown[]> };

/** Labels of routes with at most one condition that take whatever these conditions let pass. */
function coverers(conditions: Single, nothingPeeked: boolean): string[] {
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
	const tls = sni || alpn ? "tls" : null;
	const http = host || path || subprotocol ? "http" : null;
	for (const name of [protocol, tls, http]) if (name) labels.push(routeLabel({ protocol: name }));
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

const ROUTE_KEYS: ReadonlySet<string> = new Set([
	...CONDITIONS,
	...ROUTE_ACTIONS,
	"to",
	"channel",
	"timeouts",
]);

/** Null for what is no route, or has a condition that is wrong or unknown: what it takes cannot be said. */
function conditionsOf(route: Mapping): Single | null {
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

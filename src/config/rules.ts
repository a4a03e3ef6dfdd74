/**
 * What must hold between values of the file, after each was looked at on its own: names that refer, addresses
 * that collide, conditions that exclude each other, routes that nothing reaches.
 *
 * These rules read the plain value and pass over what has the wrong shape (the schema tells that), so that
 * one run finds everything.
 */
import { checkAdmin } from "./admin-rules.js";
import { countAlternatives, writtenAlternatives } from "./alternatives.js";
import { checkBinds, checkLoops } from "./bind-rules.js";
import { ROUTES_MAX } from "./bounds.js";
import {
	checkDatagramListener,
	checkStreamListener,
	datagramTargets,
	takesDatagrams,
} from "./datagram-rules.js";
import { checkHubReads, checkHubRoute, checkNoHubHere } from "./hub-route-rules.js";
import { checkHub } from "./hub-rules.js";
import { parseCertificateName } from "./names.js";
import { attempt, list, type Mapping, mapping } from "./plain.js";
import { bytesTargets, checkAskedInTheOpen, checkRouteActions, readsRequests } from "./request-rules.js";
import { checkConditions, checkReach, checkReadable, checkTarget, upstreamNames } from "./route-rules.js";
import type { Path, Report } from "./source.js";
import { isOff } from "./switches.js";
import { TerminatedNames } from "./terminated.js";
import { checkTimeouts } from "./timeout-rules.js";
import { checkLeadsToTunnels, checkNamed, checkNamedDatagrams, checkTunnels } from "./tunnel-rules.js";
import { checkUpstreams } from "./upstream-rules.js";

/** `baseDir`: what relative socket paths are relative to. */
export function checkRules(file: unknown, baseDir: string, report: Report): void {
	const { admin, hub, limits, listeners, tunnels, upstreams } = mapping(file);
	// What is no mapping at all is told so.
	if (tunnels === undefined && file === mapping(file)) checkIsListened(listeners, report);
	checkListenerLimits(list(listeners), limits, report);
	checkAdmin(admin, baseDir, report);
	checkTunnels(mapping(file), report);
	checkHub(hub, report);
	checkBinds(list(listeners), admin, tunnels, report);
	checkLoops(list(listeners), mapping(upstreams), report);
	checkRouteCount(list(listeners), report);
	const targets = upstreamNames(upstreams, report);
	const takeNone = bytesTargets(upstreams);
	const takeDatagrams = datagramTargets(upstreams);
	checkTimeouts(mapping(file), takeNone, report);
	for (const [index, value] of list(listeners).entries()) {
		const listener = mapping(value);
		const place = ["listeners", index];
		if (takesDatagrams(listener)) {
			for (const [position, route] of routesOf(listener).entries()) {
				const path = [...place, "routes", position];
				const { to } = mapping(route);
				checkTarget(to, [...path, "to"], targets, report);
				checkLeadsToTunnels(to, tunnels, [...path, "to"], report);
				checkNoHubHere(mapping(route), path, report);
				const once = reportOnce(report);
				for (const single of writtenAlternatives(mapping(route))) checkNamedDatagrams(single, path, once);
			}
			checkDatagramListener(listener, place, mapping(upstreams), report);
			checkReach(routesOf(listener), [...place, "routes"], true, report);
			continue;
		}
		checkStreamListener(listener, place, takeDatagrams, report);
		checkProxyProtocol(listener, ["listeners", index], report);
		checkCertificateNames(list(listener["tls"]), ["listeners", index, "tls"], report);
		const path = ["listeners", index, "routes"];
		const routes = routesOf(listener);
		const terminated = new TerminatedNames(listener);
		const reads = readsRequests(routes, takeNone);
		checkRequestLog(listener, ["listeners", index], takeNone, report);
		for (const [position, route] of routes.entries()) {
			const { to } = mapping(route);
			checkTarget(to, [...path, position, "to"], targets, report);
			checkLeadsToTunnels(to, tunnels, [...path, position, "to"], report);
			checkHubRoute(mapping(route), [...path, position], { hub, readsRequests: reads }, report);
			// What is wrong with each value is wrong with the route, and said once.
			const once = reportOnce(report);
			for (const single of writtenAlternatives(mapping(route))) {
				checkConditions(single, [...path, position], terminated, once);
				checkNamed(single, [...path, position], once);
				checkReadable(single, [...path, position], takeNone, targets, terminated, once);
				checkHubReads(single, [...path, position], reads, terminated, once);
			}
			checkRouteActions(mapping(route), [...path, position], takeNone, report);
		}
		checkAskedInTheOpen(listener, mapping(file), ["listeners", index], report);
		checkReach(routes, path, false, report);
	}
	checkUpstreams(mapping(upstreams), baseDir, report);
}

/** Without tunnels, of which those of tcp have ports of their own. */
function checkIsListened(listeners: unknown, report: Report): void {
	if (listeners === undefined)
		report.problem(
			[],
			'the key "listeners" is missing: expected a list such as [{ listen: "0.0.0.0:443", routes: [{ to: web }] }]',
		);
	else if (Array.isArray(listeners) && listeners.length === 0)
		report.problem(["listeners"], "without a listener there is nothing to do: write at least one");
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

function checkRouteCount(listeners: readonly unknown[], report: Report): void {
	let count = 0;
	for (const [index, listener] of listeners.entries()) {
		for (const route of routesOf(listener)) count += countAlternatives(mapping(route));
		if (count <= ROUTES_MAX) continue;
		report.problem(
			["listeners", index, "routes"],
			`more than ${ROUTES_MAX} routes over all listeners, each combination of the values of one counted: the shared table has no more rows; use wildcards`,
		);
		return;
	}
}

/** Passes on what was not said before in the same words. */
function reportOnce(report: Report): Report {
	const said = new Set<string>();
	const isNew = (path: Path, message: string): boolean => {
		const key = `${path.map(String).join(".")} ${message}`;
		if (said.has(key)) return false;
		said.add(key);
		return true;
	};
	return {
		problem(path, message, part) {
			if (isNew(path, message)) report.problem(path, message, part);
		},
		warning(path, message, part) {
			if (isNew(path, message)) report.warning(path, message, part);
		},
		lineOf: (path) => report.lineOf(path),
	};
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
function checkRequestLog(listener: Mapping, path: Path, takeNone: ReadonlySet<string>, report: Report): void {
	const { log_requests: share } = listener;
	if (share === undefined || isOff(share) || readsRequests(routesOf(listener), takeNone)) return;
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

function routesOf(listener: unknown): readonly unknown[] {
	const { routes } = mapping(listener);
	return list(routes);
}

/** Which listeners read requests, and what their routes may do with them: where it has a meaning, and what goes together. */
import { parseListen } from "./address.js";
import { isLoopback } from "./bind-rules.js";
import { FIELDS_MAX, FIELDS_MAX_BYTES, foldFieldName } from "./fields.js";
import { HUB, REJECT, TUNNELS } from "./names.js";
import { attempt, list, type Mapping, mapping } from "./plain.js";

import type { Path, Report } from "./source.js";

/** Keys of a route that are no conditions: what is done with its requests. */
export const ROUTE_ACTIONS = [
	"request_headers",
	"response_headers",
	"request_body_bytes",
	"body_bytes_per_second",
	"basic_auth",
] as const;

/** Targets that take no requests: upstreams of bytes, and `reject`. */
export function bytesTargets(upstreams: unknown): ReadonlySet<string> {
	const entries = Object.entries(mapping(upstreams));
	const names = entries.filter(([, value]) => mapping(value)["http"] === undefined).map(([name]) => name);
	return new Set([...names, REJECT]);
}

/** Requests are read one by one only where a route needs it: for what it asks of them, or for where it leads. */
export function readsRequests(routes: readonly unknown[], takeNone: ReadonlySet<string>): boolean {
	return routes.some((route) => {
		const { to, path, subprotocol } = mapping(route);
		if (path !== undefined || subprotocol !== undefined || isFixed(to)) return true;
		if (to === HUB) return asksForRequests(mapping(route));
		return typeof to === "string" && !takeNone.has(to);
	});
}

/** Subscribers of the hub come by HTTP where a route is about that; elsewhere it reads frames. */
function asksForRequests({ host, protocol }: Mapping): boolean {
	return host !== undefined || [protocol].flat().includes("http");
}

/** `to` says what requests are answered with. */
export function isFixed(to: unknown): boolean {
	return typeof to === "object" && to !== null && !Array.isArray(to);
}

export function checkRouteActions(
	route: Mapping,
	path: Path,
	takeNone: ReadonlySet<string>,
	report: Report,
): void {
	const { to } = route;
	if (isFixed(to)) checkFixed(mapping(to), [...path, "to"], report);
	if (isFixed(to))
		for (const key of [...ROUTE_ACTIONS, "timeouts"])
			if (route[key] !== undefined && key !== "basic_auth")
				report.problem(
					[...path, key],
					`"${key}" does nothing here: the answer is made at once, from "to"; remove it`,
					"key",
				);
	for (const key of ROUTE_ACTIONS) {
		if (route[key] === undefined || typeof to !== "string" || !takeNone.has(to)) continue;
		report.problem(
			[...path, key],
			`"${key}" holds for requests, and "${to}" takes none: name an upstream with "http", or remove "${key}"`,
			"key",
		);
	}
	checkAsked(route, path, report);
	for (const key of ["request_headers", "response_headers"])
		checkFields(mapping(route[key]), [...path, key], report);
}

/** A password is asked for where something is to be had, and only of requests. */
function checkAsked({ basic_auth: asked, to, sni, host }: Mapping, path: Path, report: Report): void {
	if (asked === undefined) return;
	if (isFixed(to) && mapping(to)["redirect"] !== undefined)
		report.problem(
			[...path, "basic_auth"],
			'"basic_auth" would have clients say their password before they are sent elsewhere: write it on the route that takes them there, and remove it here',
			"key",
		);
	if (to === TUNNELS && sni !== undefined && host === undefined)
		report.problem(
			[...path, "basic_auth"],
			'"basic_auth" is asked of requests, and by "sni" come visitors of tls tunnels, whose bytes are not read: write "host" instead, or remove "basic_auth"',
			"key",
		);
}

/** Passwords and tokens that anybody between client and gateway reads, unless something in front of it speaks TLS. */
export function checkAskedInTheOpen(
	listener: Mapping,
	{ tunnels, hub }: Mapping,
	path: Path,
	report: Report,
): void {
	const { listen, tls, forwarded_trusted: trusted, proxy_protocol: header } = listener;
	const bind = attempt(listen, parseListen);
	const isCovered = tls !== undefined || trusted !== undefined || header !== undefined;
	if (isCovered || bind === null || isLoopback(bind.host)) return;
	const routes = list(listener["routes"]).map(mapping);
	// Those of agents are asked for on the routes that lead to their tunnels.
	const agentsAsk = list(mapping(tunnels)["agents"]).some(
		(agent) => mapping(agent)["basic_auth"] !== undefined,
	);
	const tell = (what: string, index: number): void => {
		if (index < 0) return;
		report.warning(
			[...path, "routes", index],
			`${what} come in the open here: add a certificate under "tls" of the listener, or let a proxy with TLS stand in front and name it in "forwarded_trusted"`,
		);
	};
	const asksPassword = ({ basic_auth: asked, to, sni }: Mapping): boolean =>
		asked !== undefined || (agentsAsk && to === TUNNELS && sni === undefined);
	tell("passwords", routes.findIndex(asksPassword));
	if (mapping(hub)["keys"] === undefined) return;
	tell(
		"tokens",
		routes.findIndex(({ to }) => to === HUB),
	);
}

/** Statuses that send a client elsewhere (RFC 9110, 15.4). */
const REDIRECTS: ReadonlySet<unknown> = new Set([301, 302, 303, 307, 308]);

function checkFixed(to: Mapping, path: Path, report: Report): void {
	const { redirect, status } = to;
	if (redirect === undefined) {
		if (status === undefined)
			report.problem(path, "it does not say what is answered: write { redirect: https }, or { status: 503 }");
		return;
	}
	if (status !== undefined && !REDIRECTS.has(status))
		report.problem(
			[...path, "status"],
			`expected one of ${[...REDIRECTS].join(", ")}: no other status sends a client elsewhere`,
		);
	for (const key of ["body", "content_type"])
		if (to[key] !== undefined)
			report.problem([...path, key], `"${key}" does nothing with "redirect": remove one of the two`, "key");
}

function checkFields({ set, remove }: Mapping, path: Path, report: Report): void {
	const fields = Object.entries(mapping(set));
	const seen = new Set<string>();
	const claim = (name: unknown, place: Path, part: "key" | "value"): void => {
		if (typeof name !== "string") return;
		if (seen.has(foldFieldName(name)))
			report.problem(
				place,
				`"${name}" is named twice here: remove one of the two (what is set replaces)`,
				part,
			);
		seen.add(foldFieldName(name));
	};
	for (const [name] of fields) claim(name, [...path, "set", name], "key");
	for (const [index, name] of list(remove).entries()) claim(name, [...path, "remove", index], "value");
	if (seen.size > FIELDS_MAX) report.problem(path, `at most ${FIELDS_MAX} fields can be named here`);
	const bytes = fields.reduce((sum, [name, value]) => sum + name.length + String(value).length + 4, 0);
	if (bytes > FIELDS_MAX_BYTES)
		report.problem(
			[...path, "set"],
			`these fields make ${bytes} bytes: at most ${FIELDS_MAX_BYTES} can be added`,
		);
}

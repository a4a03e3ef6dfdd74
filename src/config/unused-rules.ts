/**
 * What stands in a file that can be followed and does nothing there: upstreams that nothing leads to, names that no route
 * takes, limits that another one comes before. Looked for when nothing is wrong, because a mistake elsewhere has such echoes.
 */
import { writtenAlternatives } from "./alternatives.js";
import { checkUnusedHub } from "./hub-rules.js";
import { parseCertificateName, parseHostPattern, parseServerName, REJECT } from "./names.js";
import { attempt, list, type Mapping, mapping } from "./plain.js";
import type { ConfigFile } from "./schema.js";
import type { Path, Report } from "./source.js";
import { meet, namesOver, TerminatedNames } from "./terminated.js";
import { checkUnusedTunnels } from "./tunnel-rules.js";
import { checkUnusedTimeouts } from "./unused-timeouts.js";

/** `written`: the same file as it was written. */
export function checkUnused(file: ConfigFile, written: unknown, report: Report): void {
	checkUpstreams(file, report);
	checkLimits(mapping(file.limits), report);
	checkUnusedTimeouts(file, report);
	checkUnusedTunnels(mapping(written), report);
	checkUnusedHub(mapping(written), report);
	for (const [index, value] of list(mapping(written)["listeners"]).entries()) {
		const listener = mapping(value);
		const routes = list(listener["routes"]).map(mapping);
		const alternatives = routes.flatMap(writtenAlternatives);
		checkCertificates(list(listener["tls"]), alternatives, ["listeners", index, "tls"], report);
		checkHosts(listener, routes, ["listeners", index, "routes"], report);
	}
}

function checkUpstreams({ listeners = [], upstreams }: ConfigFile, report: Report): void {
	const used = new Set<unknown>(listeners.flatMap(({ routes }) => routes.map(({ to }) => to)));
	for (const name of Object.keys(upstreams ?? {}))
		if (!used.has(name))
			report.warning(
				["upstreams", name],
				`no route leads to "${name}": add one with "to: ${name}", or remove the upstream`,
				"key",
			);
}

/** The limit of one address, and that of all of them. */
const PAIRS = [
	["connections_per_ip", "connections"],
	["accepts_per_second_per_ip", "accepts_per_second"],
	["requests_per_second_per_ip", "requests_per_second"],
	["bytes_per_second_per_ip", "bytes_per_second"],
] as const;

function checkLimits(limits: Mapping, report: Report): void {
	for (const [one, all] of PAIRS) {
		const [ofOne, ofAll] = [limits[one], limits[all]];
		if (typeof ofOne !== "number" || typeof ofAll !== "number" || ofOne <= ofAll) continue;
		report.warning(
			["limits", one],
			`${one} (${ofOne}) never comes: ${all} (${ofAll}) is reached before by all addresses together; lower it, or write off`,
		);
	}
}

/** TLS that ends here, and then finds no route. */
function checkCertificates(
	entries: readonly unknown[],
	routes: readonly Mapping[],
	path: Path,
	report: Report,
): void {
	const taken = new RoutesByName(routes);
	for (const [index, entry] of entries.entries())
		for (const [position, written] of list(mapping(entry)["names"]).entries()) {
			const name = attempt(written, parseCertificateName);
			if (name === null || name === "*" || taken.serves(name)) continue;
			report.warning(
				[...path, index, "names", position],
				`no route takes "${name}": TLS for it ends here, and leads nowhere; add a route with "host: ${name}" or "sni: ${name}", or remove the name`,
			);
		}
}

/** Routes by the names that they ask for, so that thousands of names do not meet thousands of routes each. */
class RoutesByName {
	/** One takes every name. */
	#takesAll = false;
	readonly #byName = new Map<string, string[]>();

	constructor(routes: readonly Mapping[]) {
		for (const { sni, host, to } of routes) {
			const asked = attempt(sni, parseServerName);
			const inside = attempt(host, parseHostPattern);
			// What rejects everybody was not written for any name.
			if (asked === null && inside === null) this.#takesAll ||= to !== REJECT;
			else this.#add(inside ?? asked ?? "", asked ?? inside ?? "");
		}
	}

	/** Whether a route may take clients whose hello asks for the name. */
	serves(name: string): boolean {
		if (this.#takesAll) return true;
		const patterns = [name];
		for (let dot = name.indexOf("."); dot !== -1; dot = name.indexOf(".", dot + 1))
			patterns.push(`*${name.slice(dot)}`);
		return patterns.some((pattern) => this.#byName.get(pattern)?.some((other) => meet(name, other)));
	}

	#add(pattern: string, other: string): void {
		for (const name of pattern.startsWith("*.") ? [pattern] : namesOver(pattern)) {
			const others = this.#byName.get(name);
			if (others === undefined) this.#byName.set(name, [other]);
			else others.push(other);
		}
	}
}

/** Requests that come through TLS reach a route by the name that their client asked for, which needs a certificate. */
function checkHosts(listener: Mapping, routes: readonly Mapping[], path: Path, report: Report): void {
	if (list(listener["tls"]).length === 0) return;
	const terminated = new TerminatedNames(listener);
	for (const [index, route] of routes.entries()) {
		const told = new Set<string>();
		for (const { sni, host, protocol } of writtenAlternatives(route)) {
			const name = attempt(host, parseHostPattern);
			// "protocol: http" says that requests in the open are meant; with "sni" its name is what counts, and a problem elsewhere.
			if (name === null || name.startsWith("*") || sni !== undefined || protocol === "http") continue;
			if (told.has(name) || terminated.mayTake({ sni: name })) continue;
			told.add(name);
			report.warning(
				[...path, index, "host", ...(Array.isArray(route["host"]) ? [route["host"].indexOf(host)] : [])],
				`no certificate of this listener covers "${name}": clients that ask for it by TLS never reach this route; add the name under "tls", or write "protocol: http" beside "host" if requests in the open are meant`,
			);
		}
	}
}

/**
 * Why a route takes a connection, or does not: condition by condition, for people. The router answers the same question fast, and
 * a test holds the two together.
 */
import { formatCidr } from "../config/address.js";
import type { Cidr, RouteConditions, RouteProtocol } from "../config/config.js";
import { parseIpv4, parseIpv6 } from "../protocol/address.js";
import { contains } from "./router.js";

/** A connection that does not exist. What is not said, it does not have. */
export interface Imagined {
	/** What its first bytes are; where its TLS ends here, those inside. `null`: it says nothing. */
	readonly protocol: Exclude<RouteProtocol, "any"> | null;
	/** Its TLS ends here, so that what is inside is looked at as well. */
	readonly isTerminated: boolean;
	/** In lower case. */
	readonly sni: string | null;
	/** Of its request, without the port. */
	readonly host: string | null;
	/** In its normal form. */
	readonly path: string | null;
	readonly subprotocol: string | null;
	/** What it offers; where its TLS ends here, what was agreed on. */
	readonly alpn: readonly string[];
	/** An IP address. */
	readonly source: string | null;
}

/** The conditions that do not hold; empty: the route takes it. */
export function whyNot(route: RouteConditions, asked: Imagined): string[] {
	const { protocol, sni, host, path, alpn, subprotocol, source } = route;
	const isTls = asked.protocol === "tls" || asked.isTerminated;
	const isHttp = asked.protocol === "http";
	const asksTls = (sni !== null || alpn !== null) && isTls;
	const reasons: string[] = [];
	const require = (holds: boolean, why: () => string): void => {
		if (!holds) reasons.push(why());
	};
	if (protocol === null)
		require(asked.protocol !== null || asksTls, () =>
			"it says nothing, and only protocol: any takes who is silent");
	else if (protocol !== "any")
		require(protocol === asked.protocol || (protocol === "tls" && asked.isTerminated), () =>
			`protocol is ${asked.protocol ?? "none"}, not ${protocol}`);
	if (sni !== null)
		require(isTls && hasName(sni, asked.sni), () =>
			`sni is ${(isTls ? asked.sni : null) ?? "none"}, not ${sni}`);
	if (host !== null)
		require(isHttp && hasName(host, asked.host), () =>
			`host is ${(isHttp ? asked.host : null) ?? "none"}, not ${host}`);
	if (path !== null)
		require(isHttp && hasPath(path, asked.path), () =>
			`path is ${(isHttp ? asked.path : null) ?? "none"}, not ${path}`);
	if (alpn !== null)
		require(isTls && asked.alpn.includes(alpn), () =>
			`alpn is ${asked.alpn.join(", ") || "none"}, not ${alpn}`);
	if (subprotocol !== null)
		require(isHttp && asked.subprotocol?.toLowerCase() === subprotocol, () =>
			`subprotocol is ${asked.subprotocol ?? "none"}, not ${subprotocol}`);
	if (source !== null)
		require(isFrom(source, asked.source), () =>
			`source is ${asked.source ?? "not said"}, and not in ${formatCidr(source)}`);
	return reasons;
}

function hasName(pattern: string, name: string | null): boolean {
	if (name === null) return false;
	if (!pattern.startsWith("*.")) return name === pattern;
	return name.length > pattern.length - 1 && name.endsWith(pattern.slice(1));
}

function hasPath(pattern: string, path: string | null): boolean {
	if (path === null) return false;
	return pattern.endsWith("/") ? path.startsWith(pattern) : path === pattern;
}

export function isFrom(block: Cidr, source: string | null): boolean {
	const bytes = source === null ? undefined : (parseIpv4(source) ?? parseIpv6(source));
	return bytes !== undefined && contains(block, bytes.length === 4 ? 4 : 6, bytes, 0);
}

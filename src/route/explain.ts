/**
 * Why a route takes a connection, or does not: condition by condition, for people. The router answers the same question fast, and
 * a test holds the two together.
 */
import { formatCidr } from "../config/address.js";
import type { Cidr, RouteConfig, RouteProtocol } from "../config/config.js";
import type { CONDITIONS } from "../config/label.js";
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
export function whyNot(route: Pick<RouteConfig, (typeof CONDITIONS)[number]>, asked: Imagined): string[] {
	const { protocol, sni, host, path, alpn, subprotocol, source } = route;
	const { protocol: spoken } = asked;
	const saysHello = asked.isTerminated || spoken === "tls" || spoken === "quic" || spoken === "dtls";
	const isHttp = asked.protocol === "http";
	const asksHello = (sni !== null || alpn !== null) && saysHello;
	const reasons: string[] = [];
	const require = (holds: boolean, what: string, is: string | null, wanted: readonly string[]): void => {
		if (!holds) reasons.push(`${what} is ${is ?? "none"}, not ${wanted.join(" or ")}`);
	};
	if (protocol === null && asked.protocol === null && !asksHello)
		reasons.push("it says nothing, and only protocol: any takes who is silent");
	if (protocol !== null)
		require(protocol.some(
			(each) => each === "any" || each === asked.protocol || (each === "tls" && asked.isTerminated),
		), ...(["protocol", asked.protocol, protocol] as const));
	if (sni !== null)
		require(saysHello && sni.some((each) => hasName(each, asked.sni)), "sni", saysHello
			? asked.sni
			: null, sni);
	if (host !== null)
		require(isHttp && host.some((each) => hasName(each, asked.host)), "host", isHttp
			? asked.host
			: null, host);
	if (path !== null)
		require(isHttp && path.some((each) => hasPath(each, asked.path)), "path", isHttp
			? asked.path
			: null, path);
	if (alpn !== null)
		require(saysHello && alpn.some((each) => asked.alpn.includes(each)), "alpn", asked.alpn.join(", ") ||
			null, alpn);
	if (subprotocol !== null)
		require(isHttp && subprotocol.includes(asked.subprotocol?.toLowerCase() ?? ""), ...([
			"subprotocol",
			asked.subprotocol,
			subprotocol,
		] as const));
	if (source !== null && !source.some((each) => isFrom(each, asked.source)))
		reasons.push(
			`source is ${asked.source ?? "not said"}, and not in ${source.map(formatCidr).join(" or ")}`,
		);
	return reasons;
}

/** Whether it is this name, or for `*.example.com` one that ends so. */
export function hasName(pattern: string, name: string | null): boolean {
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

/** Where visitors of a tunnel come in: read off the listeners whose routes lead there. Agents show it to people; nothing is routed by it. */
import type { ListenerConfig, RouteConfig, RouteProtocol } from "../config/config.js";
import { TUNNELS } from "../config/names.js";
import { meet, namesOver } from "../config/terminated.js";
import type { ControlSettings } from "../tunnel/gateway/interfaces.js";

type Kind = Parameters<ControlSettings["publicAddresses"]>[0];

/** `portOf`: the port that a listener was really bound to. */
export function tunnelAddresses(
	listeners: readonly ListenerConfig[],
	portOf: (listener: ListenerConfig) => number,
): ControlSettings["publicAddresses"] {
	return (kind, host) => {
		const found = listeners.flatMap((listener) => placesOf(listener, kind, host, portOf(listener)));
		// Who can come by TLS should.
		const secure = found.filter((place) => place.startsWith("https:"));
		return [...new Set(secure.length > 0 ? secure : found)];
	};
}

function placesOf(listener: ListenerConfig, kind: Kind, host: string, port: number): string[] {
	const leading = listener.routes.filter((route) => leads(route, host));
	if (kind === "tls")
		return leading.some(
			({ host: inside, path, protocol }) => inside === null && path === null && takes(protocol, "tls"),
		)
			? [`${host}:${port}`]
			: [];
	const isTerminated = listener.certificates.some(({ names }) =>
		names.some((name) => name === "*" || namesOver(host).includes(name)),
	);
	const isOpen = leading.some(
		({ sni, alpn, protocol }) => sni === null && alpn === null && takes(protocol, "http"),
	);
	return [
		...(isTerminated && leading.length > 0 ? [`https://${host}${port === 443 ? "" : `:${port}`}`] : []),
		...(isOpen ? [`http://${host}${port === 80 ? "" : `:${port}`}`] : []),
	];
}

/** The route goes to tunnels, and may take visitors of this host. */
function leads({ to, sni, host: inside }: RouteConfig, host: string): boolean {
	return (
		to === TUNNELS &&
		[sni, inside].every((patterns) => patterns === null || patterns.some((each) => fits(each, host)))
	);
}

function fits(pattern: string, host: string): boolean {
	return pattern === host || (pattern.startsWith("*.") && meet(host, pattern));
}

function takes(protocols: readonly RouteProtocol[] | null, one: RouteProtocol): boolean {
	return protocols === null || protocols.includes(one);
}

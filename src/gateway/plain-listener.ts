/** Listeners and routes that no file names: of tunnels, and of an agent's lines. */
import type { ByteRates, Config, ListenerConfig, RouteConfig } from "../config/config.js";
import * as defaults from "../config/defaults.js";

/** Everything that a listener has where nothing is said of it. */
export function plainListener(config: Config, name: string, host: string, port: number): ListenerConfig {
	return {
		...{ name, host, port, backlog: defaults.backlog },
		...{ connections: null, acceptsPerSecond: null, requestsPerSecond: null },
		byteRates: { ...config.limits.byteRates, all: null },
		deadlines: { timeouts: config.timeouts, userTimeoutMs: config.keepalive.userTimeoutMs },
		proxyProtocol: { mode: "off", trusted: [] },
		forwardedTrusted: [],
		paths: "match",
		logRequests: 0,
		certificates: [],
		via: null,
		readsRequests: false,
		routes: [],
	};
}

/** A route that takes whatever comes there. */
export function plainRoute(to: string, byteRates: ByteRates): RouteConfig {
	return {
		...{ sni: null, host: null, alpn: null, protocol: null, source: null, path: null, subprotocol: null },
		...{ to, answer: null, requests: null, label: "*", deadlines: null },
		...{ connections: null, sessionsPerSecond: null, requestsPerSecond: null },
		byteRates,
	};
}

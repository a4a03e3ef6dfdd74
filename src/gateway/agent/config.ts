/** What an agent's reactors run with: a listener for each tunnel, bound nowhere, and behind it the local service as its upstream. */
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import type {
	Config,
	Endpoint,
	ListenerConfig,
	UpstreamAddress,
	UpstreamConfig,
} from "../../config/config.js";
import * as defaults from "../../config/defaults.js";
import { loadConfigText } from "../../config/load.js";
import { descriptorLimits } from "../../kernel/sockets.js";
import { carriesDatagrams, nameWithTransport } from "../../protocol/tunnel/index.js";
import { SESSION_LATER_MS } from "../../tunnel/agent/datagrams.js";
import { isLoopback, nameOf } from "../../tunnel/agent/local.js";
import type { AgentSettings, LocalTarget, TunnelSettings } from "../../tunnel/agent/settings.js";
import { plainListener, plainRoute } from "../plain-listener.js";

/** All defaults; its listener is no agent's. */
const NOTHING = `
listeners: [{ listen: "127.0.0.1:1", routes: [{ to: reject }] }]
log: { level: error, format: json, sessions: off }
timeouts: { connect: 10s, stall: 30s, half_closed: 30s }
reactors: 1
`;

/** Lines and visitors at once, where descriptors allow them. */
const SESSIONS_MAX = 16_384;
/** Descriptors for so many, and to spare. */
const DESCRIPTORS_ENOUGH = 4 * SESSIONS_MAX;

/** The gateway knows which visitors have been idle for too long; an agent that cut them as well would only be wrong. */
const IDLE_MS = 365 * 86_400_000;

/** Each visitor tries the service anew: it may have been started meanwhile. */
const NEVER_EJECTED = { failures: 2 ** 30, forMs: 1 };

/**
 * What `localhost` is here, the first to be tried first. The system says so, and not DNS: a service may listen at one of these addresses,
 * and another one's at the other.
 */
export async function localAddresses(): Promise<readonly string[]> {
	const found = await lookup("localhost", { all: true, verbatim: true }).catch(() => []);
	return found.length > 0 ? found.map(({ address }) => address) : ["127.0.0.1", "::1"];
}

/**
 * `local`: what `localAddresses` has found. `idleMs`: by the names of tunnels of datagrams, how long their gateway lets a session be idle,
 * as far as it has said so.
 */
export function agentConfig(
	{ tunnels }: AgentSettings,
	local: readonly string[],
	idleMs: ReadonlyMap<string, number> = new Map(),
): Config {
	const base = loadConfigText(NOTHING);
	const config: Config = {
		...base,
		limits: {
			...base.limits,
			// Whose datagrams these are, the gateway has recognised.
			halfHellos: 1,
			connections: descriptorLimits().hard >= DESCRIPTORS_ENOUGH ? SESSIONS_MAX : null,
		},
		timeouts: { ...base.timeouts, idleMs: IDLE_MS },
	};
	return {
		...config,
		listeners: tunnels.map((tunnel) => listenerOf(config, tunnel, idleMs.get(nameWithTransport(tunnel)))),
		upstreams: tunnels.map((tunnel) => upstreamOf(tunnel, local)),
	};
}

/** As the reactors know a tunnel. */
export function nameIn({ kind, name }: Pick<TunnelSettings, "kind" | "name">): string {
	return `${kind} ${name}`;
}

function listenerOf(config: Config, tunnel: TunnelSettings, idleMs: number | undefined): ListenerConfig {
	const name = nameIn(tunnel);
	const plain = plainListener(config, name, "*", 0);
	return {
		...plain,
		...(carriesDatagrams(tunnel.kind) ? ofDatagrams(plain, idleMs) : {}),
		routes: [plainRoute(name, { all: null, perIp: null, perSession: null })],
		isForOwnLines: true,
	};
}

/** Its lines carry frames. */
function ofDatagrams(
	{ deadlines }: ListenerConfig,
	idleMs = Number.POSITIVE_INFINITY,
): Pick<ListenerConfig, "datagrams" | "deadlines"> {
	const timeouts = { ...deadlines.timeouts, idleMs: Math.min(IDLE_MS, idleMs + SESSION_LATER_MS) };
	return { datagrams: { unknownVersions: "reject" }, deadlines: { ...deadlines, timeouts } };
}

function upstreamOf(tunnel: TunnelSettings, localhost: readonly string[]): UpstreamConfig {
	const { local, hostHeader, proxyProtocol } = tunnel;
	return {
		name: nameIn(tunnel),
		addresses: addressesOf(local, localhost),
		http: null,
		...(carriesDatagrams(tunnel.kind) ? { datagrams: { responses: null } } : {}),
		tls: local.tls
			? {
					// Who listens on this machine is believed, as with Node's streams.
					verify: "host" in local.where && !isLoopback(local.where.host),
					serverName: nameOf(local, hostHeader),
					caFile: null,
					identity: null,
				}
			: null,
		timeouts: {},
		balance: defaults.balance,
		proxyProtocol: proxyProtocol === true ? "v2" : "off",
		proxyTlvs: [],
		health: null,
		eject: NEVER_EJECTED,
		resolveMs: defaults.resolveMs,
	};
}

/** Of several for `localhost`, the first has all visitors whom it accepts. */
function addressesOf({ where }: LocalTarget, localhost: readonly string[]): UpstreamAddress[] {
	const besides = { weight: 1, maxConnections: null };
	if ("path" in where) return [{ kind: "unix", path: where.path, backup: false, ...besides }];
	const { host, port } = where;
	const hosts = host.toLowerCase() === "localhost" ? localhost : [host];
	return hosts.map((each, index) => ({ ...endpointAt(each, port), backup: index > 0, ...besides }));
}

function endpointAt(host: string, port: number): Endpoint {
	const family = isIP(host);
	if (family === 4 || family === 6) return { kind: "ip", address: host, family, port };
	return { kind: "name", host, port };
}

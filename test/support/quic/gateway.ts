/** A gateway in front of QUIC servers, each of which has a name of its own. */
import { type Gateway, type GatewayOptions, type SessionLine, startGateway } from "../gateway.js";
import { LOOPBACK } from "../peers.js";
import type { Scenario } from "../scenario.js";

export interface QuicConfigOptions {
	/** How long its sessions may be silent. Default: IDLE. */
	readonly idle?: string;
	readonly reactors?: number;
	/** Top-level sections before the listener: `timeouts: { … }`. */
	readonly sections?: string;
	/** A further line of the listener. */
	readonly listener?: string;
	/** A last route. */
	readonly route?: string;
}

/** One that says in its connection IDs which it is, in hex. */
export interface NamedAddress {
	readonly port: number;
	readonly serverId: string;
}

/** The upstreams of a configuration, by their names: `{ a: [40123] }` is reached by `a.test`. */
export type Ports = Readonly<Record<string, readonly (number | NamedAddress)[]>>;

/** Longer than any client is silent. Scenarios close their sessions, as operators do, and do not wait for it. */
const IDLE = "20s";

/** Its only listener is on UDP. */
export function quicConfig(ports: Ports, options: QuicConfigOptions = {}): string {
	const { reactors = 1, sections = "", listener = "", route, idle = IDLE } = options;
	const routes = Object.keys(ports).map((name) => `{ sni: ${name}.test, to: ${name} }`);
	const upstreams = Object.entries(ports).map(([name, each]) => {
		return `${name}: { udp: [${each.map(addressOf).join(", ")}] }`;
	});
	return `
reactors: ${reactors}
${sections}
listeners:
  - listen: ${LOOPBACK}:0/udp
    timeouts: { idle: ${idle} }
    ${listener}
    routes: [${[...routes, ...(route === undefined ? [] : [route])].join(", ")}]
upstreams: { ${upstreams.join(", ")} }
`;
}

function addressOf(address: number | NamedAddress): string {
	if (typeof address === "number") return `"${LOOPBACK}:${address}"`;
	return `{ address: "${LOOPBACK}:${address.port}", server_id: "${address.serverId}" }`;
}

/** Leads `KEY.test` to the servers of each key, each of which is a port or on one. */
export function startQuicGateway(
	scenario: Scenario,
	servers: Readonly<Record<string, { readonly port: number } | Ports[string]>>,
	options: QuicConfigOptions = {},
	how: GatewayOptions = {},
): Promise<Gateway> {
	const ports = Object.entries(servers).map(([name, each]) => [name, "port" in each ? [each.port] : each]);
	return startGateway(scenario, quicConfig(Object.fromEntries(ports), options), how);
}

/** What the log says of how each session was routed. */
export function routing({ protocol, name, upstream }: SessionLine): string {
	return `${protocol} ${name} ${upstream}`;
}

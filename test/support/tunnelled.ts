/** A gateway that tunnels lead to, without TLS, and agents in the test's process. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createServer as createTcpServer } from "node:net";
import type { AgentSettings, TunnelSettings } from "../../src/tunnel/agent/settings.js";
import { type Identity, newToken, readToken } from "../../src/tunnel/keys.js";
import { type Gateway, startGateway } from "./gateway.js";
import { dial, LOOPBACK } from "./peers.js";
import { get } from "./requests.js";
import type { Scenario } from "./scenario.js";
import { type RunningAgent, startAgent } from "./tunnel-agent.js";

/** Where agents connect to, among the gateway's listeners. */
const AGENTS = 1;

export interface Tunnelled {
	readonly gateway: Gateway;
	/** For a `tcp` tunnel. */
	readonly tcpPort: number;
	/** What `agents` of the file would be with this behind the id and the key of each. */
	readonly yaml: (more: Readonly<Record<string, string>>) => string;
	/** Starts one that logs in as this. */
	agent(id: string, tunnels: readonly TunnelSettings[]): RunningAgent;
	settings(id: string, tunnels: readonly TunnelSettings[]): AgentSettings;
	/** Asks for a page by a connection of its own, and returns the whole answer. */
	ask(host: string, path?: string, fields?: string): Promise<string>;
}

async function freePort(): Promise<number> {
	const server = createTcpServer();
	await new Promise<void>((resolve) => server.listen(0, LOOPBACK, resolve));
	const { port } = server.address() as AddressInfo;
	await new Promise((resolve) => server.close(resolve));
	return port;
}

/**
 * `agents`: by id, what stands behind the key in the gateway's file. `routes`: of the listener for visitors. The domain is
 * `tunnels.test`.
 */
export async function startTunnelled(
	scenario: Scenario,
	agents: Readonly<Record<string, string>>,
	routes = '{ host: "*.tunnels.test", to: tunnels }',
): Promise<Tunnelled> {
	const tcpPort = await freePort();
	const identities = new Map<string, Identity>(
		Object.keys(agents).map((id) => [id, readToken(newToken(id))]),
	);
	const identityOf = (id: string): Identity => {
		const identity = identities.get(id);
		if (identity === undefined) throw new Error(`there is no agent ${id}`);
		return identity;
	};
	const yaml = (more: Readonly<Record<string, string>>): string => `
reactors: 2
timeouts: { connect: 20s }
tunnels:
  listen: 127.0.0.1:0
  insecure: true
  domain: tunnels.test
  ports: ${tcpPort}-${tcpPort}
  lines: 2
  agents:
${Object.entries(more)
	.map(([id, keys]) => {
		const key = Buffer.from(identityOf(id).publicKey).toString("base64url");
		return `    - { id: ${id}, public_key: "${key}", ${keys} }`;
	})
	.join("\n")}
listeners:
  - listen: 127.0.0.1:0
    routes: [${routes}]
`;
	const gateway = await startGateway(scenario, yaml(agents), {
		own: "agents connect to its ports again after a reload",
	});
	const settings = (id: string, tunnels: readonly TunnelSettings[]): AgentSettings => ({
		gateway: { host: LOOPBACK, port: gateway.port(AGENTS) },
		...{ identity: identityOf(id), trust: {}, insecure: true, proxy: undefined },
		...{ tunnels, drainMs: 1, retryMaxMs: 500 },
	});
	return {
		...{ gateway, tcpPort, yaml, settings },
		agent: (id, tunnels) => startAgent(scenario, settings(id, tunnels)),
		ask: async (host, path = "/", fields = "") => {
			const client = await dial(scenario, gateway.port(0));
			client.end(get(path, host, `Connection: close\r\n${fields}`));
			return client.rest();
		},
	};
}

/** A service that answers with its name, and can be taken down and brought up again. */
export interface Service {
	readonly address: string;
	down(): Promise<void>;
	up(): Promise<void>;
}

export async function startService(
	scenario: Scenario,
	answer: (fields: Readonly<Record<string, string | string[] | undefined>>, path: string) => string,
): Promise<Service> {
	const server = createServer((request, response) =>
		response.end(answer(request.headers, request.url ?? "")),
	);
	let port = 0;
	const up = async (): Promise<void> => {
		await new Promise<void>((resolve) => server.listen(port, LOOPBACK, resolve));
		({ port } = server.address() as AddressInfo);
	};
	const down = async (): Promise<void> => {
		const closed = new Promise((resolve) => server.close(resolve));
		server.closeAllConnections();
		await closed;
	};
	await up();
	scenario.defer(() => (server.listening ? down() : Promise.resolve()));
	return { address: `${LOOPBACK}:${port}`, up, down };
}

/** A gateway that tunnels of datagrams lead to, and agents of either kind in the test's process. */
import { createHash, X509Certificate } from "node:crypto";
import type { AgentSettings, TunnelSettings } from "../../src/tunnel/agent/settings.js";
import { newToken, readToken } from "../../src/tunnel/keys.js";
import { type Gateway, startGateway } from "./gateway.js";
import { LOOPBACK } from "./peers.js";
import type { Scenario } from "./scenario.js";
import { identity } from "./tls.js";
import { type RunningAgent, startAgent, startAgentWithReactor } from "./tunnel-agent.js";
import { deadPort } from "./udp-ends.js";

export type AgentKind = "Node's streams" | "a reactor";
export const AGENT_KINDS: readonly AgentKind[] = ["Node's streams", "a reactor"];

export interface DatagramRig {
	readonly gateway: Gateway;
	readonly token: string;
	readonly fingerprint: string;
	/** Where a udp tunnel is reached. */
	readonly port: number;
	/** Where agents connect to. */
	readonly agentsPort: number;
	settings(tunnels: readonly TunnelSettings[]): AgentSettings;
	start(kind: AgentKind, ...tunnels: readonly TunnelSettings[]): Promise<RunningAgent>;
}

export interface DatagramRigOptions {
	/** More keys of `tunnels`. */
	readonly tunnels?: string;
	/** More keys of the agent's entry. */
	readonly agent?: string;
	/** Names that the listener leads to tunnels. */
	readonly sni?: string;
}

/** Listener 0 takes QUIC by names of tunnels.test, listener 1 is for agents. */
export async function startDatagramRig(
	scenario: Scenario,
	{ tunnels = "", agent = "", sni = "*.tunnels.test" }: DatagramRigOptions = {},
): Promise<DatagramRig> {
	const certificate = identity(scenario, "gw.test", { names: ["gw.test"] });
	const token = newToken("laptop");
	const key = Buffer.from(readToken(token).publicKey).toString("base64url");
	const port = await deadPort();
	const gateway = await startGateway(
		scenario,
		`
tunnels:
  listen: 127.0.0.1:0
  tls: { cert: "${certificate.certFile}", key: "${certificate.keyFile}" }
  domain: tunnels.test
  ports: ${port}-${port}
  lines: 2
  ${tunnels}
  agents: [{ id: laptop, public_key: "${key}", names: [app, dns], ${agent} }]
listeners:
  - listen: 127.0.0.1:0/udp
    routes: [{ sni: "${sni}", to: tunnels }]
`,
	);
	const { raw } = new X509Certificate(certificate.cert.text);
	const fingerprint = createHash("sha256").update(raw).digest("hex").toUpperCase();
	const agentsPort = gateway.port(1);
	const settings = (tunnels: readonly TunnelSettings[]): AgentSettings => ({
		gateway: { host: LOOPBACK, port: agentsPort },
		...{ identity: readToken(token), trust: { fingerprint }, insecure: false, proxy: undefined },
		...{ tunnels, drainMs: 1, retryMaxMs: 500 },
	});
	return {
		...{ gateway, token, fingerprint, port, agentsPort, settings },
		start: async (kind, ...tunnels) => {
			const agent =
				kind === "a reactor"
					? await startAgentWithReactor(scenario, settings(tunnels))
					: startAgent(scenario, settings(tunnels));
			for (const _ of tunnels) await agent.next("tunnel_opened");
			return agent;
		},
	};
}

/** A gateway, an agent with an inspector, and a service behind it: processes of their own, but for the service. */
import { MAIN } from "../../src/rig/gateway.js";
import type { Detail, ListAnswer, Summary } from "../../src/tunnel/inspector/api.js";
import { newToken, readToken } from "../../src/tunnel/keys.js";
import { startGateway } from "./gateway.js";
import { LOOPBACK } from "./peers.js";
import { Child } from "./processes.js";
import type { Scenario } from "./scenario.js";
import { eventually } from "./waiting.js";

/** The tunnel's public name. */
export const VISITED = "app.tunnels.test";

/** One for all scenarios of a file, so that they have one gateway. */
const token = newToken("laptop");
const key = Buffer.from(readToken(token).publicKey).toString("base64url");

export interface InspectedTunnel {
	/** Of the gateway, for visitors. */
	readonly port: number;
	readonly agent: Child;
	/** Of the inspector. */
	readonly url: string;
	list(): Promise<readonly Summary[]>;
	/** Waits for an exchange that is over. */
	over(which: (summary: Summary) => boolean, query?: string): Promise<Detail>;
}

/** `local`: where the service is. */
export async function startInspectedTunnel(
	scenario: Scenario,
	local: string,
	flags: readonly string[] = [],
): Promise<InspectedTunnel> {
	const gateway = await startGateway(
		scenario,
		`
reactors: 1
tunnels:
  listen: 127.0.0.1:0
  insecure: true
  domain: tunnels.test
  agents: [{ id: laptop, public_key: "${key}", names: [app] }]
listeners:
  - listen: 127.0.0.1:0
    routes: [{ host: "*.tunnels.test", to: tunnels }]
`,
	);
	const agent = new Child(
		process.execPath,
		[
			...[MAIN, "tunnel", "http", local, "--name", "app", "--insecure", "--inspect", "0", ...flags],
			...["--gateway", `${LOOPBACK}:${gateway.port(1)}`],
		],
		{ env: { SLUICE_TOKEN: token } },
	);
	scenario.defer(() => agent.stop());
	const [, url = ""] = await agent.printed(/"event":"inspecting","url":"([^"]+)"/);
	await agent.printed(/"event":"tunnel_opened"/);
	const ask = async <T>(path: string): Promise<T> => (await (await fetch(`${url}${path}`)).json()) as T;
	const list = async (): Promise<readonly Summary[]> => (await ask<ListAnswer>("/api/exchanges")).exchanges;
	return {
		...{ port: gateway.port(0), agent, url, list },
		over: async (which, query = "") => {
			const id = await eventually(
				async () => (await list()).find((each) => each.duration_ms !== null && which(each))?.id,
				() => `no such exchange is over; the agent said:\n${agent.output}`,
			);
			return ask<Detail>(`/api/exchanges/${id}${query}`);
		},
	};
}

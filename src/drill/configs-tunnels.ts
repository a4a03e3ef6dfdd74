/** The configuration of a gateway whose port for agents is attacked while a tunnel's visitors are served. */
import { spawnSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { MAIN } from "../rig/gateway.js";
import { temporaryDirectory } from "../rig/processes.js";
import { certificateFor, TIMEOUTS, timeoutsLine } from "./configs.js";
import type { ListenerAddresses } from "./drill.js";
import { NAMES } from "./traffic.js";
import type { DrillPorts } from "./upstream-ports.js";

/**
 * Of connections that have not proved what they are, a reactor keeps 1,024 at the most and ends the oldest for another one: so many
 * attackers all stay for their time.
 */
export const AGENT_PORT_ATTACKERS = 1_000;

/** What the agent of the drill is told besides its token. */
export interface TunnelFiles {
	readonly token: string;
	/** Of the gateway's certificate. */
	readonly fingerprint: string;
	/** Where its visitors are sent to. */
	readonly service: number;
}

let files: TunnelFiles | undefined;

export function tunnelFiles(): TunnelFiles {
	if (files === undefined) throw new Error("there is no agent before the gateway is configured");
	return files;
}

/** Visitors come to the first listener, agents and attackers to the port behind it. */
export function agentsConfig({ web }: DrillPorts, { main }: ListenerAddresses): string {
	const { certFile, keyFile } = certificateFor(NAMES.good);
	const { token, key } = newAgent();
	const { fingerprint256: fingerprint } = new X509Certificate(readFileSync(certFile));
	files = { token, fingerprint, service: web };
	return `
${timeoutsLine(TIMEOUTS)}
tunnels:
  listen: ${main}
  tls: { cert: "${certFile}", key: "${keyFile}" }
  domain: drill.test
  lines_max: 64
  agents: [{ id: drill, public_key: "${key}", names: [good] }]
listeners:
  - { listen: "${main}", backlog: 4096, routes: [{ host: ${NAMES.good}, to: tunnels }] }
`;
}

/** As an operator makes one. The token is kept in a file, as the command line wants it. */
function newAgent(): { readonly token: string; readonly key: string } {
	const { stdout, stderr } = spawnSync(process.execPath, [MAIN, "token", "new", "drill", "--json"], {
		encoding: "utf8",
	});
	if (stdout === "") throw new Error(`sluice token new: ${stderr}`);
	const made = JSON.parse(stdout) as { token: string; public_key: string };
	const token = join(temporaryDirectory(), "agent.token");
	writeFileSync(token, made.token, { mode: 0o600 });
	return { token, key: made.public_key };
}

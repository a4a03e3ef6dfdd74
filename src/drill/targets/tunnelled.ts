/** A gateway, and an agent whose tunnel is served while strangers come to the port that it connects to. */
import { MAIN } from "../../rig/gateway.js";
import { ownProcess, stopProcess } from "../../rig/processes.js";
import { tunnelFiles } from "../configs-tunnels.js";
import type { Target } from "../target.js";
import { type GatewayOptions, startGateway } from "./gateway.js";
import { Output } from "./output.js";

/** Its visitors have ended by then. */
const STOP_GRACE_MS = 1_000;

export async function startTunnelled(options: GatewayOptions): Promise<Target> {
	const gateway = await startGateway(options);
	const { port: clientPort, otherPorts = [] } = gateway;
	const [port] = otherPorts;
	if (port === undefined) throw new Error("the gateway did not say where agents connect");
	const { token, fingerprint, service } = tunnelFiles();
	const where = ["--gateway", `127.0.0.1:${port}`, "--token-file", token, "--fingerprint", fingerprint];
	const tunnel = ["http", String(service), "--name", "good"];
	const owned = ownProcess(process.execPath, [MAIN, "tunnel", ...tunnel, ...where], {
		stdio: ["ignore", "pipe", "pipe"],
		detached: true,
	});
	const output = new Output(owned);
	await output.first((line) => (line.includes('"tunnel_opened"') ? true : undefined));
	return {
		...gateway,
		...{ port, clientPort },
		stop: async () => {
			await stopProcess(owned, STOP_GRACE_MS);
			await gateway.stop();
		},
	};
}

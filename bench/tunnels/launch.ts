/** Starting a tunnel: the processes of both ends, and the wait for its first answered visitor. */
import { connect } from "node:net";
import { family } from "../../src/rig/proc.js";
import { freePort, freePorts } from "../free-port.js";
import { Start } from "../start.js";
import { accepts } from "../systems/launch.js";
import { type Assignment, type RunningTunnel, type TunnelSystem, WAYS } from "./system.js";
import { firstWords, portOf } from "./visitors.js";

const RETRY_MS = 20;
const ANSWER_MS = 2_000;

/** Starts both ends of a system, and waits until a visitor of each way is answered, or at least let in. */
export async function launchTunnel(
	system: TunnelSystem,
	{ to, certificate }: Pick<Assignment, "to" | "certificate">,
): Promise<RunningTunnel> {
	const agents = system.agentsPort ?? (await freePort("tcp"));
	if (system.agentsPort !== undefined && (await accepts(agents)))
		throw new Error(`port ${agents}, the only one that its agents know, is another program's`);
	const start = new Start(system.id, RETRY_MS);
	const { directory } = start;
	const listen = await freePorts("tcp", WAYS);
	const assignment = { ...{ agents, listen, to, certificate, directory } };
	const ends = system.prepare(assignment);
	const gateway = start.run(ends.gateway);
	await start.until("agents are let in", () => accepts(agents));
	const agentProcesses = ends.agents.map((agent) => start.run(agent));
	const { manner } = system;
	await start.until("a visitor is answered", () => isAnswered(portOf(assignment, manner, "relay"), manner));
	await start.until("visitors are let in", () => accepts(portOf(assignment, manner, "once")));
	await start.until("downloads are let in", () => accepts(portOf(assignment, manner, "bulk")));
	return {
		...{ system, assignment, gateway, stop: () => start.stop() },
		gatewayPids: () => family(gateway.pid),
		agentPids: () => agentProcesses.flatMap(({ pid }) => family(pid)),
	};
}

/** Whether a visitor gets what it came for. */
function isAnswered(port: number, manner: TunnelSystem["manner"]): Promise<boolean> {
	const { say, begins } = firstWords(manner);
	return new Promise((resolve) => {
		const socket = connect({ host: "127.0.0.1", port, noDelay: true, timeout: ANSWER_MS });
		let text = "";
		const end = (): void => {
			socket.destroy();
			resolve(text.startsWith(begins));
		};
		socket.on("connect", () => socket.write(say));
		socket.on("data", (chunk: Buffer) => {
			text += chunk.toString("latin1");
			if (text.length >= begins.length) end();
		});
		for (const event of ["timeout", "error", "close"]) socket.on(event, end);
	});
}

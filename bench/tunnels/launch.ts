/** Starting a tunnel: ports, directory, the processes of both ends, and the wait for its first answered visitor. */
import { closeSync, mkdirSync, openSync, readFileSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { family } from "../../src/rig/proc.js";
import { type OwnedProcess, ownProcess, stopProcess, temporaryDirectory } from "../../src/rig/processes.js";
import { accepts, freePort } from "../systems/launch.js";
import type { Assignment, Program, RunningTunnel, TunnelSystem } from "./system.js";
import { firstWords, portOf } from "./visitors.js";

const READY_TIMEOUT_MS = 20_000;
const RETRY_MS = 20;
/** Its visitors are over by then. */
const STOP_GRACE_MS = 3_000;
const ANSWER_MS = 2_000;

let launches = 0;

/** Starts both ends of a system, and waits until a visitor of each way is answered, or at least let in. */
export async function launchTunnel(
	system: TunnelSystem,
	{ to, certificate }: Pick<Assignment, "to" | "certificate">,
): Promise<RunningTunnel> {
	const directory = join(temporaryDirectory(), `tunnel-${++launches}-${system.id}`);
	mkdirSync(directory);
	const agents = system.agentsPort ?? (await freePort());
	if (system.agentsPort !== undefined && (await accepts(agents)))
		throw new Error(`port ${agents}, the only one that its agents know, is another program's`);
	const listen = { relay: await freePort(), once: await freePort(), bulk: await freePort() };
	const assignment = { ...{ agents, listen, to, certificate, directory } };
	const ends = system.prepare(assignment);

	const started: OwnedProcess[] = [];
	const stop = async (): Promise<void> => {
		// Agents first: a gateway that goes makes them complain.
		for (const owned of [...started].reverse()) await stopProcess(owned, STOP_GRACE_MS);
		rmSync(directory, { recursive: true, force: true });
	};
	let failure: string | null = null;
	const start = ({ command, args }: Program): OwnedProcess => {
		const file = join(directory, `${started.length}.log`);
		const output = openSync(file, "w");
		const owned = ownProcess(command, args, { stdio: ["ignore", output, output], cwd: directory });
		closeSync(output);
		started.push(owned);
		void owned.ended.then((how) => {
			failure ??= `${how}\n${readFileOrNothing(file).slice(-2000)}`;
		});
		return owned;
	};
	const until = async (what: string, attempt: () => Promise<boolean>): Promise<void> => {
		const sinceMs = performance.now();
		while (!(await attempt())) {
			if (performance.now() - sinceMs > READY_TIMEOUT_MS) failure ??= `not in time: ${what}`;
			if (failure !== null) {
				const why = `${system.id} did not start: ${failure}`;
				await stop();
				throw new Error(why);
			}
			await sleep(RETRY_MS);
		}
	};
	const gateway = start(ends.gateway);
	await until("agents are let in", () => accepts(agents));
	const agentProcesses = ends.agents.map(start);
	const { manner } = system;
	await until("a visitor is answered", () => isAnswered(portOf(assignment, manner, "relay"), manner));
	await until("visitors are let in", () => accepts(portOf(assignment, manner, "once")));
	await until("downloads are let in", () => accepts(portOf(assignment, manner, "bulk")));
	return {
		...{ system, assignment, gateway, stop },
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

function readFileOrNothing(file: string): string {
	try {
		return readFileSync(file, "utf8");
	} catch {
		// Its directory is gone: it was stopped.
		return "";
	}
}

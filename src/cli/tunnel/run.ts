/** `sluice tunnel`: an agent until it is asked to end, or cannot be. It needs no system calls of its own, and runs wherever Node does. */
import { ConfigError, ConfigFileError, formatProblems } from "../../config/errors.js";
import { LogWriter } from "../../gateway/log-writer.js";
import { whyNoSystemCalls } from "../../kernel/koffi.js";
import { exitNow } from "../../kernel/sockets.js";
import { type AdminPages, serveAdmin } from "../../tunnel/agent/admin.js";
import { Agent, type AgentWorld } from "../../tunnel/agent/agent.js";
import type { AgentEvent } from "../../tunnel/agent/events.js";
import type { Inspector } from "../../tunnel/inspector/inspector.js";
import type { ServedInspector } from "../../tunnel/inspector/server.js";
import { takeSignals } from "../early-signals.js";
import { JoinedLines } from "./joined-lines.js";
import { jsonLine, terminalLine } from "./output.js";
import { ArgumentsError, type Asked } from "./settings.js";

/** What is wrong with flags or file, for people; anything else is a fault, and thrown again. */
export function problemsOf(error: unknown): string {
	if (error instanceof ConfigError) return formatProblems(error);
	if (error instanceof ConfigFileError || error instanceof ArgumentsError) return `sluice: ${error.message}`;
	throw error;
}

/**
 * `read`: the settings now; with a file, again at each SIGHUP. Returns the exit status: 0 when it was asked to end, 1 when it
 * cannot be.
 */
export async function runTunnel(asked: Asked, version: string, readAgain?: () => Asked): Promise<number> {
	const isWatched = process.stdout.isTTY === true;
	const lines = new JoinedLines(new LogWriter(1, () => {}));
	const report = (event: AgentEvent): void => {
		const line = isWatched ? terminalLine(event) : jsonLine(event);
		if (line !== "") lines.write(line);
	};
	const mover =
		readAgain === undefined && isAllInspected(asked) ? undefined : await reactorMover(asked, report);
	const inspector = asked.inspect === undefined ? undefined : await newInspector(asked.inspect.requests);
	const agent = new Agent(asked.settings, {
		...{ report, version },
		...(mover === undefined ? {} : { mover }),
		...(inspector === undefined ? {} : { lookOn: inspector.lookOn }),
	});
	const pages = await openPages(agent, asked.admin);
	const inspected = await openInspector(inspector, agent, asked.inspect);
	if (inspected !== undefined) report({ event: "inspecting", url: inspected.url });
	listen(agent, report, readAgain);
	agent.start();
	const status = await agent.ended;
	pages?.close();
	await inspected?.close();
	await lines.flush();
	return status;
}

/** Then a reactor would have nothing to do, unless a file brings other tunnels. */
function isAllInspected({ inspect, settings }: Asked): boolean {
	return inspect !== undefined && settings.tunnels.every(({ kind }) => kind === "http");
}

/** Where system calls can be made, a reactor moves the bytes of lines, as in a gateway; elsewhere Node's streams do. */
async function reactorMover(
	{ settings, nodeStreams, inspect }: Asked,
	report: (event: AgentEvent) => void,
): Promise<AgentWorld["mover"]> {
	if (nodeStreams || settings.proxy !== undefined || whyNoSystemCalls() !== undefined) return undefined;
	try {
		// Not loaded where it cannot run.
		const { startReactorMover } = await import("../../gateway/agent/reactor-mover.js");
		return await startReactorMover(settings, inspect !== undefined);
	} catch (error) {
		// Whatever it was: visitors can be served without.
		report({ event: "without_reactor", why: (error as Error).message });
		return undefined;
	}
}

async function openPages(agent: Agent, where: Asked["admin"]): Promise<AdminPages | undefined> {
	if (where === undefined) return undefined;
	try {
		return await serveAdmin(agent, where);
	} catch (error) {
		throw new ArgumentsError(`--admin: ${(error as Error).message}`);
	}
}

/** Loaded for those who ask for it. */
async function newInspector(requests: number): Promise<Inspector> {
	const { Inspector } = await import("../../tunnel/inspector/inspector.js");
	return new Inspector(requests);
}

async function openInspector(
	inspector: Inspector | undefined,
	agent: Agent,
	where: Asked["inspect"],
): Promise<ServedInspector | undefined> {
	if (inspector === undefined || where === undefined) return undefined;
	try {
		return await inspector.serve(where, (name) => agent.tunnel(name));
	} catch (error) {
		throw new ArgumentsError(`--inspect: ${(error as Error).message}`);
	}
}

/** SIGTERM, SIGINT and SIGQUIT end it, a second one at once. SIGHUP reloads the file; without one its terminal is gone, and it ends. */
function listen(agent: Agent, report: (event: AgentEvent) => void, readAgain?: () => Asked): void {
	let ending = false;
	const end = (signal: NodeJS.Signals): void => {
		if (ending) endNow(130);
		ending = true;
		agent.end(signal);
	};
	const reload = (): void => {
		if (readAgain === undefined) {
			end("SIGHUP");
			return;
		}
		let settings: Asked["settings"];
		try {
			settings = readAgain().settings;
		} catch (error) {
			report({ event: "reload_failed", why: problemsOf(error) });
			return;
		}
		agent.reload(settings);
	};
	const early = takeSignals();
	for (const signal of ["SIGTERM", "SIGINT", "SIGQUIT"] as const) {
		process.on(signal, () => end(signal));
		if (early.has(signal)) end(signal);
	}
	process.on("SIGHUP", reload);
	if (early.has("SIGHUP") && readAgain === undefined) end("SIGHUP");
}

/** Also while a thread waits for a pipe that nobody reads, which only a system call can leave. */
export function endNow(status: number): never {
	if (whyNoSystemCalls() === undefined) exitNow(status);
	process.exit(status);
}

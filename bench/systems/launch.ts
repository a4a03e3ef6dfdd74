/** Starting a system, and the wait for its first answer. */
import { connect } from "node:net";
import { family } from "../../src/rig/proc.js";
import { freePorts } from "../free-port.js";
import { RESPONSE_BYTES, request } from "../load/wire.js";
import { Start } from "../start.js";
import { type Assignment, ROLES, type Running, type System } from "./system.js";

/** The resolution of the start-to-ready row. */
const RETRY_MS = 1;

export type Upstreams = Pick<
	Assignment,
	"relayTo" | "bulkTo" | "httpTo" | "onceTo" | "dialogueTo" | "certificate" | "sniTo"
>;

/** Starts a system and waits until it has answered a request. */
export async function launch(system: System, upstreams: Upstreams): Promise<Running> {
	const start = new Start(system.id, RETRY_MS);
	const { directory } = start;
	const listen = await freePorts("tcp", ROLES);
	const program = system.prepare({ ...upstreams, listen, directory });
	const startedMs = performance.now();
	const { pid } = start.run(program);
	await start.until("a request is answered", () => answers(listen.relay));
	const readyMs = performance.now() - startedMs;
	const letsIn = (role: keyof typeof listen): Promise<void> =>
		start.until(`connections to ${role} are let in`, () => accepts(listen[role]));
	await letsIn("sni");
	await letsIn("bulk");
	if (system.readsRequests) await letsIn("http");
	if (system.terminatesTls) await letsIn("tlsOnce");
	return {
		...{ system, listen, readyMs, pids: () => family(pid) },
		...{ outputFile: start.outputFile(0), stop: () => start.stop() },
	};
}

/** Whether a request to that port is answered in full. */
function answers(port: number): Promise<boolean> {
	return new Promise((resolve) => {
		const socket = connect({ host: "127.0.0.1", port, noDelay: true, timeout: 2000 });
		let received = 0;
		const end = (answered: boolean): void => {
			socket.destroy();
			resolve(answered);
		};
		socket.on("connect", () => socket.write(request("/ready")));
		socket.on("data", (chunk: Buffer) => {
			received += chunk.length;
			if (received >= RESPONSE_BYTES) end(true);
		});
		socket.on("timeout", () => end(false));
		socket.on("error", () => end(false));
		socket.on("close", () => end(false));
	});
}

export function accepts(port: number): Promise<boolean> {
	return new Promise((resolve) => {
		const socket = connect({ host: "127.0.0.1", port });
		socket.on("connect", () => {
			socket.destroy();
			resolve(true);
		});
		socket.on("error", () => resolve(false));
	});
}

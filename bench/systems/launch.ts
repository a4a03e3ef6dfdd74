/** Starting a system: ports, directory, process, and the wait for its first answer. */
import { closeSync, mkdirSync, openSync, readFileSync, rmSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { family } from "../../src/rig/proc.js";
import { ownProcess, stopProcess, temporaryDirectory } from "../../src/rig/processes.js";
import { RESPONSE_BYTES, request } from "../load/wire.js";
import type { Assignment, Running, System } from "./system.js";

const READY_TIMEOUT_MS = 15_000;
/** Between two attempts: the resolution of the start-to-ready row. */
const RETRY_MS = 1;
/** For systems that drain; their sessions are over by then. */
const STOP_GRACE_MS = 3000;

/** Listening ports are taken upwards from here: below the range of ephemeral ports, so that no outgoing connection holds one. */
const FIRST_PORT = 21_000;
const LAST_PORT = 32_000;

export type Upstreams = Pick<
	Assignment,
	"relayTo" | "bulkTo" | "httpTo" | "onceTo" | "dialogueTo" | "certificate" | "sniTo"
>;

let launches = 0;
/** Benches that run at once begin at different ones: each looks whether a port is free before a program takes it. */
let nextPort = FIRST_PORT + ((process.pid * 977) % 4_000);

/** Starts a system and waits until it has answered a request. */
export async function launch(system: System, upstreams: Upstreams): Promise<Running> {
	const directory = join(temporaryDirectory(), `${++launches}-${system.id}`);
	mkdirSync(directory);
	const listen = {
		relay: await freePort(),
		sni: await freePort(),
		bulk: await freePort(),
		http: await freePort(),
		tls: await freePort(),
		tlsOnce: await freePort(),
		smtp: await freePort(),
		mysql: await freePort(),
		postgres: await freePort(),
	};
	const { command, args } = system.prepare({ ...upstreams, listen, directory });

	const outputFile = join(directory, "output.log");
	const output = openSync(outputFile, "w");
	const started = performance.now();
	const owned = ownProcess(command, args, { stdio: ["ignore", output, output] });
	closeSync(output);

	const stop = async (): Promise<void> => {
		await stopProcess(owned, STOP_GRACE_MS);
		// A log of half a million sessions is not kept until the run's end.
		rmSync(directory, { recursive: true, force: true });
	};
	let failure: string | null = null;
	void owned.ended.then((how) => {
		failure = how;
	});
	const untilReady = async (attempt: () => Promise<boolean>): Promise<void> => {
		while (!(await attempt())) {
			if (failure === null && performance.now() - started > READY_TIMEOUT_MS) failure = "not ready in time";
			if (failure !== null) {
				const said = readFileSync(outputFile, "utf8").slice(-2000);
				await stop();
				throw new Error(`${system.id} did not start: ${failure}\n${said}`);
			}
			await sleep(RETRY_MS);
		}
	};
	await untilReady(() => answers(listen.relay));
	const readyMs = performance.now() - started;
	await untilReady(() => accepts(listen.sni));
	await untilReady(() => accepts(listen.bulk));
	if (system.readsRequests) await untilReady(() => accepts(listen.http));
	if (system.terminatesTls) await untilReady(() => accepts(listen.tlsOnce));
	return { system, listen, readyMs, pids: () => family(owned.pid), outputFile, stop };
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

export async function freePort(): Promise<number> {
	for (; nextPort <= LAST_PORT; nextPort++) if (await isFree(nextPort)) return nextPort++;
	throw new Error(`no free port between ${FIRST_PORT} and ${LAST_PORT}`);
}

function isFree(port: number): Promise<boolean> {
	return new Promise((resolve) => {
		const probe = createServer();
		probe.once("error", () => resolve(false));
		probe.listen({ host: "127.0.0.1", port, exclusive: true }, () => probe.close(() => resolve(true)));
	});
}

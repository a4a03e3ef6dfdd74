/** The unprotected server of the comparison: Node's `net`, accept and pipe. */
import { fileURLToPath } from "node:url";
import { ownProcess, stopProcess } from "../processes.js";
import type { Target } from "../target.js";
import { Output, withLimit } from "./output.js";

const SCRIPT = fileURLToPath(new URL("../bare-server.js", import.meta.url));

const STOP_GRACE_MS = 1000;

/** The backlog that bare-server.ts asks for. */
const BACKLOG = 4096;

export async function startBare(upstreamPort: number, descriptorLimit: number | undefined): Promise<Target> {
	const [command = "", ...args] = [
		...withLimit(descriptorLimit),
		process.execPath,
		SCRIPT,
		"0",
		String(upstreamPort),
	];
	const owned = ownProcess(command, args, { stdio: ["ignore", "pipe", "pipe"], detached: true });
	const output = new Output(owned);
	const port = await output.first((line) => (/^\d+$/.test(line) ? Number(line) : undefined));
	return {
		kind: "bare",
		label: "bare server",
		address: "127.0.0.1",
		port,
		linkPort: null,
		pid: owned.pid,
		backlog: BACKLOG,
		metrics: async () => null,
		lastWords: () => output.tail,
		stop: () => stopProcess(owned, STOP_GRACE_MS),
	};
}

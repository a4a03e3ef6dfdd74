/** The unprotected server of the comparison: what one writes first with Node's `net`, or its `http`. */
import { fileURLToPath } from "node:url";
import { INSPECTOR_FLAGS } from "../../kernel/inspector-signal.js";
import { ownProcess, stopProcess } from "../../rig/processes.js";
import type { Target } from "../target.js";
import type { UpstreamPorts } from "../upstream-ports.js";
import { Output, withLimit } from "./output.js";

/** By what is compared: bytes that are piped, or requests that are passed on. */
const SCRIPTS = {
	relay: { file: "bare-server.js", upstream: "any" },
	http: { file: "bare-http-server.js", upstream: "web" },
} as const;

const STOP_GRACE_MS = 1000;

/** The backlog that bare-server.ts asks for. */
const BACKLOG = 4096;

/** `guarded`: the same server, with `guard` before it. */
export async function startBare(
	kind: "bare" | "guarded",
	listener: keyof typeof SCRIPTS,
	upstreams: UpstreamPorts,
	descriptorLimit: number | undefined,
	through: readonly string[],
): Promise<Target> {
	const { file, upstream } = SCRIPTS[listener];
	const [command = "", ...args] = [
		...through,
		...withLimit(descriptorLimit),
		process.execPath,
		...INSPECTOR_FLAGS,
		fileURLToPath(new URL(`../${file}`, import.meta.url)),
		...(kind === "guarded" ? ["--guarded"] : []),
		"0",
		String(upstreams[upstream]),
	];
	const owned = ownProcess(command, args, { stdio: ["ignore", "pipe", "pipe"], detached: true });
	const output = new Output(owned);
	const port = await output.first((line) => (/^\d+$/.test(line) ? Number(line) : undefined));
	return {
		kind,
		label: `${kind} server`,
		address: "127.0.0.1",
		port,
		linkPort: null,
		pid: owned.pid,
		backlog: BACKLOG,
		metrics: async () => null,
		errors: () => [],
		lastWords: () => output.tail,
		stop: () => stopProcess(owned, STOP_GRACE_MS),
	};
}

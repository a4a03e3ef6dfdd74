/** A gateway as operators run it: a process of its own, started by the command line. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { INSPECTOR_FLAGS } from "../../kernel/inspector-signal.js";
import { MAIN, portIn } from "../../rig/gateway.js";
import { ownProcess, stopProcess, temporaryDirectory } from "../../rig/processes.js";
import type { Target } from "../target.js";
import { MetricsReader } from "./metrics.js";
import { Output, withLimit } from "./output.js";

/** Sessions that are still there get this long (`timeouts.drain` of the drills), and the process a little more. */
const STOP_GRACE_MS = 4000;

/** Lines that every drill's configuration begins with. */
const PREAMBLE = `admin: 127.0.0.1:0
log: { sessions: false, format: json }
`;

interface ReadyLine {
	readonly message: string;
	readonly listeners: readonly string[];
	readonly admin: string;
}

export interface GatewayOptions {
	readonly config: string;
	readonly descriptorLimit: number | undefined;
	/** A command that runs the one behind it. */
	readonly through: readonly string[];
	/** Address of the listener on the drill's own link, as it stands in the configuration. */
	readonly linkListener: string | null;
}

export async function startGateway(options: GatewayOptions): Promise<Target> {
	const file = join(temporaryDirectory(), "sluice.yaml");
	writeFileSync(file, PREAMBLE + options.config);
	const [command = "", ...args] = [
		...options.through,
		...withLimit(options.descriptorLimit),
		process.execPath,
		...INSPECTOR_FLAGS,
		MAIN,
		"run",
		"-c",
		file,
	];
	const owned = ownProcess(command, args, { stdio: ["ignore", "pipe", "pipe"], detached: true });
	const output = new Output(owned);
	const ready = await output.first((line) => {
		if (!line.startsWith("{")) return undefined;
		// The gateway's log lines are objects with a message.
		const parsed = JSON.parse(line) as ReadyLine;
		return parsed.message === "ready" ? parsed : undefined;
	});
	const [main, ...otherPorts] = ready.listeners.map(portIn);
	const [link] = options.linkListener === null ? [] : otherPorts;
	if (main === undefined) throw new Error(`the gateway did not say where it listens:\n${output.tail}`);
	const adminPort = portIn(ready.admin);
	const reader = new MetricsReader(adminPort, options.linkListener);
	return {
		kind: "gateway",
		label: "gateway",
		address: "127.0.0.1",
		port: main,
		otherPorts,
		publishPort: adminPort,
		linkPort: link ?? null,
		pid: owned.pid,
		backlog: Number(/backlog: (\d+)/.exec(options.config)?.[1] ?? 4096),
		metrics: () => reader.read(),
		errors: () => output.errors,
		lastWords: () => output.tail,
		stop: async () => {
			reader.close();
			await stopProcess(owned, STOP_GRACE_MS);
		},
	};
}

/** The plain broadcast, for comparison: a process of its own. */
import { fileURLToPath } from "node:url";
import { INSPECTOR_FLAGS } from "../../kernel/inspector-signal.js";
import { ownProcess, stopProcess } from "../../rig/processes.js";
import type { Target } from "../target.js";
import { Output } from "./output.js";

const STOP_GRACE_MS = 1000;
/** What bare-hub-server.ts asks for. */
const BACKLOG = 4096;

export async function startBareHub(through: readonly string[]): Promise<Target> {
	const script = fileURLToPath(new URL("../bare-hub-server.js", import.meta.url));
	const [command = "", ...args] = [...through, process.execPath, ...INSPECTOR_FLAGS, script];
	const owned = ownProcess(command, args, { stdio: ["ignore", "pipe", "pipe"], detached: true });
	const output = new Output(owned);
	const port = await output.first((line) => (/^\d+$/.test(line) ? Number(line) : undefined));
	return {
		...{ kind: "bare", label: "plain broadcast", address: "127.0.0.1", port, publishPort: port },
		...{ linkPort: null, pid: owned.pid, backlog: BACKLOG },
		metrics: async () => null,
		errors: () => [],
		lastWords: () => output.tail,
		stop: () => stopProcess(owned, STOP_GRACE_MS),
	};
}

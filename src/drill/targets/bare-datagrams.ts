/** The plain relay of datagrams, for comparison: a process of its own. */
import { fileURLToPath } from "node:url";
import { INSPECTOR_FLAGS } from "../../kernel/inspector-signal.js";
import { ownProcess, stopProcess } from "../../rig/processes.js";
import { CROWD_IDLE_MS, GOOD_IDLE_MS } from "../configs-datagrams.js";
import type { Target } from "../target.js";
import type { DrillPorts } from "../upstream-ports.js";
import { Output } from "./output.js";

const STOP_GRACE_MS = 1000;

/** `others`: ports behind the first, each with sessions of its own. */
export async function startBareDatagrams(
	{ datagrams, datagramsForAttackers }: DrillPorts,
	others: number,
	through: readonly string[],
): Promise<Target> {
	const numbers = [others + 1, datagrams, datagramsForAttackers, GOOD_IDLE_MS, CROWD_IDLE_MS];
	const [command = "", ...args] = [
		...through,
		process.execPath,
		...INSPECTOR_FLAGS,
		fileURLToPath(new URL("../bare-datagram-server.js", import.meta.url)),
		...numbers.map(String),
	];
	const owned = ownProcess(command, args, { stdio: ["ignore", "pipe", "pipe"], detached: true });
	const output = new Output(owned);
	const [port = 0, ...otherPorts] = await output.first((line) =>
		/^\d+( \d+)*$/.test(line) ? line.split(" ").map(Number) : undefined,
	);
	return {
		...{ kind: "bare", label: "swept relay", address: "127.0.0.1", port, otherPorts },
		...{ linkPort: null, pid: owned.pid, backlog: null },
		metrics: async () => null,
		errors: () => [],
		lastWords: () => output.tail,
		stop: () => stopProcess(owned, STOP_GRACE_MS),
	};
}

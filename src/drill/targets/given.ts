/** A target that runs already. It is seen from outside, and through /proc if it runs on this machine and is ours to see. */
import { holderOf, listenQueue } from "../kernel-tables.js";
import type { Target } from "../target.js";

export function giveTarget(address: string, port: number): Target {
	return {
		kind: "given",
		label: `${address}:${port}`,
		address,
		port,
		linkPort: null,
		pid: holderOf(listenQueue(port).inodes),
		backlog: null,
		metrics: async () => null,
		errors: () => [],
		lastWords: () => "",
		stop: async () => {},
	};
}

/** Where and when: a number without its machine says nothing. */
import { arch, cpus, release, totalmem, version } from "node:os";

export interface Machine {
	readonly date: string;
	readonly cpu: string;
	readonly cores: number;
	readonly architecture: string;
	readonly kernel: string;
	readonly memoryBytes: number;
	readonly node: string;
}

export function describeMachine(): Machine {
	const all = cpus();
	return {
		date: new Date().toISOString(),
		cpu: all[0]?.model.trim() ?? "unknown",
		cores: all.length,
		architecture: arch(),
		kernel: `Linux ${release()} ${version()}`,
		memoryBytes: totalmem(),
		node: process.version,
	};
}

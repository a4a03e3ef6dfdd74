import { setTimeout as sleep } from "node:timers/promises";
import { readMemory } from "../../src/rig/proc.js";
import type { Bench, Row } from "../bench.js";
import { Figure } from "../figure.js";
import { THREADS } from "../systems/system.js";

/** What is needed only to start has been given back by then. */
const SETTLE_MS = 500;

/** How long a restart is felt, and what a process needs that serves nobody. */
export const startToReady: Row = {
	id: "start",
	describe: () =>
		"a fresh process per round, from its start to its first answered request, tried every millisecond; " +
		`anonymous memory (smaps_rollup) ${SETTLE_MS} ms later`,

	async run(bench: Bench): Promise<readonly Figure[]> {
		const time = new Figure({
			id: "start.time",
			title: "start to ready",
			unit: "ms",
			digits: 0,
			target: { kind: "value", atMost: 250 },
		});
		const baseline = new Figure({
			id: "start.memory",
			title: `baseline, ${THREADS} reactors: anonymous memory`,
			unit: "MB",
			digits: 1,
			target: { kind: "value", atMost: 60 },
		});
		const proportional = new Figure({
			id: "start.pss",
			title: "… with its share of what files it has in memory (PSS)",
			unit: "MB",
			digits: 1,
			target: null,
		});
		const figures = [time, baseline, proportional];
		await bench.alternate("start", figures, { warmUp: true }, async (system) => {
			const running = await bench.launch(system);
			try {
				await sleep(SETTLE_MS);
				const { anonymousBytes, pssBytes } = readMemory(running.pids());
				return [running.readyMs, anonymousBytes / 1e6, pssBytes / 1e6];
			} finally {
				await running.stop();
			}
		});
		return figures;
	},
};

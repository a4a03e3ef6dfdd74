import type { Bench, Row } from "../bench.js";
import { Figure } from "../figure.js";

/** How long a restart is felt. */
export const startToReady: Row = {
	id: "start",
	describe: () =>
		"a fresh process per round, from its start to its first answered request, tried every millisecond",

	async run(bench: Bench): Promise<readonly Figure[]> {
		const time = new Figure({
			id: "start.time",
			title: "start to ready",
			unit: "ms",
			digits: 0,
			target: null,
		});
		await bench.alternate("start", [time], true, async (system) => {
			const running = await bench.launch(system);
			await running.stop();
			return [running.readyMs];
		});
		return [time];
	},
};

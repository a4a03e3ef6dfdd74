import { setTimeout as sleep } from "node:timers/promises";
import { countDescriptors } from "../../../src/rig/proc.js";
import type { TunnelBench, TunnelRow } from "../bench.js";
import type { RunningTunnel } from "../system.js";
import { MEASURED, memoryFigures, perOne, ROUNDS_MAX, readSettled, WARM_UP, warmUp } from "./memory.js";

const LINES = 400;
const LINES_QUICK = 50;
const TIMEOUT_MS = 60_000;
const LOOK_MS = 100;

const lines = (quick: boolean): number => (quick ? LINES_QUICK : LINES);

/** What a line costs that waits for a visitor. */
export const parked: TunnelRow = {
	id: "parked",
	describe: (quick) =>
		`fresh processes per round, ${ROUNDS_MAX} rounds at most; ${WARM_UP}; then the gateway is told to have at least ${lines(quick)} lines more for each tunnel; ${MEASURED}, by lines that came`,

	async run(bench: TunnelBench) {
		const figures = memoryFigures("parked", "parked line");
		const { generator, quick } = bench;
		await bench.alternate("parked", figures, { warmUp: false, roundsMax: ROUNDS_MAX }, (system) =>
			bench.withFresh(system, async (running) => {
				await warmUp(generator, running, quick);
				const before = await readSettled(running);
				// Each line of the agent's is a descriptor, so that no tunnel has as many.
				const least = before.descriptors + lines(quick);
				system.park?.(running, least);
				await untilParked(running, least);
				const after = await readSettled(running);
				return perOne(before, after, after.descriptors - before.descriptors);
			}),
		);
		return figures;
	},
};

/** So many descriptors and no more are coming. */
async function untilParked(running: RunningTunnel, least: number): Promise<void> {
	const deadlineMs = performance.now() + TIMEOUT_MS;
	for (let last = -1; ; ) {
		const now = countDescriptors(running.agentPids());
		if (now >= least && now === last) return;
		if (performance.now() > deadlineMs)
			throw new Error(`the agent has ${now} descriptors, and ${least} were waited for: lines do not come`);
		last = now;
		await sleep(LOOK_MS);
	}
}

/** One seed of the hub, run to its end. */
import { REASONS } from "../../../src/parts/reasons.js";
import type { RunResult } from "../simulate.js";
import { DOORS } from "./hub-plans.js";
import { type HubRunOptions, HubWorld } from "./hub-world.js";

export async function simulateHub(options: HubRunOptions): Promise<RunResult> {
	const world = new HubWorld(options);
	let failure: string | undefined;
	let message = "";
	try {
		await world.run(options.turns);
	} catch (error) {
		message = error instanceof Error ? error.message : String(error);
		failure = describe(world, options, error);
	}
	return { turns: world.turns, sessions: world.sessionsEnded, failure, message, met: met(world) };
}

function met({ reactors, met }: HubWorld): Map<string, number> {
	const found = new Map(met);
	for (const { shared } of reactors)
		for (const slot of DOORS.keys())
			for (const [index, reason] of REASONS.entries()) {
				const count = shared.counters.closed(slot, index);
				if (count > 0) found.set(reason, (found.get(reason) ?? 0) + count);
			}
	return found;
}

function describe(world: HubWorld, { seed, turns }: HubRunOptions, error: unknown): string {
	const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
	return [
		`seed ${seed}, turn ${world.turns}: ${text}`,
		"",
		"what happened last:",
		...world.trace.lines().map((line) => `  ${line}`),
		"",
		`again: node dist/test/simulation/main.js --hub --seed ${seed} --seeds 1 --turns ${turns}`,
	].join("\n");
}

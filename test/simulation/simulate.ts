/** One seed, run to its end; a failure becomes a text that says how to see it again. */
import { REASONS } from "../../src/parts/reasons.js";
import { RECYCLE_REASONS } from "../../src/reactor/records/recycle-reasons.js";
import { LISTENERS } from "./plans.js";
import type { RunOptions } from "./run-kinds.js";
import { World } from "./world.js";

export interface RunResult {
	readonly turns: number;
	readonly sessions: number;
	/** What did not hold, how to replay it, and what happened before. */
	readonly failure: string | undefined;
	readonly message: string;
	/** What the run met: sessions by reason, and what the reactor counts. */
	readonly met: ReadonlyMap<string, number>;
}

export function simulate(options: RunOptions): RunResult {
	const world = new World(options);
	let failure: string | undefined;
	let message = "";
	try {
		world.run(options.turns);
	} catch (error) {
		message = error instanceof Error ? error.message : String(error);
		failure = describe(world, options, error);
	}
	return { turns: world.turns, sessions: world.sessionsEnded, failure, message, met: met(world) };
}

const COUNTED = [
	"acceptPausesDescriptors",
	"acceptPausesFull",
	"acceptPausesRate",
	"sourcesNotCounted",
	"shed",
	"acceptAborted",
	"staleEvents",
	"dialRetries",
	"ejections",
	"splicedBytes",
	"poolBorrowed",
] as const;

function met({ counters, reactor, met }: World): Map<string, number> {
	const found = new Map(met);
	for (let listener = 0; listener < LISTENERS; listener++)
		for (const [index, reason] of REASONS.entries())
			found.set(reason, (found.get(reason) ?? 0) + counters.closed(listener, index));
	for (const name of COUNTED) found.set(name, counters.get(name));
	for (const [index, reason] of RECYCLE_REASONS.entries())
		found.set(`pool: ${reason}`, counters.poolRecycled(index));
	found.set("policies", reactor.core.policies.all.length);
	return found;
}

function describe(
	world: World,
	{ seed, turns, completes, lines, agent, datagrams }: RunOptions,
	error: unknown,
): string {
	const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
	return [
		`seed ${seed}, turn ${world.turns}: ${text}`,
		"",
		"what happened last:",
		...world.trace.lines().map((line) => `  ${line}`),
		"",
		`again: node dist/test/simulation/main.js --seed ${seed} --seeds 1 --turns ${turns}${completes ? " --completes" : ""}${lines === true ? " --lines" : ""}${agent === true ? " --agent" : ""}${datagrams === true ? " --datagrams" : ""}`,
	].join("\n");
}

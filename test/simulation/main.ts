/**
 * Runs the reactor on the simulated kernel:
 *
 *     node dist/test/simulation/main.js --seeds 1000 --turns 5000 [--seed 1] [--keep-going] [--completes] [--lines] [--agent] [--datagrams] [--hub]
 *
 * Runs one seed after another, from `--seed` on (default: the clock's), and stops at the first that fails;
 * with `--keep-going` it goes on, and tells each kind of failure once. `--completes`: on a kernel with completions.
 * `--lines`: agents open lines in every run. `--agent`: in every run the reactor is an agent's, and opens them itself.
 * `--datagrams`: in every run listeners take datagrams. `--hub`: runs of the hub, which have a world of their own.
 */
import { parseArgs } from "node:util";
import { simulateHub } from "./hub/hub-simulate.js";
import type { RunOptions } from "./run-kinds.js";
import { simulate } from "./simulate.js";

const { values } = parseArgs({
	options: {
		seeds: { type: "string" },
		turns: { type: "string" },
		seed: { type: "string" },
		"keep-going": { type: "boolean", default: false },
		completes: { type: "boolean", default: false },
		lines: { type: "boolean", default: false },
		agent: { type: "boolean", default: false },
		datagrams: { type: "boolean", default: false },
		hub: { type: "boolean", default: false },
	},
});
const seeds = count("seeds", values.seeds, 100);
const turns = count("turns", values.turns, 5_000);
const first = count("seed", values.seed, Date.now() % 1_000_000_000);

const TELL_EVERY_MS = 5_000;
const startedMs = performance.now();
let toldMs = startedMs;
let total = 0;
let sessions = 0;
let failures = 0;
/** What all runs met together, so that a run that meets too little is seen. */
const met = new Map<string, number>();
/** How often, by message without its numbers. */
const kinds = new Map<string, number>();

for (let seed = first; seed < first + seeds; seed++) {
	const result = values.hub ? await simulateHub({ seed, turns }) : simulate(optionsOf(seed));
	total += result.turns;
	sessions += result.sessions;
	for (const [name, times] of result.met) met.set(name, (met.get(name) ?? 0) + times);
	if (result.failure !== undefined) {
		failures++;
		const kind = result.message.replace(/[\d.]+/g, "#");
		if (!kinds.has(kind)) console.error(result.failure);
		kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
		process.exitCode = 1;
		if (!values["keep-going"]) break;
	}
	if (performance.now() - toldMs > TELL_EVERY_MS) {
		toldMs = performance.now();
		tell(seed - first + 1);
	}
}
if (failures === 0 || values["keep-going"]) tell(seeds);
console.log([...met].map(([name, times]) => `${name} ${times}`).join(", "));
for (const [kind, times] of kinds) console.error(`${times} × ${kind}`);

function optionsOf(seed: number): RunOptions {
	return {
		seed,
		turns,
		completes: values.completes,
		lines: values.lines || undefined,
		agent: values.agent || undefined,
		datagrams: values.datagrams || undefined,
	};
}

function tell(done: number): void {
	const seconds = (performance.now() - startedMs) / 1000;
	const outcome = failures === 0 ? "all hold" : `${failures} FAIL`;
	console.log(
		`seeds ${first} to ${first + done - 1}, ${outcome}: ${total} turns, ${sessions} sessions, ${Math.round(total / seconds)} turns/s`,
	);
}

function count(name: string, text: string | undefined, otherwise: number): number {
	const value = text === undefined ? otherwise : Number(text);
	if (!Number.isSafeInteger(value) || value < 0) {
		console.error(`--${name} takes a whole number, and not ${text}`);
		process.exit(2);
	}
	return value;
}

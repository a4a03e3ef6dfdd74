/** Whether memory stays where it is while sessions come, go, and are written to the log. Sluice alone. */
import { createReadStream } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { readMemory } from "../../src/rig/proc.js";
import type { Bench, Row } from "../bench.js";
import { Figure } from "../figure.js";
import { sluiceLogged } from "../systems/sluice.js";
import type { Running } from "../systems/system.js";
import { capturedHellos } from "./sni-session.js";

const SESSIONS = 250_000;
const SESSIONS_QUICK = 10_000;
/** A load that takes longer than two minutes counts as lost. */
const SESSIONS_PER_LOAD = 25_000;
const CONCURRENCY = 64;
/** What is set up while traffic first comes is no growth. */
const WARM_UP_SESSIONS = 5_000;
const SETTLE_MS = 1_500;
/** A round takes two minutes on two busy cores. */
const ROUNDS_MAX = 6;

const sessions = (quick: boolean): number => (quick ? SESSIONS_QUICK : SESSIONS);

export const shortSessions: Row = {
	id: "short-sessions",
	describe: (quick) =>
		`Sluice alone, ${ROUNDS_MAX} rounds at most; a fresh process with its log written to a file; after ${WARM_UP_SESSIONS} sessions as in \`sni\`, ` +
		`twice ${sessions(quick)} of them, ${CONCURRENCY} at a time; growth of anonymous memory (smaps_rollup)`,

	async run(bench: Bench): Promise<readonly Figure[]> {
		const common = { unit: "MB", digits: 2, subject: sluiceLogged.id };
		const figures = [
			new Figure({
				...{ ...common, id: "short-sessions.first", target: { kind: "value", atMost: 2 } },
				title: `${sessions(bench.quick)} short sessions with the log on: growth`,
			}),
			// Two bytes for each of them: any leak is more.
			new Figure({
				...{ ...common, id: "short-sessions.second", target: { kind: "value", atMost: 0.5 } },
				title: "… as many again",
			}),
			// Whoever drops lines under load must not win by that.
			new Figure({
				...{ ...common, id: "short-sessions.lines", unit: "", digits: 4 },
				title: "… lines written per session",
				target: { kind: "value", exactly: 1, tolerance: 0.0005 },
			}),
		];
		const hellosBase64 = await capturedHellos();
		const count = sessions(bench.quick);
		const turns = {
			warmUp: false,
			roundsMax: ROUNDS_MAX,
			onlySluice: "only Sluice's growth is judged",
		} as const;
		await bench.alternate("short-sessions", figures, turns, async (system) => {
			const running = await bench.launch(system);
			try {
				const grownBy = async (number: number): Promise<number> => {
					const before = readMemory(running.pids()).anonymousBytes;
					await load(number, running);
					return (readMemory(running.pids()).anonymousBytes - before) / 1e6;
				};
				await load(WARM_UP_SESSIONS, running);
				const first = await grownBy(count);
				const second = await grownBy(count);
				const lines = await countSessionLines(running.outputFile);
				// The first request of all is the one that found it ready.
				return [first, second, lines / (WARM_UP_SESSIONS + 2 * count)];
			} finally {
				await running.stop();
			}
		});
		return figures;

		async function load(total: number, { listen }: Running): Promise<void> {
			for (let done = 0; done < total; done += SESSIONS_PER_LOAD) {
				const count = Math.min(SESSIONS_PER_LOAD, total - done);
				const ask = { port: listen.sni, count, concurrency: CONCURRENCY, hellosBase64 };
				await bench.generator.ask("sessions", ask);
			}
			await sleep(SETTLE_MS);
		}
	},
};

async function countSessionLines(file: string): Promise<number> {
	let count = 0;
	let rest = "";
	for await (const chunk of createReadStream(file, { encoding: "latin1" })) {
		const lines = (rest + String(chunk)).split("\n");
		rest = lines.pop() ?? "";
		for (const line of lines) if (line.includes(SNI_LINE)) count++;
	}
	return count;
}

/** Part of each line of a session that came for a name. */
const SNI_LINE = '.bench.test"';

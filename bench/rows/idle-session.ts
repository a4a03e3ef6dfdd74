import { setTimeout as sleep } from "node:timers/promises";
import { countDescriptors, type Memory, readMemory } from "../../src/drill/proc.js";
import type { Bench, Row } from "../bench.js";
import { Figure } from "../figure.js";
import type { Running } from "../systems/system.js";

const SESSIONS = 5_000;
const SESSIONS_QUICK = 2_000;
/**
 * Opened, used and closed before the baseline, so that what a system sets up once is not charged to its
 * sessions. Few at a time, because their memory is in the baseline; many times, because a JIT compiler
 * sets up what it needs only when code has run often (1 to 2 MB for Sluice: 300 bytes for each of 5,000).
 * The report shows as well what the first pass alone as baseline would give.
 */
const WARM_UP_SESSIONS = 200;
const WARM_UP_PASSES = 25;
/** Closing, collecting and releasing are over by then. */
const SETTLE_MS = 1000;

const sessions = (quick: boolean): number => (quick ? SESSIONS_QUICK : SESSIONS);

/** What a session costs that only stays open. */
export const idleSession: Row = {
	id: "idle",
	describe: (quick) =>
		`a fresh process per round; baseline after ${WARM_UP_PASSES} times ${WARM_UP_SESSIONS} sessions opened, used and closed; then ${sessions(quick)} sessions opened, ` +
		"one request each, idle; memory from smaps_rollup and descriptors from /proc/PID/fd, of all processes of a system",

	async run(bench: Bench): Promise<readonly Figure[]> {
		const figures = [
			new Figure({
				id: "idle.memory",
				title: "idle session: user memory (PSS, baseline subtracted)",
				unit: "B",
				digits: 0,
				target: { kind: "value", atMost: 512 },
			}),
			new Figure({
				id: "idle.own",
				title: "… without file-backed pages",
				unit: "B",
				digits: 0,
				target: null,
			}),
			new Figure({
				id: "idle.early",
				title: "… from a baseline after the first warm-up pass, what a JIT sets up later included",
				unit: "B",
				digits: 0,
				target: null,
			}),
			new Figure({ id: "idle.baseline", title: "… the baseline", unit: "MB", digits: 1, target: null }),
			new Figure({
				id: "idle.descriptors",
				title: "idle session: descriptors",
				unit: "",
				digits: 3,
				target: { kind: "value", exactly: 2 },
			}),
		];
		const count = sessions(bench.quick);
		await bench.alternate("idle", figures, false, async (system) => {
			const running = await bench.launch(system);
			try {
				return await measure(bench, running, count);
			} finally {
				await bench.generator.ask("close", {});
				await running.stop();
			}
		});
		return figures;
	},
};

/** Values in the order of the figures above. */
async function measure(bench: Bench, running: Running, count: number): Promise<number[]> {
	await warmUp(bench, running, 1);
	const early = read(running);
	await warmUp(bench, running, WARM_UP_PASSES - 1);
	const before = read(running);

	await openAndUse(bench, running, count);
	await sleep(SETTLE_MS);
	const after = read(running);
	return [
		(after.memory.pssBytes - before.memory.pssBytes) / count,
		(after.memory.ownBytes - before.memory.ownBytes) / count,
		(after.memory.pssBytes - early.memory.pssBytes) / count,
		before.memory.pssBytes / 1e6,
		(after.descriptors - before.descriptors) / count,
	];
}

async function warmUp(bench: Bench, running: Running, passes: number): Promise<void> {
	for (let pass = 0; pass < passes; pass++) {
		await openAndUse(bench, running, WARM_UP_SESSIONS);
		await bench.generator.ask("close", {});
	}
	await sleep(SETTLE_MS);
}

async function openAndUse(bench: Bench, running: Running, connections: number): Promise<void> {
	await bench.generator.ask("open", { port: running.listen.relay, connections });
	// As many requests as connections: one each.
	await bench.generator.ask("requests", { count: connections });
}

function read(running: Running): { memory: Memory; descriptors: number } {
	const pids = running.pids();
	return { memory: readMemory(pids), descriptors: countDescriptors(pids) };
}

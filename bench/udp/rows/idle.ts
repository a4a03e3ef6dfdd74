import { setTimeout as sleep } from "node:timers/promises";
import { countDescriptors, readMemory } from "../../../src/rig/proc.js";
import { Figure } from "../../figure.js";
import type { UdpBench, UdpRow } from "../bench.js";
import type { DatagramGenerator } from "../load/driver.js";
import { IDLE_S, type RunningUdp } from "../system.js";

const SESSIONS = 9_000;
const SESSIONS_QUICK = 1_000;
/** Opened, used and gone again before the baseline, so that what is set up once is nobody's: see ../../rows/idle-session.ts. */
const WARM_UP_SESSIONS = 5_000;
const WARM_UP_SESSIONS_QUICK = 500;
const CONCURRENCY = 64;
const BYTES = 200;
/** Expiring, collecting and releasing are over by then. */
const SETTLE_MS = IDLE_S * 1000 + 1_500;
const SETTLE_QUICK_MS = 500;
/** Memory hardly differs from round to round. */
const ROUNDS_MAX = 6;

const sessionsOf = (quick: boolean): number => (quick ? SESSIONS_QUICK : SESSIONS);
const warmUpOf = (quick: boolean): number => (quick ? WARM_UP_SESSIONS_QUICK : WARM_UP_SESSIONS);

/** What a session costs that only is there. Its socket is the kernel's, and not counted. */
export const idle: UdpRow = {
	id: "idle",
	describe: (quick) =>
		`a fresh process per round, ${ROUNDS_MAX} rounds at most; baseline after ${warmUpOf(quick)} sessions, ${CONCURRENCY} at a time, used once and gone; ` +
		`then ${sessionsOf(quick)} sessions opened, one datagram there and back each, idle; anonymous memory from smaps_rollup and descriptors from /proc/PID/fd`,

	async run(bench: UdpBench) {
		const part = { unit: "B", digits: 0, target: null };
		const figures = [
			new Figure({
				...{ ...part, id: "idle.memory", title: "idle session: anonymous memory (baseline subtracted)" },
				target: { kind: "value", atMost: 512 },
			}),
			new Figure({ ...part, id: "idle.baseline", title: "… the baseline", unit: "MB", digits: 1 }),
			new Figure({
				...{ id: "idle.descriptors", title: "idle session: descriptors", unit: "", digits: 3 },
				target: { kind: "value", exactly: 1, tolerance: 0.0005 },
			}),
		];
		await bench.alternate("idle", figures, { warmUp: false, roundsMax: ROUNDS_MAX }, async (system) => {
			const running = await bench.launch(system);
			try {
				return await measure(bench.generator, running, bench.quick);
			} finally {
				await bench.generator.ask("close", {});
				await running.stop();
			}
		});
		return figures;
	},
};

/** Values in the order of the figures. */
async function measure(generator: DatagramGenerator, running: RunningUdp, quick: boolean): Promise<number[]> {
	const { brief, held } = running.listen;
	const settleMs = quick ? SETTLE_QUICK_MS : SETTLE_MS;
	const warmUp = { port: brief, count: warmUpOf(quick), concurrency: CONCURRENCY, bytes: BYTES };
	await generator.ask("sessions", warmUp);
	await sleep(settleMs);
	const before = read(running);
	const count = sessionsOf(quick);
	await generator.ask("open", { port: held, flows: count, joined: false });
	await generator.ask("exchange", { count, window: 1, bytes: BYTES, batches: false });
	await sleep(settleMs);
	const after = read(running);
	return [
		(after.anonymousBytes - before.anonymousBytes) / count,
		before.anonymousBytes / 1e6,
		(after.descriptors - before.descriptors) / count,
	];
}

function read(running: RunningUdp): { anonymousBytes: number; descriptors: number } {
	const pids = running.pids();
	return { anonymousBytes: readMemory(pids).anonymousBytes, descriptors: countDescriptors(pids) };
}

import { setTimeout as sleep } from "node:timers/promises";
import { countDescriptors, type Memory, readMemory } from "../../src/rig/proc.js";
import type { Bench, Row } from "../bench.js";
import { Figure, type Target } from "../figure.js";
import type { Generator } from "../load/driver.js";
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

/** One kind of session, and how the generator makes them. */
interface Kind {
	readonly id: string;
	readonly title: string;
	/** What each does before it is idle. */
	readonly use: string;
	readonly memory: Target | null;
	readonly descriptors: Target | null;
	openAndUse(generator: Generator, running: Running, connections: number): Promise<unknown>;
	close(generator: Generator): Promise<unknown>;
}

const closePlain = (generator: Generator): Promise<unknown> => generator.ask("close", {});
const AT_MOST_512 = { kind: "value", atMost: 512 } as const;

/** A plain relay. */
export const idleSession = idle({
	id: "idle",
	title: "idle session",
	use: "one request each",
	memory: AT_MOST_512,
	descriptors: { kind: "value", exactly: 2 },
	close: closePlain,
	async openAndUse(generator, { listen }, connections) {
		await generator.ask("open", { port: listen.relay, connections });
		// As many requests as connections: one each.
		await generator.ask("requests", { count: connections });
	},
});

/** Upstream connections belong to the pool, and few are needed for requests that come a few at a time. */
export const idleHttp = idle({
	id: "idle-http",
	title: "idle HTTP connection",
	use: "one HTTP request each, 64 at a time, kept",
	memory: AT_MOST_512,
	descriptors: null,
	close: closePlain,
	async openAndUse(generator, { listen }, connections) {
		await generator.ask("open", { port: listen.http, connections });
		await generator.ask("useEach", { upgrade: false });
	},
});

export const idleWebSocket = idle({
	id: "idle-websocket",
	title: "idle WebSocket",
	use: "upgraded by an HTTP request each, 64 at a time",
	memory: AT_MOST_512,
	descriptors: { kind: "value", exactly: 2 },
	close: closePlain,
	async openAndUse(generator, { listen }, connections) {
		await generator.ask("open", { port: listen.http, connections });
		await generator.ask("useEach", { upgrade: true });
	},
});

/** OpenSSL's own memory is most of it, so it is stated beside HAProxy's and has no bound of its own. */
export const idleTls = idle({
	id: "idle-tls",
	title: "idle session with TLS terminated",
	use: "one request each",
	memory: null,
	descriptors: { kind: "value", exactly: 2 },
	close: (generator) => generator.ask("tlsClose", {}),
	async openAndUse(generator, { listen }, connections) {
		await generator.ask("tlsOpen", { port: listen.tls, connections });
		await generator.ask("tlsRequests", { count: connections });
	},
});

/** What a session costs that only stays open. */
function idle(kind: Kind): Row {
	const { id, title, use } = kind;
	return {
		id,
		describe: (quick) =>
			`a fresh process per round; baseline after ${WARM_UP_PASSES} times ${WARM_UP_SESSIONS} sessions opened, used and closed; then ${sessions(quick)} sessions opened, ` +
			`${use}, idle; memory from smaps_rollup and descriptors from /proc/PID/fd, of all processes of a system`,

		async run(bench: Bench): Promise<readonly Figure[]> {
			const part = { unit: "B", digits: 0, target: null };
			const figures = [
				new Figure({
					...{ ...part, id: `${id}.memory`, target: kind.memory },
					title: `${title}: user memory (PSS, baseline subtracted)`,
				}),
				new Figure({ ...part, id: `${id}.own`, title: "… without file-backed pages" }),
				new Figure({
					...{ ...part, id: `${id}.early` },
					title: "… from a baseline after the first warm-up pass, what a JIT sets up later included",
				}),
				new Figure({ ...part, id: `${id}.baseline`, title: "… the baseline", unit: "MB", digits: 1 }),
				new Figure({
					...{ id: `${id}.descriptors`, title: `${title}: descriptors` },
					...{ unit: "", digits: 3, target: kind.descriptors },
				}),
			];
			const count = sessions(bench.quick);
			await bench.alternate(id, figures, false, async (system) => {
				const running = await bench.launch(system);
				try {
					return await measure(bench.generator, kind, running, count);
				} finally {
					await kind.close(bench.generator);
					await running.stop();
				}
			});
			return figures;
		},
	};
}

/** Values in the order of the figures above. */
async function measure(generator: Generator, kind: Kind, running: Running, count: number): Promise<number[]> {
	await warmUp(generator, kind, running, 1);
	const early = read(running);
	await warmUp(generator, kind, running, WARM_UP_PASSES - 1);
	const before = read(running);

	await kind.openAndUse(generator, running, count);
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

async function warmUp(generator: Generator, kind: Kind, running: Running, passes: number): Promise<void> {
	for (let pass = 0; pass < passes; pass++) {
		await kind.openAndUse(generator, running, WARM_UP_SESSIONS);
		await kind.close(generator);
	}
	await sleep(SETTLE_MS);
}

function read(running: Running): { memory: Memory; descriptors: number } {
	const pids = running.pids();
	return { memory: readMemory(pids), descriptors: countDescriptors(pids) };
}

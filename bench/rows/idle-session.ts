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
 */
const WARM_UP_SESSIONS = 200;
const WARM_UP_PASSES = 25;
/** Closing, collecting and releasing are over by then. */
const SETTLE_MS = 1000;
/** Of kinds whose bound is not near. Memory hardly differs from round to round. */
const ROUNDS_MAX = 6;

const sessions = (quick: boolean): number => (quick ? SESSIONS_QUICK : SESSIONS);

/** One kind of session, and how the generator makes them. */
interface Kind {
	readonly id: string;
	readonly title: string;
	/** What each does before it is idle. */
	readonly use: string;
	readonly memory: Target | null;
	readonly descriptors: Target | null;
	/** The baseline is that of a process which has served nobody yet. */
	readonly fromStart?: true;
	readonly roundsMax?: number;
	openAndUse(generator: Generator, running: Running, connections: number): Promise<unknown>;
	close(generator: Generator): Promise<unknown>;
}

const closePlain = (generator: Generator): Promise<unknown> => generator.ask("close", {});
const AT_MOST_512 = { kind: "value", atMost: 512 } as const;

const relayed = {
	use: "one request each",
	descriptors: { kind: "value", exactly: 2, tolerance: 0.0005 },
	close: closePlain,
	async openAndUse(generator: Generator, { listen }: Running, connections: number) {
		await generator.ask("open", { port: listen.relay, connections });
		// As many requests as connections: one each.
		await generator.ask("requests", { count: connections });
	},
} as const;

/** A plain relay, with all that a process sets up while its first sessions come. */
export const idleAtStart = idle({
	...relayed,
	id: "idle-start",
	title: "idle session, the first of a process",
	memory: { kind: "value", atMost: 400 },
	fromStart: true,
});

/** A plain relay. */
export const idleSession = idle({
	...relayed,
	id: "idle",
	title: "idle session",
	memory: { kind: "value", atMost: 256 },
});

/** Upstream connections belong to the pool, and few are needed for requests that come a few at a time. */
export const idleHttp = idle({
	id: "idle-http",
	title: "idle HTTP connection",
	use: "one HTTP request each, 64 at a time, kept",
	memory: AT_MOST_512,
	descriptors: null,
	roundsMax: ROUNDS_MAX,
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
	descriptors: { kind: "value", exactly: 2, tolerance: 0.0005 },
	roundsMax: ROUNDS_MAX,
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
	descriptors: { kind: "value", exactly: 2, tolerance: 0.0005 },
	roundsMax: ROUNDS_MAX,
	close: (generator) => generator.ask("tlsClose", {}),
	async openAndUse(generator, { listen }, connections) {
		await generator.ask("tlsOpen", { port: listen.tls, connections });
		await generator.ask("tlsRequests", { count: connections });
	},
});

/**
 * What a session costs that only stays open: anonymous memory, which is the process's own. The proportional set size
 * moves whenever a program that has files in common starts or ends, and here all that is written in Node has.
 */
function idle(kind: Kind): Row {
	const { id, title, use, fromStart, roundsMax } = kind;
	const baseline = fromStart
		? "baseline before any session"
		: `baseline after ${WARM_UP_PASSES} times ${WARM_UP_SESSIONS} sessions opened, used and closed`;
	return {
		id,
		describe: (quick) =>
			`a fresh process per round${roundsMax === undefined ? "" : `, ${roundsMax} rounds at most`}; ${baseline}; then ${sessions(quick)} sessions opened, ` +
			`${use}, idle; anonymous memory from smaps_rollup and descriptors from /proc/PID/fd, of all processes of a system`,

		async run(bench: Bench): Promise<readonly Figure[]> {
			const part = { unit: "B", digits: 0, target: null };
			const figures = [
				new Figure({
					...{ ...part, id: `${id}.memory`, target: kind.memory },
					title: `${title}: anonymous memory (baseline subtracted)`,
				}),
				new Figure({ ...part, id: `${id}.baseline`, title: "… the baseline", unit: "MB", digits: 1 }),
				new Figure({
					...{ id: `${id}.descriptors`, title: `${title}: descriptors` },
					...{ unit: "", digits: 3, target: kind.descriptors },
				}),
			];
			const count = sessions(bench.quick);
			const turns = {
				warmUp: false,
				alone: true,
				...(roundsMax === undefined ? {} : { roundsMax }),
			} as const;
			await bench.alternate(id, figures, turns, async (system) => {
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
	if (kind.fromStart !== true) await warmUp(generator, kind, running);
	await sleep(SETTLE_MS);
	const before = read(running);
	await kind.openAndUse(generator, running, count);
	await sleep(SETTLE_MS);
	const after = read(running);
	return [
		(after.memory.anonymousBytes - before.memory.anonymousBytes) / count,
		before.memory.anonymousBytes / 1e6,
		(after.descriptors - before.descriptors) / count,
	];
}

async function warmUp(generator: Generator, kind: Kind, running: Running): Promise<void> {
	for (let pass = 0; pass < WARM_UP_PASSES; pass++) {
		await kind.openAndUse(generator, running, WARM_UP_SESSIONS);
		await kind.close(generator);
	}
}

function read(running: Running): { memory: Memory; descriptors: number } {
	const pids = running.pids();
	return { memory: readMemory(pids), descriptors: countDescriptors(pids) };
}

import { setTimeout as sleep } from "node:timers/promises";
import { countDescriptors, readMemory } from "../../../src/rig/proc.js";
import { Figure, type Target } from "../../figure.js";
import type { HubBench, HubRow, HubTurns } from "../bench.js";
import type { RunningHub } from "../system.js";
import { BYTES, subscribers } from "./sizes.js";

/** Come, told something and gone before the baseline, so that what is set up once is nobody's: see ../../rows/idle-session.ts. */
const WARM_UP_SUBSCRIBERS = 200;
const WARM_UP_PASSES = 25;
const WARM_UP_PASSES_QUICK = 1;
/** Closing, collecting and releasing are over by then: Sluice gives freed memory back once a second, also of what its collectors free behind the last turn. */
const SETTLE_MS = 5_000;
const SETTLE_QUICK_MS = 300;
/** Of the row without a bound. Memory hardly differs from round to round. */
const ROUNDS_MAX = 6;

const ONE_MESSAGE = { messages: 1, everyMs: 50, bytes: BYTES };
/** So that what the handshakes left behind has been collected. */
const MESSAGES = { messages: 5, everyMs: 100, bytes: BYTES };

interface Kind {
	readonly id: string;
	readonly title: string;
	readonly tls: boolean;
	readonly collects: boolean;
	readonly memory: Target | null;
	readonly turns: HubTurns;
}

/** What a subscriber costs who only is there. Its socket is the kernel's, and not counted. */
export const idle = row({
	...{ id: "idle", title: "idle subscriber", tls: false, collects: true },
	memory: { kind: "value", atMost: 512 },
	turns: { warmUp: false, alone: true },
});

/** OpenSSL's own memory is most of it, so it is stated and has no bound. */
export const idleTls = row({
	...{ id: "idle-tls", title: "idle subscriber with TLS", tls: true, collects: true, memory: null },
	turns: { warmUp: false, alone: true, roundsMax: ROUNDS_MAX },
});

/** What a process has taken altogether, garbage that nobody has collected yet included: it differs by megabytes from one round to the next. */
export const idleUncollected = row({
	...{
		id: "idle-garbage",
		title: "idle subscriber, garbage included",
		tls: false,
		collects: false,
		memory: null,
	},
	turns: { warmUp: false, alone: true, roundsMax: ROUNDS_MAX },
});

function row({ id, title, tls, collects, memory, turns }: Kind): HubRow {
	return {
		id,
		describe: (quick) =>
			`a fresh process per round${collects ? ", Node's with full collections only (--gc-global)" : ""}${turns.roundsMax === undefined ? "" : `, ${turns.roundsMax} rounds at most`}; baseline after ${quick ? WARM_UP_PASSES_QUICK : WARM_UP_PASSES} times ${WARM_UP_SUBSCRIBERS} subscribers ` +
			`who came, got a message each and left; then ${subscribers(quick)} who come${tls ? ", with TLS," : ""} get ${MESSAGES.messages}, and stay; anonymous memory from smaps_rollup and descriptors from /proc/PID/fd, of all processes of a system`,

		async run(bench: HubBench) {
			const part = { unit: "B", digits: 0, target: null };
			const figures = [
				new Figure({
					...{ ...part, id: `${id}.memory`, target: memory },
					title: `${title}: anonymous memory (baseline subtracted)`,
				}),
				new Figure({ ...part, id: `${id}.baseline`, title: "… the baseline", unit: "MB", digits: 1 }),
				new Figure({ ...part, id: `${id}.descriptors`, title: "… descriptors", unit: "", digits: 3 }),
			];
			await bench.alternate(id, figures, turns, async (system) => {
				const running = await bench.launch(system, collects);
				try {
					return await measure(bench, running, tls);
				} finally {
					await running.stop();
				}
			});
			return figures;
		},
	};
}

/** Values in the order of the figures. */
async function measure({ quick }: HubBench, running: RunningHub, tls: boolean): Promise<number[]> {
	const settleMs = quick ? SETTLE_QUICK_MS : SETTLE_MS;
	for (let pass = 0; pass < (quick ? WARM_UP_PASSES_QUICK : WARM_UP_PASSES); pass++) {
		await come(running, WARM_UP_SUBSCRIBERS, tls, ONE_MESSAGE);
		await running.audience.ask("close", {});
	}
	await sleep(settleMs);
	const before = read(running);
	const count = subscribers(quick);
	await come(running, count, tls, MESSAGES);
	await sleep(settleMs);
	const after = read(running);
	return [
		(after.anonymousBytes - before.anonymousBytes) / count,
		before.anonymousBytes / 1e6,
		(after.descriptors - before.descriptors) / count,
	];
}

/** Each gets messages, so it is seen that all have subscribed, and what sending to one takes is there. */
async function come(
	{ audience, doors }: RunningHub,
	count: number,
	tls: boolean,
	messages: typeof MESSAGES,
): Promise<void> {
	const door = tls ? doors.tls : doors.plain;
	if (door === null) throw new Error("it has no TLS");
	await audience.ask("open", { door, count, tls, deaf: false });
	await audience.ask("publish", { door: doors.publish, ...messages });
}

function read(running: RunningHub): { anonymousBytes: number; descriptors: number } {
	const pids = running.pids();
	return { anonymousBytes: readMemory(pids).anonymousBytes, descriptors: countDescriptors(pids) };
}

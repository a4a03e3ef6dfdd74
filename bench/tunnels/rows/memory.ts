/** Memory of both ends, as rows of idle things read it. */
import { setTimeout as sleep } from "node:timers/promises";
import { countDescriptors, readMemory } from "../../../src/rig/proc.js";
import { Figure } from "../../figure.js";
import type { Generator } from "../../load/driver.js";
import type { RunningTunnel } from "../system.js";
import { ask, open } from "../visitors.js";

/** Opened, used and closed before the baseline, so that what is set up once is nobody's: see ../../rows/idle-session.ts. */
const WARM_UP_VISITORS = 200;
const WARM_UP_PASSES = 10;
const WARM_UP_PASSES_QUICK = 1;
/** Closing, collecting and releasing are over by then. */
const SETTLE_MS = 1_000;

/** Memory hardly differs from round to round. */
export const ROUNDS_MAX = 6;

export const WARM_UP = `baseline after ${WARM_UP_PASSES} times ${WARM_UP_VISITORS} visitors who came, asked once and left`;

export const MEASURED = "anonymous memory (smaps_rollup) of all processes of an end";

export interface Reading {
	/** Anonymous bytes. */
	readonly gateway: number;
	readonly agent: number;
	/** Of the agent's end: a line is one there. */
	readonly descriptors: number;
}

/** Once nothing moves any more. */
export async function readSettled(running: RunningTunnel): Promise<Reading> {
	await sleep(SETTLE_MS);
	const agents = running.agentPids();
	return {
		gateway: readMemory(running.gatewayPids()).anonymousBytes,
		agent: readMemory(agents).anonymousBytes,
		descriptors: countDescriptors(agents),
	};
}

export async function warmUp(generator: Generator, running: RunningTunnel, quick: boolean): Promise<void> {
	for (let pass = 0; pass < (quick ? WARM_UP_PASSES_QUICK : WARM_UP_PASSES); pass++) {
		await openAndAsk(generator, running, WARM_UP_VISITORS);
		await generator.ask("close", {});
	}
}

/** Visitors who stay, and have asked once each. */
export async function openAndAsk(generator: Generator, running: RunningTunnel, count: number): Promise<void> {
	await open(generator, running, "relay", count);
	if (running.system.manner === "host") await generator.ask("useEach", { upgrade: false });
	// As many requests as connections: one each.
	else await ask(generator, running, count);
}

/** Bytes of each, at both ends. */
export function perOne(before: Reading, after: Reading, count: number): [gateway: number, agent: number] {
	return [(after.gateway - before.gateway) / count, (after.agent - before.agent) / count];
}

/** For each of what `id` and `title` say. */
export function memoryFigures(id: string, title: string): [Figure, Figure] {
	const common = { unit: "B", digits: 0, target: null };
	return [
		new Figure({ ...common, id: `${id}.gateway`, title: `${title}: memory of the gateway` }),
		new Figure({ ...common, id: `${id}.agent`, title: `${title}: memory of the agent` }),
	];
}

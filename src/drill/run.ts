/**
 * One drill against one target:
 *
 *     start ── calm ──►── attack ──────────────────────────►── after ──►── settle
 *              client     client and attackers; nobody new     client      nobody: what has the
 *                         comes, and the last one is gone                  target still open?
 *
 * The good client and the sampler run from the first phase to the last.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { isAlive } from "../rig/proc.js";
import type { Assault, AssaultReport, Scene } from "./assault.js";
import type { AttackEnding, ListenerKind, Plan } from "./drill.js";
import { GoodClient } from "./good-client.js";
import type { Link } from "./link.js";
import type { MemoryGroup, MemoryGroupFigures } from "./memory-group.js";
import type { Attempt } from "./messages.js";
import type { Progress } from "./progress.js";
import { monotonicMs, type Sample, Sampler, takeSample } from "./sampler.js";
import type { Target, TargetKind } from "./target.js";
import type { DrillPorts } from "./upstream-ports.js";

export type PhaseName = "calm" | "attack" | "after";

export interface Phase {
	readonly name: PhaseName;
	readonly fromMs: number;
	readonly toMs: number;
}

/** Everything that was seen, before anything is concluded from it. */
export interface Recording {
	readonly target: {
		readonly kind: TargetKind;
		readonly label: string;
		readonly pid: number | null;
		readonly backlog: number | null;
		/** Connections that may wait, over all its accept queues, as the kernel says; `null` when it is not told. */
		readonly acceptQueueLimit: number | null;
	};
	/** Asked for. */
	readonly connections: number;
	readonly deadlineMs: number | null;
	readonly phases: readonly Phase[];
	readonly attempts: readonly Attempt[];
	readonly samples: readonly Sample[];
	/** Nobody is connected: before the first phase, and after the last. */
	readonly before: Sample;
	readonly rest: Sample;
	readonly alive: boolean;
	readonly assault: AssaultReport;
	/** Of the control group that bounded its memory, or why there was none; `null`: nobody asked. */
	readonly group: MemoryGroupFigures | string | null;
	readonly closedByReason: Readonly<Record<string, number>>;
	/** Errors that the target logged, the first of them. */
	readonly errors: readonly string[];
	/** What the target wrote last, if it is no longer there. */
	readonly lastWords: string | null;
}

/**
 * Beyond twice the deadline, the time in which attackers may still go. What comes later is called "never", so a
 * target that checks its deadlines only now and then is told from one that has none.
 */
const GRACE_MS = 2000;

/** How long a counted attack may take at most: a million connections, on a slow machine. */
const DONE_MAX_MS = 60 * 60_000;

/** How long the target may take to give back what it has when nobody is there any more. */
const SETTLE_MAX_MS = 15_000;
const SETTLE_STEP_MS = 100;

/** Between two looks whether the target still runs. */
const ALIVE_STEP_MS = 250;

/** The first answers of a process that has just started are slow, and calm is what attack is compared with. */
const WARM_UP_MS = 1500;

/** A process that has just started is not at rest yet. */
const START_MS = 500;

export interface RunOptions {
	readonly listener: ListenerKind;
	readonly plan: Plan;
	readonly ending: AttackEnding;
	readonly connections: number;
	readonly seconds: number;
	readonly link: Link | string;
	/** Where the drill's upstreams listen; `null`: a given target has its own. */
	readonly ports: DrillPorts | null;
	/** What bounds the target's memory, or why nothing does; `null`: nobody asked. */
	readonly group: MemoryGroup | string | null;
	readonly progress: Progress;
}

export async function runDrill(target: Target, options: RunOptions): Promise<Recording> {
	const { listener, plan, ending, seconds, connections, link, ports, group, progress } = options;
	const { deadline } = plan;
	const deadlineMs = deadline === null ? null : target.kind === "given" ? deadline.givenMs : deadline.ownMs;
	const scene: Scene = { target, ports, connections, seconds, deadlineMs, link };
	const phases: Phase[] = [];

	await sleep(START_MS);
	// The first look opens the connection over which all others go.
	const first = await target.metrics();
	const reasonsBefore = first?.closedByReason ?? {};
	const before = await takeSample(target, NOBODY);

	const client = new GoodClient(listener);
	const { attempts } = client;
	let assault: Assault | null = null;
	let sampler: Sampler | null = null;
	try {
		const attack = await plan.attack(scene);
		assault = attack;
		sampler = new Sampler(target, () => attack.status);
		const { samples } = sampler;
		const watched = <T>(step: Promise<T>): Promise<T> => Promise.race([step, client.failure, attack.failure]);
		const phase = async <T>(name: PhaseName, body: () => Promise<T>): Promise<T> => {
			const fromMs = monotonicMs();
			progress.phase(target, name, () => ({ attempts, attackers: attack.status }));
			const result = await watched(body());
			phases.push({ name, fromMs, toMs: monotonicMs() });
			return result;
		};
		await client.start(target, listener, connections);
		await watched(sleep(WARM_UP_MS));
		await phase("calm", () => sleep((seconds / 2) * 1000));
		const atRelease = await phase("attack", () => carryOut(ending, attack, seconds, deadlineMs, target.pid));
		await phase("after", () => sleep((seconds / 2) * 1000));

		const last = await client.finish();
		const report = await Promise.race([
			attack.settle?.(atRelease, last) ?? Promise.resolve(atRelease),
			attack.failure,
		]);
		sampler.stop();
		progress.phase(target, "settle", () => ({ attempts, attackers: attack.status }));
		const rest = await settle(target, before);
		const reasons = (await target.metrics())?.closedByReason ?? {};
		const alive = target.pid === null || isAlive(target.pid);
		return {
			target: {
				kind: target.kind,
				label: target.label,
				pid: target.pid,
				backlog: target.backlog,
				acceptQueueLimit: first?.acceptQueueLimit ?? null,
			},
			connections,
			deadlineMs,
			phases,
			attempts,
			samples,
			before,
			rest,
			alive,
			assault: report,
			group: typeof group === "object" ? (group?.read() ?? null) : group,
			closedByReason: difference(reasons, reasonsBefore),
			errors: target.errors(),
			lastWords: alive ? null : target.lastWords(),
		};
	} finally {
		sampler?.stop();
		await client.stop();
		await assault?.dispose();
	}
}

const NOBODY = { atMs: 0, opened: 0, established: 0, alive: 0, ended: 0 };

async function carryOut(
	ending: AttackEnding,
	attack: Assault,
	seconds: number,
	deadlineMs: number | null,
	pid: number | null,
): Promise<AssaultReport> {
	await attack.start();
	if (ending === "done") {
		// At least as long as was asked for, so that the good client sees some of it.
		await sleep(seconds * 1000);
		const giveUp = new AbortController();
		await Promise.race([
			attack.done,
			sleep(DONE_MAX_MS, undefined, { ref: false }),
			ended(pid, giveUp.signal),
		]);
		giveUp.abort();
		return attack.release();
	}
	await sleep(seconds * 1000);
	attack.stop();
	if (ending === "target") {
		const giveUpMs = monotonicMs() + 2 * (deadlineMs ?? 0) + GRACE_MS;
		// One status is on its way from before the order.
		await sleep(SETTLE_STEP_MS * 3);
		while (attack.status.alive > 0 && monotonicMs() < giveUpMs) await sleep(SETTLE_STEP_MS);
	}
	return attack.release();
}

/** Resolves when the target's process has ended: against nobody an attack is never done. */
async function ended(pid: number | null, signal: AbortSignal): Promise<void> {
	while (!signal.aborted && (pid === null || isAlive(pid)))
		await sleep(ALIVE_STEP_MS, undefined, { ref: false });
}

/** Waits until the target has open what it had open before, for a while. */
async function settle(target: Target, before: Sample): Promise<Sample> {
	const giveUpMs = monotonicMs() + SETTLE_MAX_MS;
	for (;;) {
		await sleep(SETTLE_STEP_MS);
		const now = await takeSample(target, NOBODY);
		const gone = target.pid !== null && !isAlive(target.pid);
		if (gone || now.descriptors === before.descriptors || monotonicMs() > giveUpMs) return now;
	}
}

function difference(
	now: Readonly<Record<string, number>>,
	before: Readonly<Record<string, number>>,
): Record<string, number> {
	const grown = Object.entries(now).map(
		([reason, count]) => [reason, count - (before[reason] ?? 0)] as const,
	);
	return Object.fromEntries(grown.filter(([, count]) => count > 0));
}

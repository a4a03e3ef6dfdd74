/** Looks at the target four times a second, from outside: it costs the target no descriptor of its own and hardly any time. */

import { countDescriptors, type MachineCpu, readCpu, readMachineCpu, residentBytes } from "../rig/proc.js";
import type { AttackStatus } from "./attack.js";
import { listenQueue, tcpMemoryBytes } from "./kernel-tables.js";
import type { Target, TargetMetrics } from "./target.js";

export const SAMPLE_MS = 250;

/** The page of metrics is asked for only with every fourth sample: what it leaves to the collector is memory of the target. */
const METRICS_EVERY = 4;

export interface Sample {
	/** On the clock of monotonicMs(). */
	readonly atMs: number;
	/** What the target has open, pipes for splicing aside; `null` when its process cannot be seen. */
	readonly descriptors: number | null;
	readonly residentBytes: number | null;
	/** CPU it has used since it started. */
	readonly cpuMs: number | null;
	/** Connections that wait to be accepted. */
	readonly acceptQueue: number;
	/** All TCP sockets of this machine. */
	readonly tcpMemoryBytes: number;
	/** What the kernel's sockets hold for the gateway, by its own count. */
	readonly socketMemoryBytes: number | null;
	readonly sessions: number | null;
	readonly linkSessions: number | null;
	readonly ledgerDiscrepancy: number | null;
	readonly halfHellos: number | null;
	/** What waits for subscribers outside of the log. */
	readonly hubOutboxBytes: number | null;
	readonly hubBlocked: number | null;
	/** Of all cores of this machine. */
	readonly machineCpu: MachineCpu;
	readonly attackersAlive: number;
	readonly attackersEnded: number;
}

/** Milliseconds on the clock that all processes of this machine share (CLOCK_MONOTONIC). */
export function monotonicMs(): number {
	return Number(process.hrtime.bigint()) / 1e6;
}

export class Sampler {
	readonly samples: Sample[] = [];
	readonly #target: Target;
	readonly #attackers: () => AttackStatus;
	readonly #timer: NodeJS.Timeout;
	#busy = false;
	#count = 0;
	#metrics: TargetMetrics | null = null;

	constructor(target: Target, attackers: () => AttackStatus) {
		this.#target = target;
		this.#attackers = attackers;
		this.#timer = setInterval(() => void this.#sample(), SAMPLE_MS);
	}

	stop(): void {
		clearInterval(this.#timer);
	}

	async #sample(): Promise<void> {
		// A target that answers late gets fewer samples, not more questions.
		if (this.#busy) return;
		this.#busy = true;
		if (this.#count++ % METRICS_EVERY === 0) this.#metrics = await this.#target.metrics();
		this.samples.push(look(this.#target, this.#attackers(), this.#metrics));
		this.#busy = false;
	}
}

export async function takeSample(target: Target, attackers: AttackStatus): Promise<Sample> {
	return look(target, attackers, await target.metrics());
}

function look(target: Target, attackers: AttackStatus, metrics: TargetMetrics | null): Sample {
	const seen = readProcess(target.pid);
	return {
		atMs: monotonicMs(),
		descriptors: seen === null ? null : seen.descriptors - (metrics?.keptDescriptors ?? 0),
		residentBytes: seen?.residentBytes ?? null,
		cpuMs: seen?.cpuMs ?? null,
		acceptQueue: listenQueue(target.port).depth,
		tcpMemoryBytes: tcpMemoryBytes(),
		socketMemoryBytes: metrics?.socketMemoryBytes ?? null,
		sessions: metrics?.sessions ?? null,
		linkSessions: metrics?.linkSessions ?? null,
		ledgerDiscrepancy: metrics?.ledgerDiscrepancy ?? null,
		halfHellos: metrics?.halfHellos ?? null,
		hubOutboxBytes: metrics?.hub?.outboxBytes ?? null,
		hubBlocked: metrics?.hub?.blocked ?? null,
		machineCpu: readMachineCpu(),
		attackersAlive: attackers.alive,
		attackersEnded: attackers.ended,
	};
}

function readProcess(
	pid: number | null,
): { descriptors: number; residentBytes: number; cpuMs: number } | null {
	if (pid === null) return null;
	try {
		const { statNs, schedstatNs } = readCpu([pid]);
		return {
			descriptors: countDescriptors([pid]),
			residentBytes: residentBytes(pid),
			cpuMs: (schedstatNs ?? statNs) / 1e6,
		};
	} catch {
		return null; // it has ended
	}
}

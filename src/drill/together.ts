/** Several attacks at once, each in a process of its own, as one. */

import type { Spread } from "../rig/percentile.js";
import type { Assault, AssaultReport, Attackers } from "./assault.js";
import type { AttackReport, AttackStatus, End } from "./attack.js";

export interface NamedAttackers {
	/** Before the measures of all who have it. */
	readonly name: string;
	/** At once. */
	readonly connections: number;
	readonly attackers: Attackers;
}

export class Together implements Assault {
	readonly #all: readonly NamedAttackers[];
	readonly done: Promise<void>;
	readonly failure: Promise<never>;

	constructor(all: readonly NamedAttackers[]) {
		this.#all = all;
		this.done = Promise.all(all.map(({ attackers }) => attackers.done)).then(() => {});
		this.failure = Promise.race(all.map(({ attackers }) => attackers.failure));
		this.failure.catch(() => {});
	}

	get status(): AttackStatus {
		return sumStatus(this.#all.map(({ attackers }) => attackers.status));
	}

	async start(): Promise<void> {
		await Promise.all(this.#all.map(({ attackers }) => attackers.start()));
	}

	stop(): void {
		for (const { attackers } of this.#all) attackers.stop();
	}

	async release(): Promise<AssaultReport> {
		const reports = await Promise.all(this.#all.map(({ attackers }) => attackers.release()));
		const measures: Record<string, number> = {};
		for (const name of new Set(this.#all.map((each) => each.name))) {
			const mine = this.#all.flatMap((each, index) =>
				each.name === name ? [{ asked: each.connections, report: reports[index]?.attackers }] : [],
			);
			const asked = mine.reduce((sum, each) => sum + each.asked, 0);
			const share = (read: (report: AttackReport) => number): number =>
				mine.reduce((sum, { report }) => sum + (report === undefined ? 0 : read(report)), 0) / asked;
			measures[`${name}.peakShare`] = share(({ alivePeak }) => alivePeak);
			measures[`${name}.openedShare`] = share(({ opened }) => opened);
		}
		return { attackers: merge(reports.map(({ attackers }) => attackers)), measures, notRun: [] };
	}

	async dispose(): Promise<void> {
		await Promise.all(this.#all.map(({ attackers }) => attackers.dispose()));
	}
}

function sumStatus(all: readonly AttackStatus[]): AttackStatus {
	const sum = (read: (status: AttackStatus) => number): number =>
		all.reduce((total, status) => total + read(status), 0);
	return {
		atMs: Math.max(...all.map(({ atMs }) => atMs)),
		opened: sum(({ opened }) => opened),
		established: sum(({ established }) => established),
		alive: sum(({ alive }) => alive),
		ended: sum(({ ended }) => ended),
	};
}

export function merge(all: readonly AttackReport[]): AttackReport {
	const ends: Partial<Record<End, number>> = {};
	for (const report of all)
		for (const [end, count] of Object.entries(report.ends) as [End, number][])
			ends[end] = (ends[end] ?? 0) + count;
	const sum = (read: (report: AttackReport) => number): number =>
		all.reduce((total, report) => total + read(report), 0);
	return {
		opened: sum(({ opened }) => opened),
		established: sum(({ established }) => established),
		// The peaks of each, which need not have been at one moment.
		alivePeak: sum(({ alivePeak }) => alivePeak),
		ends,
		tookMs: Math.max(...all.map(({ tookMs }) => tookMs)),
		overdueMs: worst(all.flatMap(({ overdueMs }) => overdueMs ?? [])),
		faults: all.flatMap(({ faults }) => faults),
	};
}

/** Of several spreads, at least as bad as all of them: what is judged is the latest. */
function worst(all: readonly Spread[]): Spread | null {
	if (all.length === 0) return null;
	return {
		count: all.reduce((sum, { count }) => sum + count, 0),
		p50: Math.max(...all.map(({ p50 }) => p50)),
		p99: Math.max(...all.map(({ p99 }) => p99)),
		max: Math.max(...all.map(({ max }) => max)),
	};
}

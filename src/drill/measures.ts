/** From what was seen to numbers: each has a name, by which thresholds call it. `null`: it could not be measured. */

import { type Spread, spread } from "../rig/percentile.js";
import { countLate } from "./lateness.js";
import type { Attempt } from "./messages.js";
import type { Phase, PhaseName, Recording } from "./run.js";
import type { Sample } from "./sampler.js";

export type Measures = Readonly<Record<string, number | null>>;

/** The good client in one phase, by when its attempts began. */
export interface ClientFigures {
	readonly attempts: number;
	readonly succeeded: number;
	readonly failures: Readonly<Record<string, number>>;
	/** Of those that succeeded. */
	readonly latencyMs: Spread | null;
}

/**
 * Of a drill over many sessions, the part around its middle is what the end is held against: the heaps of a target's
 * threads find their size over some minutes, and then stay. What is lost per session is lost by the other half as well.
 */
const MIDDLE = { from: 0.4, to: 0.6 };

export function clientFigures(attempts: readonly Attempt[], phase: Phase): ClientFigures {
	const mine = attempts.filter(([startedMs]) => startedMs >= phase.fromMs && startedMs < phase.toMs);
	const failures: Record<string, number> = {};
	const tookMs: number[] = [];
	let attempted = 0;
	for (const [, took, failure, count = 1] of mine) {
		attempted += count;
		if (failure !== null) failures[failure] = (failures[failure] ?? 0) + count;
		else for (let i = 0; i < count; i++) tookMs.push(took);
	}
	return { attempts: attempted, succeeded: tookMs.length, failures, latencyMs: spread(tookMs) };
}

export function phaseOf(recording: Recording, name: PhaseName): Phase {
	const found = recording.phases.find((phase) => phase.name === name);
	if (found === undefined) throw new Error(`the phase "${name}" was not run`);
	return found;
}

export function samplesIn(recording: Recording, name: PhaseName): readonly Sample[] {
	const { fromMs, toMs } = phaseOf(recording, name);
	return recording.samples.filter(({ atMs }) => atMs >= fromMs && atMs < toMs);
}

export function measure(recording: Recording): Measures {
	const { before, rest, assault, samples } = recording;
	const calm = clientFigures(recording.attempts, phaseOf(recording, "calm"));
	const attack = clientFigures(recording.attempts, phaseOf(recording, "attack"));
	const after = clientFigures(recording.attempts, phaseOf(recording, "after"));
	const { ends, overdueMs } = assault.attackers;
	const answered = ends.answered ?? 0;
	const calmTcp = peak(samplesIn(recording, "calm").map(({ tcpMemoryBytes }) => tcpMemoryBytes));
	return {
		"calm.success": share(calm),
		"attack.success": share(attack),
		"after.success": share(after),
		"calm.wrong": wrong(calm),
		"attack.wrong": wrong(attack),
		"after.wrong": wrong(after),
		p99Ratio: ratio(attack.latencyMs?.p99, calm.latencyMs?.p99),
		attackersPeakShare: assault.attackers.alivePeak / recording.connections,
		neverGone: ends["given up"] ?? 0,
		overdueMaxMs: overdueMs?.max ?? null,
		alive: recording.alive ? 1 : 0,
		descriptorsLeft: minus(rest.descriptors, before.descriptors),
		descriptorsPeak: peak(samples.map(({ descriptors }) => descriptors)),
		memoryKeptBytes: minus(rest.residentBytes, last(samplesIn(recording, "calm"))?.residentBytes ?? null),
		memoryDriftBytes: drift(recording),
		socketMemoryPeakBytes: peak(samples.map(({ socketMemoryBytes }) => socketMemoryBytes)),
		memoryGrowthBytes: growth(samplesIn(recording, "attack")),
		memoryRiseBytes: minus(
			peak(samplesIn(recording, "attack").map(({ residentBytes }) => residentBytes)),
			last(samplesIn(recording, "calm"))?.residentBytes ?? null,
		),
		tcpPerAttackerBytes: perAttacker(
			samplesIn(recording, "attack").map(({ tcpMemoryBytes }) => minus(tcpMemoryBytes, calmTcp)),
			recording,
		),
		outboxPerAttackerBytes: perAttacker(
			samples.map(({ hubOutboxBytes }) => hubOutboxBytes),
			recording,
		),
		blockedPeakShare: perAttacker(
			samples.map(({ hubBlocked }) => hubBlocked),
			recording,
		),
		halfHellosPeak: peak(samples.map(({ halfHellos }) => halfHellos)),
		acceptQueuePeak: peak(samples.map(({ acceptQueue }) => acceptQueue)),
		ledgerDiscrepancyMax: peak(samples.map(({ ledgerDiscrepancy }) => magnitude(ledgerDiscrepancy))),
		cpuWhileFullCores: cpuWhileFull(samplesIn(recording, "attack")),
		goodAgainMs: goodAgain(recording.attempts, phaseOf(recording, "after")),
		unserved: recording.connections - answered,
		notAsScripted: recording.connections - (ends["as scripted"] ?? 0),
		resetByTarget: ends["reset by the target"] ?? 0,
		sessionsPerSecond: assault.attackers.tookMs > 0 ? answered / (assault.attackers.tookMs / 1000) : null,
		...groupMeasures(recording),
		...assault.measures,
	};
}

function groupMeasures({ group }: Recording): Measures {
	if (group === null || typeof group === "string") return {};
	return {
		"group.limitBytes": group.limitBytes,
		"group.peakBytes": group.peakBytes,
		"group.oomKills": group.oomKills,
	};
}

function share({ attempts, succeeded }: ClientFigures): number | null {
	return attempts === 0 ? null : succeeded / attempts;
}

/** Failures that were no mere lateness. */
function wrong({ attempts, succeeded, failures }: ClientFigures): number {
	return attempts - succeeded - countLate(failures);
}

function ratio(value: number | undefined, base: number | undefined): number | null {
	return value === undefined || base === undefined || base === 0 ? null : value / base;
}

function minus(value: number | null, base: number | null): number | null {
	return value === null || base === null ? null : value - base;
}

function magnitude(value: number | null): number | null {
	return value === null ? null : Math.abs(value);
}

function peak(values: readonly (number | null)[]): number | null {
	const known = values.filter((value) => value !== null);
	return known.length === 0 ? null : Math.max(...known);
}

/** The highest that they came to, for each attacker. */
function perAttacker(values: readonly (number | null)[], { assault }: Recording): number | null {
	const highest = peak(values);
	return highest === null ? null : highest / assault.attackers.opened;
}

function last<T>(values: readonly T[]): T | undefined {
	return values[values.length - 1];
}

/** Cores in use in the second half of the attack, when everything that can be taken has been taken. */
function cpuWhileFull(samples: readonly Sample[]): number | null {
	const first = samples[Math.floor(samples.length / 2)];
	const end = last(samples);
	if (first === undefined || end === undefined || end.atMs <= first.atMs) return null;
	const usedMs = minus(end.cpuMs, first.cpuMs);
	return usedMs === null ? null : usedMs / (end.atMs - first.atMs);
}

/** From the end of the attack until the last failure had begun and a success had ended. `null`: never good again. */
export function goodAgain(attempts: readonly Attempt[], after: Phase): number | null {
	const mine = attempts.filter(([startedMs]) => startedMs >= after.fromMs && startedMs < after.toMs);
	const lastFailure = Math.max(
		after.fromMs,
		...mine.filter(([, , failure]) => failure !== null).map(([at]) => at),
	);
	const first = mine
		.filter(([startedMs, , failure]) => failure === null && startedMs >= lastFailure)
		.map(([startedMs, tookMs]) => startedMs + tookMs)
		.sort((a, b) => a - b)[0];
	return first === undefined ? null : first - after.fromMs;
}

/** Resident memory in the last third of the attack against that in the third before: both medians. */
function growth(samples: readonly Sample[]): number | null {
	const third = Math.floor(samples.length / 3);
	const median = (part: readonly Sample[]): number | null =>
		spread(part.flatMap(({ residentBytes }) => residentBytes ?? []))?.p50 ?? null;
	return third === 0 ? null : minus(median(samples.slice(-third)), median(samples.slice(third, -third)));
}

/**
 * Resident memory after the attack against that in its middle. Both are medians: a garbage collector gives and takes a
 * megabyte at any moment.
 */
function drift(recording: Recording): number | null {
	const { opened } = recording.assault.attackers;
	const base = recording.samples.filter(
		({ attackersEnded }) => attackersEnded >= MIDDLE.from * opened && attackersEnded <= MIDDLE.to * opened,
	);
	const resident = (samples: readonly Sample[]): number[] =>
		samples.flatMap(({ residentBytes }) => residentBytes ?? []);
	return minus(
		spread(resident(samplesIn(recording, "after")))?.p50 ?? null,
		spread(resident(base))?.p50 ?? null,
	);
}

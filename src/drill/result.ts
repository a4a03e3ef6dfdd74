/** What a drill came to: everything that --json prints, and what report and chart are made of. */
import { cpus, release } from "node:os";
import { percentile } from "../rig/percentile.js";
import type { AttackReport } from "./attack.js";
import { noiseInCalm } from "./calm.js";
import type { ListenerKind } from "./drill.js";
import { setting } from "./kernel-tables.js";
import { type ClientFigures, clientFigures, type Measures, measure, samplesIn } from "./measures.js";
import type { DrillOptions, Machine } from "./options.js";
import type { Phase, PhaseName, Recording } from "./run.js";
import { SAMPLE_MS, type Sample } from "./sampler.js";
import { isCompared } from "./target.js";
import { type Judgement, judge, type Outcome, outcomeOf } from "./verdict.js";

/** The shape of --json. docs/drills.md describes it. */
export interface DrillResult {
	readonly drill: string;
	readonly summary: string;
	readonly listener: ListenerKind;
	readonly connections: number;
	/** What these are: "connections", mostly. */
	readonly counted: string;
	readonly seconds: number;
	readonly machine: {
		readonly cores: number;
		readonly kernel: string;
		readonly node: string;
		readonly descriptors: number;
		readonly somaxconn: number | null;
	};
	/** The verdict: of the gateway, or of the given target. */
	readonly outcome: Outcome;
	readonly targets: readonly TargetResult[];
	readonly notRun: readonly string[];
}

export interface TargetResult {
	readonly target: string;
	readonly kind: Recording["target"]["kind"];
	/** Length of an accept queue that was asked for. */
	readonly backlog: number | null;
	/** Connections that may wait, over all its accept queues. */
	readonly acceptQueueLimit: number | null;
	/** By when it should have closed an attacker. */
	readonly deadlineMs: number | null;
	readonly outcome: Outcome;
	/** Why this machine was too busy to judge by the clock; `null`: it was not. */
	readonly noise: string | null;
	readonly verdict: readonly JudgementResult[];
	readonly phases: readonly PhaseResult[];
	readonly attackers: AttackReport;
	readonly closedByReason: Readonly<Record<string, number>>;
	readonly measures: Measures;
	/** Quarters of a second, from the first phase on. */
	readonly series: readonly Point[];
	/** Errors that it logged, the first of them. */
	readonly errors: readonly string[];
	readonly lastWords: string | null;
}

export interface JudgementResult {
	readonly measure: string;
	readonly title: string;
	readonly unit: string;
	readonly bound: Judgement["threshold"]["bound"];
	readonly value: number | null;
	/** `null`: not judged, because this target does not say it or this machine was too busy. */
	readonly held: boolean | null;
	/** Decided by the clock, which a busy machine does not keep. */
	readonly byClock: boolean;
}

export interface PhaseResult {
	readonly name: PhaseName;
	/** Since the first phase began. */
	readonly fromMs: number;
	readonly toMs: number;
	readonly client: ClientFigures;
	/** Highest in the phase. */
	readonly descriptorsMax: number | null;
	readonly residentBytesMax: number | null;
	readonly acceptQueueMax: number | null;
	readonly tcpMemoryBytesMax: number | null;
}

/** A quarter of a second of everything that is measured over time. */
export interface Point {
	/** Its middle, since the first phase began. */
	readonly atMs: number;
	readonly p50Ms: number | null;
	readonly p99Ms: number | null;
	readonly failures: number;
	readonly descriptors: number | null;
	readonly residentBytes: number | null;
	readonly acceptQueue: number | null;
	readonly tcpMemoryBytes: number | null;
	readonly sessions: number | null;
	readonly attackersAlive: number | null;
	readonly ledgerDiscrepancy: number | null;
}

export function conclude(
	options: DrillOptions,
	machine: Machine,
	recordings: readonly Recording[],
): DrillResult {
	const targets = recordings.map((recording) => concludeTarget(options, recording));
	const { drill, listener, connections, seconds } = options;
	const counted = drill.counted ?? "connections";
	return {
		drill: drill.name,
		summary: drill.summary,
		listener,
		connections,
		counted,
		seconds,
		machine: {
			cores: cpus().length,
			kernel: release(),
			node: process.version,
			descriptors: machine.descriptors,
			somaxconn: setting("net/core/somaxconn"),
		},
		outcome: targets.find(({ kind }) => !isCompared(kind))?.outcome ?? "not held",
		targets,
		notRun: [
			...(options.fewer === null
				? []
				: [`${drill.defaults.connections} ${counted}, but ${connections}: ${options.fewer}`]),
			...recordings.flatMap(({ assault, group, target }) => [
				...assault.notRun,
				...(typeof group === "string" ? [`${target.label} in a memory control group: ${group}`] : []),
			]),
		],
	};
}

function concludeTarget({ drill }: DrillOptions, recording: Recording): TargetResult {
	const measures = measure(recording);
	const noise = noiseInCalm(recording, drill.calmP99MaxMs);
	const judgements = judge(drill.thresholds, measures, recording.target.kind, noise);
	const startMs = recording.phases[0]?.fromMs ?? 0;
	return {
		target: recording.target.label,
		kind: recording.target.kind,
		backlog: recording.target.backlog,
		acceptQueueLimit: recording.target.acceptQueueLimit,
		deadlineMs: recording.deadlineMs,
		outcome: outcomeOf(judgements, noise),
		noise,
		verdict: judgements.map(({ threshold, value, held }) => ({
			measure: threshold.measure,
			title: threshold.title,
			unit: threshold.unit,
			bound: threshold.bound,
			value,
			held,
			byClock: threshold.byClock !== undefined,
		})),
		phases: recording.phases.map((phase) => concludePhase(recording, phase, startMs)),
		attackers: recording.assault.attackers,
		closedByReason: recording.closedByReason,
		measures,
		series: series(recording, startMs),
		errors: recording.errors,
		lastWords: recording.lastWords,
	};
}

function concludePhase(recording: Recording, phase: Phase, startMs: number): PhaseResult {
	const samples = samplesIn(recording, phase.name);
	const most = (read: (sample: Sample) => number | null): number | null => {
		const known = samples.map(read).filter((value) => value !== null);
		return known.length === 0 ? null : Math.max(...known);
	};
	return {
		name: phase.name,
		fromMs: phase.fromMs - startMs,
		toMs: phase.toMs - startMs,
		client: clientFigures(recording.attempts, phase),
		descriptorsMax: most((sample) => sample.descriptors),
		residentBytesMax: most((sample) => sample.residentBytes),
		acceptQueueMax: most((sample) => sample.acceptQueue),
		tcpMemoryBytesMax: most((sample) => sample.tcpMemoryBytes),
	};
}

function series({ attempts, samples, phases }: Recording, startMs: number): Point[] {
	const endMs = phases[phases.length - 1]?.toMs ?? startMs;
	const count = Math.ceil((endMs - startMs) / SAMPLE_MS);
	const bucketOf = (atMs: number): number => Math.floor((atMs - startMs) / SAMPLE_MS);
	const latencies = Array.from({ length: count }, (): number[] => []);
	const failures = new Array<number>(count).fill(0);
	for (const [startedMs, tookMs, failure, times = 1] of attempts) {
		const bucket = bucketOf(startedMs);
		if (failure === null) for (let i = 0; i < times; i++) latencies[bucket]?.push(tookMs);
		else if (bucket >= 0 && bucket < count) failures[bucket] = (failures[bucket] ?? 0) + times;
	}
	const sampled = new Map(samples.map((sample) => [bucketOf(sample.atMs), sample]));
	return latencies.map((values, bucket) => {
		const sorted = values.sort((a, b) => a - b);
		const sample = sampled.get(bucket);
		return {
			atMs: (bucket + 0.5) * SAMPLE_MS,
			p50Ms: percentile(sorted, 0.5),
			p99Ms: percentile(sorted, 0.99),
			failures: failures[bucket] ?? 0,
			descriptors: sample?.descriptors ?? null,
			residentBytes: sample?.residentBytes ?? null,
			acceptQueue: sample?.acceptQueue ?? null,
			tcpMemoryBytes: sample?.tcpMemoryBytes ?? null,
			sessions: sample?.sessions ?? null,
			attackersAlive: sample?.attackersAlive ?? null,
			ledgerDiscrepancy: sample?.ledgerDiscrepancy ?? null,
		};
	});
}

/** As JSON. JSON has no infinity; "never" is the number that comes nearest. */
export function toJson(result: DrillResult): string {
	const plain = (_: string, value: unknown): unknown => {
		if (typeof value !== "number") return value;
		if (value === Number.POSITIVE_INFINITY) return Number.MAX_VALUE;
		// Microseconds are as fine as anything here was measured.
		return Math.round(value * 1000) / 1000;
	};
	return `${JSON.stringify(result, plain, "\t")}\n`;
}

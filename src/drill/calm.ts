/** Whether the phase before the attack was calm: if not, a clock that is read later says nothing of the target. */
import { countLate } from "./lateness.js";
import { clientFigures, phaseOf, samplesIn } from "./measures.js";
import { CLIENT_EVERY_MS } from "./messages.js";
import type { Recording } from "./run.js";
import type { Sample } from "./sampler.js";
import { OVERDUE_MAX_MS } from "./thresholds.js";

/** On a machine that has nothing else to do the good client's p99 in calm is 2 to 6 ms. */
const P99_MAX_MS = 50;

/** In calm a drill itself needs less than a tenth of two cores. */
const CPU_SHARE_MAX = 0.5;

/** Of its beats the good client must have had so many, or else it had no core itself. */
const ATTEMPTS_SHARE_MIN = 0.5;

/**
 * What made it noisy, as a sentence; `null`: it was calm. Failures that are no lateness are not noise: they are the
 * target's own.
 */
export function noiseInCalm(recording: Recording, p99MaxMs = P99_MAX_MS): string | null {
	const phase = phaseOf(recording, "calm");
	const { attempts, failures, latencyMs } = clientFigures(recording.attempts, phase);
	const late = countLate(failures);
	const due = Math.floor((phase.toMs - phase.fromMs) / CLIENT_EVERY_MS);
	const cpu = cpuShare(samplesIn(recording, "calm"));
	if (cpu !== null && cpu > CPU_SHARE_MAX)
		return `before the attack ${Math.round(cpu * 100)} % of its CPU were in use, and others' programs are given what the target would need`;
	if (attempts < due * ATTEMPTS_SHARE_MIN)
		return `before the attack the good client came to ask ${attempts} times where ${due} were due`;
	if (late > 0)
		return `before the attack ${late} of the good client's ${attempts} attempts had no answer in time`;
	if (latencyMs === null) return null;
	if (latencyMs.max > OVERDUE_MAX_MS)
		return `before the attack the good client once waited ${Math.round(latencyMs.max)} ms for its answer, and ${OVERDUE_MAX_MS} ms is the finest that is judged`;
	if (latencyMs.p99 > p99MaxMs)
		return `before the attack the good client's p99 was ${Math.round(latencyMs.p99)} ms, and what is above ${p99MaxMs} ms is not calm`;
	return null;
}

function cpuShare(samples: readonly Sample[]): number | null {
	const first = samples[0]?.machineCpu;
	const last = samples.at(-1)?.machineCpu;
	if (first === undefined || last === undefined || last.all <= first.all) return null;
	return (last.busy - first.busy) / (last.all - first.all);
}

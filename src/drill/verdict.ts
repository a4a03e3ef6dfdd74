/** Measures against thresholds. */
import type { Threshold } from "./drill.js";
import type { Measures } from "./measures.js";
import type { TargetKind } from "./target.js";

export interface Judgement {
	readonly threshold: Threshold;
	/** `null`: it could not be measured. */
	readonly value: number | null;
	/** `null`: not judged. */
	readonly held: boolean | null;
}

export const OUTCOMES = ["held", "not held", "too busy to judge"] as const;

/** What a drill came to. `too busy to judge`: nothing failed but what a busy machine may have failed. */
export type Outcome = (typeof OUTCOMES)[number];

/** `noise`: why this machine was too busy to judge anything by the clock; `null`: it was not. */
export function judge(
	thresholds: readonly Threshold[],
	measures: Measures,
	kind: TargetKind,
	noise: string | null = null,
): Judgement[] {
	return thresholds.map((threshold) => {
		const value = measures[threshold.measure] ?? null;
		const judged = noise === null || !isByClock(threshold, measures);
		return { threshold, value, held: judged ? isHeld(threshold, value, kind) : null };
	});
}

function isByClock({ byClock }: Threshold, measures: Measures): boolean {
	return byClock === true || (byClock !== undefined && measures[byClock.unless] === 0);
}

function isHeld({ bound, optional }: Threshold, value: number | null, kind: TargetKind): boolean | null {
	// Of a gateway of our own everything can be measured: a number that is missing is a failure, not an excuse.
	if (value === null) return optional === true || kind !== "gateway" ? null : false;
	if ("atMost" in bound) return value <= bound.atMost;
	if ("atLeast" in bound) return value >= bound.atLeast;
	return value === bound.exactly;
}

/** What failed by more than the clock has failed, however busy the machine. Where nothing was judged, nothing held. */
export function outcomeOf(judgements: readonly Judgement[], noise: string | null = null): Outcome {
	if (judgements.some(({ held }) => held === false)) return "not held";
	if (noise !== null) return "too busy to judge";
	return judgements.some(({ held }) => held === true) ? "held" : "not held";
}

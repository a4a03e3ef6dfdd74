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

export function judge(thresholds: readonly Threshold[], measures: Measures, kind: TargetKind): Judgement[] {
	return thresholds.map((threshold) => {
		const value = measures[threshold.measure] ?? null;
		return { threshold, value, held: isHeld(threshold, value, kind) };
	});
}

function isHeld({ bound, optional }: Threshold, value: number | null, kind: TargetKind): boolean | null {
	// Of a gateway of our own everything can be measured: a number that is missing is a failure, not an excuse.
	if (value === null) return optional === true || kind !== "gateway" ? null : false;
	if ("atMost" in bound) return value <= bound.atMost;
	if ("atLeast" in bound) return value >= bound.atLeast;
	return value === bound.exactly;
}

/** Nothing failed, and something was judged. */
export function allHeld(judgements: readonly Judgement[]): boolean {
	return judgements.some(({ held }) => held === true) && judgements.every(({ held }) => held !== false);
}

/** What is claimed of the library, and whether rounds bear it out. */
import { type Estimate, estimate } from "../statistics.js";

/** What one round came to: a number per variant and metric. */
export type Round = Readonly<Record<string, Readonly<Record<string, number>>>>;

/** A line of the report: one metric of a variant, by itself or beside another variant in the same round. */
export interface Claim {
	readonly id: string;
	readonly title: string;
	/** Of the variants' own values. */
	readonly unit: string;
	readonly digits: number;
	readonly metric: string;
	readonly of: string;
	readonly how: "ratio" | "difference" | "value";
	/** For ratios and differences: which of the variants is subtracted or divided by. */
	readonly beside?: string;
	/** The bound. `null`: it is shown and not judged. */
	readonly atMost: number | null;
}

export type Standing = "held" | "not held" | "too noisy to judge" | "too few rounds to judge";

export interface Finding extends Claim {
	/** Medians of the variants' own values; `null`: none were measured. */
	readonly medianOf: number | null;
	readonly medianBeside: number | null;
	/** Of what is judged: one ratio, difference or value per round. */
	readonly judged: Estimate | null;
	readonly standing: Standing | null;
}

export function findingOf(claim: Claim, rounds: readonly Round[]): Finding {
	const { atMost, beside } = claim;
	const judged = estimate(rounds.flatMap((round) => judgedIn(claim, round)));
	return {
		...claim,
		medianOf: medianOf(claim, claim.of, rounds),
		medianBeside: beside === undefined ? null : medianOf(claim, beside, rounds),
		judged,
		standing: atMost === null ? null : standingOf(atMost, judged),
	};
}

/** Only a whole interval on one side of the bound says something. */
export function standingOf(atMost: number, judged: Estimate | null): Standing {
	const interval = judged?.interval ?? null;
	if (interval === null) return "too few rounds to judge";
	if (interval.high <= atMost) return "held";
	return interval.low > atMost ? "not held" : "too noisy to judge";
}

/** Nothing where a number is missing, or would be divided by zero. */
function judgedIn({ metric, of, how, beside }: Claim, round: Round): number[] {
	const value = round[of]?.[metric];
	if (value === undefined) return [];
	if (how === "value") return [value];
	const base = beside === undefined ? undefined : round[beside]?.[metric];
	if (base === undefined || (how === "ratio" && base <= 0)) return [];
	return [how === "ratio" ? value / base : value - base];
}

function medianOf({ metric }: Claim, variant: string, rounds: readonly Round[]): number | null {
	const values = rounds.flatMap((round) => round[variant]?.[metric] ?? []);
	return estimate(values)?.median ?? null;
}

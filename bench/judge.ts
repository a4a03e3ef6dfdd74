/** Whether numbers may be judged at all, and what they come to beside a target or beside an older version. */
import type { Target } from "./figure.js";
import type { Estimate, Interval } from "./statistics.js";

export type Verdict =
	| { readonly judged: false; readonly why: string }
	| {
			readonly judged: true;
			readonly met: boolean;
			/** How far the median is from the bound, on whichever side. */
			readonly by: number;
			/** The whole interval lies on the same side of the bound as the median. */
			readonly clear: boolean;
	  };

/**
 * The reference runs twice in each round. Where the interval of the one's ratio to the other does not lie within
 * 1 / 1.1 to 1.1, a difference of a tenth is none: nothing is judged by such rounds.
 */
export const SELF_RATIO_MAX = 1.1;

/**
 * By the median of the subject: of its ratios to the reference in the same rounds, or of its values. `self` are the
 * ratios of the reference's second instance to the first. Targets on a ratio need them; those on a value use them
 * where they are there.
 */
export function judgeTarget(target: Target, subject: Estimate | null, self: Estimate | null): Verdict {
	const unfit = unfitness(subject, self, target.kind === "ratio");
	if (unfit !== null) return { judged: false, why: unfit };
	const { median, interval } = subject as FitEstimate;
	if ("exactly" in target) {
		const near = (value: number): boolean =>
			Math.abs(value - target.exactly) <= (target.tolerance ?? Number.EPSILON);
		const met = near(median);
		const clear = near(interval.low) === met && near(interval.high) === met;
		return { judged: true, met, by: Math.abs(median - target.exactly), clear };
	}
	const bound = "atLeast" in target ? target.atLeast : target.atMost;
	const within = (value: number): boolean => ("atLeast" in target ? value >= bound : value <= bound);
	const met = within(median);
	const clear = within(interval.low) === met && within(interval.high) === met;
	return { judged: true, met, by: Math.abs(median - bound), clear };
}

/** Beside an older version: `worse` and `better` only when the whole interval says so. */
export type Change =
	| { readonly judged: false; readonly why: string }
	| { readonly judged: true; readonly change: "worse" | "same" | "better" };

/** `ratios`: new to old, in the same rounds. `moreIsBetter`: for rates. */
export function judgeChange(ratios: Estimate | null, self: Estimate | null, moreIsBetter: boolean): Change {
	const unfit = unfitness(ratios, self, false);
	if (unfit !== null) return { judged: false, why: unfit };
	const { low, high } = (ratios as FitEstimate).interval;
	const change = low > 1 ? "above" : high < 1 ? "below" : "same";
	if (change === "same") return { judged: true, change };
	return { judged: true, change: (change === "above") === moreIsBetter ? "better" : "worse" };
}

type FitEstimate = Estimate & { readonly interval: Interval };

/** Why nothing can be judged; `null`: it can, and the subject has an interval. */
function unfitness(subject: Estimate | null, self: Estimate | null, needsSelf: boolean): string | null {
	if (subject === null) return "no numbers";
	if (subject.interval === null) return tooFew(subject);
	if (self === null) return needsSelf ? "the reference was not measured beside itself" : null;
	if (self.interval === null) return tooFew(self);
	const { low, high } = self.interval;
	if (low >= 1 / SELF_RATIO_MAX && high <= SELF_RATIO_MAX) return null;
	return `the reference beside itself: ${self.median.toFixed(2)}× (${low.toFixed(2)}× … ${high.toFixed(2)}×)`;
}

function tooFew({ count }: Estimate): string {
	return `too few rounds for an interval of 95 %: ${count}`;
}

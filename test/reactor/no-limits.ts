/** The part of a plan that says who is turned away: nobody. */
import type { Plan } from "../../src/reactor/plan.js";

export const NO_LIMITS = {
	resetsWhenFull: false,
	shedsWhenFull: false,
	connectionsPerSource: Number.POSITIVE_INFINITY,
	acceptsPerSecondPerSource: Number.POSITIVE_INFINITY,
	acceptsPerSecond: Number.POSITIVE_INFINITY,
	descriptorCeiling: Number.POSITIVE_INFINITY,
} as const satisfies Partial<Plan>;

/** The part of a plan that says who is turned away: nobody. */
import type { ListenerPlan, Plan } from "../../src/reactor/plan.js";

export const NO_LIMITS = {
	resetsWhenFull: false,
	shedsWhenFull: false,
	connectionsPerSource: Number.POSITIVE_INFINITY,
	acceptsPerSecondPerSource: Number.POSITIVE_INFINITY,
	acceptsPerSecond: Number.POSITIVE_INFINITY,
	descriptorCeiling: Number.POSITIVE_INFINITY,
} as const satisfies Partial<Plan>;

/** The part of a listener's plan that says how requests are read: not at all. */
export const NO_REQUESTS = {
	readsRequests: false,
	http: {
		requestHeadMs: 10_000,
		responseHeadMs: 60_000,
		keepAliveMs: 75_000,
		requestsPerConnection: 1_000,
		bodyBytesPerSecond: 1_024,
		forwardedTrusted: [],
	},
} as const satisfies Partial<ListenerPlan>;

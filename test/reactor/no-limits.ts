/** The part of a plan that says who is turned away: nobody. */
import type { ListenerPlan, Plan } from "../../src/reactor/plan/plan.js";

export const NO_LIMITS = {
	resetsWhenFull: false,
	halfHellos: 8,
	shedsWhenFull: false,
	connectionsPerSource: Number.POSITIVE_INFINITY,
	acceptsPerSecondPerSource: Number.POSITIVE_INFINITY,
	acceptsPerSecond: Number.POSITIVE_INFINITY,
	descriptorCeiling: Number.POSITIVE_INFINITY,
	ticketKeys: [],
	clientSubjectField: null,
} as const satisfies Partial<Plan>;

/** The part of a listener's plan that says how requests are read: not at all. */
export const NO_REQUESTS = {
	readsRequests: false,
	logRequests: 0,
	http: {
		requestsPerConnection: 1_000,
		requestsPerSecond: Number.POSITIVE_INFINITY,
		requestsPerSecondPerSource: Number.POSITIVE_INFINITY,
		requestBodyBytes: Number.POSITIVE_INFINITY,
		via: null,
		forwardedTrusted: [],
		paths: "match",
	},
	tls: [],
} as const satisfies Partial<ListenerPlan>;

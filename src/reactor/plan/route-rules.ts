/**
 * What a route does with the requests that take it, prepared once for each plan. A request keeps the rules of the plan
 * that routed it: a reload that leads its route elsewhere must not give one upstream's fields to another.
 */
import type { RouteConditions } from "../../config/config.js";
import { FieldEdits, NO_EDITS } from "../../protocol/http/edits.js";
import { FixedAnswer } from "../../protocol/http/fixed-answer.js";
import type { Pieces } from "../../route/pieces.js";
import { BasicAuth } from "./basic-auth.js";
import type { ListenerPlan } from "./plan.js";

export class RouteRules {
	readonly request: FieldEdits;
	readonly response: FieldEdits;
	/** Who may come; `null`: everybody. What a request says of itself to be let in does not go on. */
	readonly auth: BasicAuth | null;
	/** Content that a request may have. */
	readonly bodyBytes: number;
	/** How fast it must come; 0: it may pause; `null`: as the session's policy has it. */
	readonly bodyBytesPerSecond: number | null;
	/** What requests are answered with here; `null`: an upstream answers, or they are rejected. */
	readonly answer: FixedAnswer | null;
	/** The name that goes into Via, in both directions; `null`: none does. */
	readonly via: Uint8Array | null;

	constructor(
		{ requests, answer, basicAuth = [] }: RouteConditions,
		{ requestBodyBytes, via }: ListenerPlan["http"],
	) {
		this.via = via;
		this.answer = answer === null ? null : new FixedAnswer(answer);
		this.auth = basicAuth.length === 0 ? null : new BasicAuth(basicAuth);
		const consumed = this.auth === null ? [] : CONSUMED;
		if (requests === null) {
			this.request = this.auth === null ? NO_EDITS : NO_AUTHORIZATION;
			this.response = NO_EDITS;
			this.bodyBytes = requestBodyBytes;
			this.bodyBytesPerSecond = null;
			return;
		}
		const { requestHeaders, responseHeaders, bodyBytes } = requests;
		this.request = new FieldEdits(requestHeaders.set, [...requestHeaders.remove, ...consumed]);
		this.response = new FieldEdits(responseHeaders.set, responseHeaders.remove);
		this.bodyBytes = bodyBytes ?? Number.POSITIVE_INFINITY;
		this.bodyBytesPerSecond = requests.bodyBytesPerSecond;
	}
}

const CONSUMED = ["Authorization"];
const NO_AUTHORIZATION = new FieldEdits({}, CONSUMED);

const RULES_PER_PIECE = 64;

/** Of all routes of a listener, in their order. */
export function* rulesOfRoutes({ routes, http }: ListenerPlan): Pieces<RouteRules[]> {
	const rules: RouteRules[] = [];
	for (const { conditions } of routes)
		if (rules.push(new RouteRules(conditions, http)) % RULES_PER_PIECE === 0) yield;
	return rules;
}

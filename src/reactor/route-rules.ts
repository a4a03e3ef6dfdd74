/** What a route does with the requests that take it, prepared once for each plan. */
import type { RouteRequests } from "../config/config.js";
import { FieldEdits } from "../protocol/http/edits.js";

export class RouteRules {
	readonly request: FieldEdits;
	readonly response: FieldEdits;

	/** Content that a request may have. */
	readonly bodyBytes: number;

	constructor({ requestHeaders, responseHeaders, bodyBytes }: RouteRequests) {
		this.request = new FieldEdits(requestHeaders.set, requestHeaders.remove);
		this.response = new FieldEdits(responseHeaders.set, responseHeaders.remove);
		this.bodyBytes = bodyBytes ?? Number.POSITIVE_INFINITY;
	}
}

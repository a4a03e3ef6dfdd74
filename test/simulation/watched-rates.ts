/** The rates of routes, as the reactor uses them, and beside them buckets of tokens, which must say the same. */
import { Rates, routeRequests } from "../../src/reactor/records/rates.js";
import { Bucket } from "./watched-sources.js";

export class WatchedRates extends Rates {
	readonly #buckets = new Map<number, Bucket>();
	/** Requests and sessions for which there was no token, in all. */
	requestsRefused = 0;
	sessionsRefused = 0;

	override take(place: number, perSecond: number, nowMs: number): number {
		const waitMs = super.take(place, perSecond, nowMs);
		if (perSecond === Number.POSITIVE_INFINITY) return waitMs;
		const bucket = this.#buckets.get(place) ?? new Bucket();
		this.#buckets.set(place, bucket);
		bucket.refill(perSecond, nowMs);
		if (waitMs === 0) bucket.take(1, `place ${place}`);
		else {
			bucket.lack(`place ${place}`);
			if (place >= routeRequests(0)) this.requestsRefused++;
			else this.sessionsRefused++;
		}
		return waitMs;
	}
}

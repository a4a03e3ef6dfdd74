/**
 * The table of sources, as the reactor uses it, and beside it what each address may have by the limits. A full
 * set, and a limit that changes, make the exact number of tokens unknown: then there are two bounds of it. An
 * address that was let in must have had a token by the upper bound; one that was turned away, none by the lower.
 */
import {
	NOT_COUNTED,
	type SourceLimits,
	Sources,
	TOO_FAST,
	TOO_MANY,
} from "../../src/reactor/records/sources.js";
import { sourceKey } from "./addresses.js";
import type { Mutant } from "./faults.js";
import { violated } from "./trace.js";

/** Sums of fractions differ by so little. */
const TOLERANCE = 1e-6;

/** Connections of one reactor in one set: beyond these an address may find no place. */
const WAYS = 8;

/** The bounds of a bucket that holds a second's worth, and never less than one token. */
export class Bucket {
	most = 0;
	least = 0;
	#perSecond = Number.NaN;
	#countedMs = 0;

	refill(perSecond: number, nowMs: number): void {
		const burst = Math.max(1, perSecond);
		if (perSecond !== this.#perSecond) {
			// Nothing is known of what came before.
			this.least = Number.isNaN(this.#perSecond) ? burst : 0;
			this.most = burst;
		} else {
			const more = ((nowMs - this.#countedMs) * perSecond) / 1_000;
			this.most = Math.min(burst, this.most + more);
			this.least = Math.min(burst, this.least + more);
		}
		this.#perSecond = perSecond;
		this.#countedMs = nowMs;
	}

	/** Takes so many tokens, which must have been there. */
	take(count: number, who: string): void {
		if (this.most < count - TOLERANCE) violated(`${who} is let in faster than its limit allows`);
		this.most -= count;
		this.least = Math.max(0, this.least - count);
	}

	/** None was taken, so there was none. */
	lack(who: string): void {
		if (this.least >= 1 + TOLERANCE) violated(`${who} is held up although it came slowly enough`);
	}
}

interface Tenant {
	readonly key: string;
	readonly bucket: Bucket;
	/** Of its requests. */
	readonly requests: Bucket;
	held: number;
}

export class WatchedSources extends Sources {
	/** Whoever enters sends datagrams, and has no connection: nothing is refused for him that could be counted. */
	isForDatagrams: () => boolean = () => false;
	/** By place. */
	readonly tenants: (Tenant | undefined)[];
	/** Addresses turned away in this turn, by why; and those that found no place. */
	tooMany = 0;
	tooFast = 0;
	notCounted = 0;
	/** Tokens of all clients together that were taken in this turn, and not given back. */
	tokens = 0;
	/** When the token that a listener waits for is due. */
	waitMs = 0;
	readonly #mutant: Mutant;
	readonly #byKey = new Map<string, number>();
	readonly #all = new Bucket();
	readonly #requests = new Bucket();
	/** Requests for which there was no token, in all. */
	requestsRefused = 0;
	/** Calls until the next one that a mutant spoils. */
	#spoilIn = 10;

	constructor(places: number, buffer: SharedArrayBuffer, mutant: Mutant) {
		super(places, buffer);
		this.tenants = new Array(places);
		this.#mutant = mutant;
	}

	override enter(
		family: number,
		bytes: Uint8Array,
		offset: number,
		limits: SourceLimits,
		nowMs: number,
	): number {
		const place = super.enter(family, bytes, offset, limits, nowMs);
		const key = sourceKey(family, bytes, offset);
		if (place === NOT_COUNTED) {
			this.notCounted++;
			if (this.#byKey.has(key)) violated(`${key} has a place, and is not counted there`);
			if (this.#held() < WAYS) violated(`${key} is not counted although there is room`);
			return place;
		}
		const tenant = place >= 0 ? this.#tenantOf(place, key) : this.tenants[this.#byKey.get(key) ?? -1];
		if (tenant === undefined) violated(`${key} is turned away the first time that it comes`);
		if (place === TOO_MANY) {
			if (!this.isForDatagrams()) this.tooMany++;
			if (tenant.held < limits.connections) violated(`${key} is turned away with ${tenant.held} connections`);
			return place;
		}
		if (tenant.held >= limits.connections)
			violated(`${key} has one connection more than ${limits.connections}`);
		if (limits.perSecond !== Number.POSITIVE_INFINITY) {
			tenant.bucket.refill(limits.perSecond, nowMs);
			if (place === TOO_FAST) tenant.bucket.lack(key);
			else tenant.bucket.take(1, key);
		}
		if (place !== TOO_FAST) tenant.held++;
		else if (!this.isForDatagrams()) this.tooFast++;
		return place;
	}

	#tenantOf(place: number, key: string): Tenant {
		const before = this.tenants[place];
		if (before?.key === key) return before;
		if (this.#byKey.has(key)) violated(`${key} has two places`);
		if (before !== undefined) {
			if (before.held > 0) violated(`${before.key} loses its place, and holds ${before.held} connections`);
			this.#byKey.delete(before.key);
		}
		const tenant = { key, bucket: new Bucket(), requests: new Bucket(), held: 0 };
		this.tenants[place] = tenant;
		this.#byKey.set(key, place);
		return tenant;
	}

	/** Addresses that hold connections. */
	#held(): number {
		let count = 0;
		for (const tenant of this.tenants) if (tenant !== undefined && tenant.held > 0) count++;
		return count;
	}

	override leave(place: number): void {
		if (this.#mutant === "kept_place" && --this.#spoilIn <= 0) return;
		super.leave(place);
		const tenant = this.tenants[place];
		if (tenant === undefined || tenant.held === 0) violated(`place ${place} is left by nobody`);
		tenant.held--;
	}

	override takeRequest(place: number, perSecond: number, nowMs: number): boolean {
		const isTaken = super.takeRequest(place, perSecond, nowMs);
		const tenant = this.tenants[place];
		if (tenant === undefined || tenant.held === 0) violated(`place ${place} has requests, and nobody`);
		tenant.requests.refill(perSecond, nowMs);
		if (isTaken) tenant.requests.take(1, `a request of ${tenant.key}`);
		else {
			tenant.requests.lack(`a request of ${tenant.key}`);
			this.requestsRefused++;
		}
		return isTaken;
	}

	override takeRequestToken(perSecond: number, nowMs: number): number {
		const waitMs = super.takeRequestToken(perSecond, nowMs);
		this.#requests.refill(perSecond, nowMs);
		if (waitMs === 0) this.#requests.take(1, "a request");
		else {
			this.#requests.lack("a request");
			this.requestsRefused++;
		}
		return waitMs;
	}

	override takeToken(perSecond: number, nowMs: number): number {
		const waitMs = super.takeToken(perSecond, nowMs);
		this.#all.refill(perSecond, nowMs);
		if (waitMs === 0) {
			this.#all.take(1, "everybody");
			this.tokens++;
		} else {
			this.#all.lack("everybody");
			const lacks = (tokens: number) => ((1 - tokens) * 1_000) / perSecond;
			if (waitMs < lacks(this.#all.most) - TOLERANCE || waitMs > lacks(this.#all.least) + TOLERANCE)
				violated(`a token is said to be due in ${waitMs} ms, and is not`);
		}
		this.waitMs = waitMs;
		return waitMs;
	}

	override giveToken(): void {
		super.giveToken();
		this.tokens--;
		this.#all.most++;
		this.#all.least++;
		if (this.#mutant !== "doubled_token" || --this.#spoilIn > 0) return;
		super.giveToken();
		this.#all.most++;
		this.#all.least++;
	}
}

/**
 * What each client address holds, and how fast it comes: one table for all reactors, because the kernel
 * spreads an address's connections over them. IPv6 addresses count by their /64, which is what one
 * customer gets (RFC 6177).
 *
 *     set = hash(address)          Eight places each: an address is looked for in one set only, so
 *     ┌──┬──┬──┬──┬──┬──┬──┬──┐    every step is O(1), and the table never grows.
 *     │  │ A│  │ B│  │  │ C│  │    A place without connections is only remembered for its rate, and
 *     └──┴──┴──┴──┴──┴──┴──┴──┘    is given to the next address that needs one.
 *
 * A set whose places all hold connections has no room for a further address. That one is let in without
 * being counted: turning it away would let strangers who happen to share its set shut it out, and the other
 * limits still bound it. It takes eight times the usual crowd in one set, which the seeded hash makes rare.
 */
import { f64, i32, u8 } from "../../parts/at.js";
import { lock, unlock } from "../../parts/lock.js";
import { paidUntil } from "../../parts/pace.js";
import { msUntil, refilled, usualBurst } from "../../parts/token-bucket.js";

const WAYS = 8;
/** Places per session: with a quarter of them in use, one set in some thousands is full. */
const PLACES_PER_SESSION = 4;
const PLACES_MIN = 1_024;

/** Results of `enter` below any place. */
export const NOT_COUNTED = -1;
export const TOO_MANY = -2;
export const TOO_FAST = -3;

/** Bytes before the columns: lock, seed, and the two buckets of all clients together. */
const HEADER_BYTES = 40;

export interface SourceLimits {
	/** Connections at a time, and per second, of one address. Infinity: any number. */
	readonly connections: number;
	readonly perSecond: number;
}

/** An address, or for IPv6 the first one of its /64, and the sessions that it has. */
export interface SourceCount {
	readonly family: number;
	readonly bytes: Uint8Array;
	readonly sessions: number;
}

/** Places that a table for so many sessions has: a power of two. */
export function sourcePlaces(sessions: number): number {
	return 2 ** Math.ceil(Math.log2(Math.max(PLACES_MIN, PLACES_PER_SESSION * sessions)));
}

export class Sources {
	readonly buffer: SharedArrayBuffer;
	readonly #setMask: number;
	/** One lock for the bucket of all clients, then the seed of the hash. */
	readonly #header: Int32Array;
	/** Tokens of all clients together, and when they were counted: for connections, and for requests. */
	readonly #bucket: Float64Array;
	readonly #requestBucket: Float64Array;
	/** One lock per set. */
	readonly #locks: Int32Array;
	// Columns of the places.
	readonly #tokens: Float64Array;
	readonly #countedMs: Float64Array;
	readonly #requestTokens: Float64Array;
	readonly #requestedMs: Float64Array;
	/** Until when the bytes of each are paid for. */
	readonly #paidMs: Float64Array;
	readonly #high: Int32Array;
	readonly #low: Int32Array;
	readonly #held: Int32Array;
	/** 4, 6, or 0: never used. */
	readonly #family: Uint8Array;

	/** Makes a table, or another thread's view of it. `places` is a power of two, and at least 8. */
	constructor(places: number, buffer?: SharedArrayBuffer) {
		const sets = places / WAYS;
		const tokensAt = HEADER_BYTES;
		const countedAt = tokensAt + 8 * places;
		const requestTokensAt = countedAt + 8 * places;
		const requestedAt = requestTokensAt + 8 * places;
		const paidAt = requestedAt + 8 * places;
		const highAt = paidAt + 8 * places;
		const lowAt = highAt + 4 * places;
		const heldAt = lowAt + 4 * places;
		const locksAt = heldAt + 4 * places;
		const familyAt = locksAt + 4 * sets;
		this.buffer = buffer ?? new SharedArrayBuffer(familyAt + places);
		this.#setMask = sets - 1;
		this.#header = new Int32Array(this.buffer, 0, 2);
		this.#bucket = new Float64Array(this.buffer, 8, 2);
		this.#requestBucket = new Float64Array(this.buffer, 24, 2);
		this.#tokens = new Float64Array(this.buffer, tokensAt, places);
		this.#countedMs = new Float64Array(this.buffer, countedAt, places);
		this.#requestTokens = new Float64Array(this.buffer, requestTokensAt, places);
		this.#requestedMs = new Float64Array(this.buffer, requestedAt, places);
		this.#paidMs = new Float64Array(this.buffer, paidAt, places);
		this.#high = new Int32Array(this.buffer, highAt, places);
		this.#low = new Int32Array(this.buffer, lowAt, places);
		this.#held = new Int32Array(this.buffer, heldAt, places);
		this.#locks = new Int32Array(this.buffer, locksAt, sets);
		this.#family = new Uint8Array(this.buffer, familyAt, places);
		// A secret in the hash: clients cannot choose addresses that share a set.
		if (buffer === undefined) this.#header[1] = (Math.random() * 2 ** 32) | 0;
	}

	/**
	 * One more connection of the address at `bytes[offset]`: returns its place, for `leave`; NOT_COUNTED where
	 * the set is full; TOO_MANY or TOO_FAST where a limit forbids it.
	 */
	enter(family: number, bytes: Uint8Array, offset: number, limits: SourceLimits, nowMs: number): number {
		const high = wordAt(bytes, offset);
		const low = family === 4 ? 0 : wordAt(bytes, offset + 4);
		const set = this.#setOf(family, high, low);
		lock(this.#locks, set);
		const place = this.#enter(set, family, high, low, limits, nowMs);
		unlock(this.#locks, set);
		return place;
	}

	#enter(
		set: number,
		family: number,
		high: number,
		low: number,
		limits: SourceLimits,
		nowMs: number,
	): number {
		let place = this.#find(set, family, high, low);
		if (place < 0) {
			place = this.#oldestEmpty(set);
			if (place < 0) return NOT_COUNTED;
			this.#family[place] = family;
			this.#high[place] = high;
			this.#low[place] = low;
			this.#tokens[place] = Number.POSITIVE_INFINITY; // a full bucket, whatever its size
			this.#countedMs[place] = nowMs;
			this.#requestTokens[place] = Number.POSITIVE_INFINITY;
			this.#requestedMs[place] = nowMs;
			this.#paidMs[place] = 0;
		}
		if (i32(this.#held, place) >= limits.connections) return TOO_MANY;
		if (limits.perSecond !== Number.POSITIVE_INFINITY) {
			const tokens = refilled(
				f64(this.#tokens, place),
				f64(this.#countedMs, place),
				limits.perSecond,
				usualBurst(limits.perSecond),
				nowMs,
			);
			this.#tokens[place] = tokens < 1 ? tokens : tokens - 1;
			this.#countedMs[place] = nowMs;
			if (tokens < 1) return TOO_FAST;
		}
		this.#held[place] = i32(this.#held, place) + 1;
		return place;
	}

	/** One connection less. */
	leave(place: number): void {
		const set = Math.floor(place / WAYS);
		lock(this.#locks, set);
		this.#held[place] = i32(this.#held, place) - 1;
		unlock(this.#locks, set);
	}

	/** Takes a token for one request of the address at a place that holds a connection. False: there is none. */
	takeRequest(place: number, perSecond: number, nowMs: number): boolean {
		const set = Math.floor(place / WAYS);
		lock(this.#locks, set);
		const before = f64(this.#requestTokens, place);
		const tokens = refilled(before, f64(this.#requestedMs, place), perSecond, usualBurst(perSecond), nowMs);
		this.#requestTokens[place] = tokens < 1 ? tokens : tokens - 1;
		this.#requestedMs[place] = nowMs;
		unlock(this.#locks, set);
		return tokens >= 1;
	}

	/** Takes `amount` bytes for the address at a place that holds a connection. Returns until when to wait for them. */
	takeBytes(place: number, amount: number, perSecond: number, burstMs: number, nowMs: number): number {
		const set = Math.floor(place / WAYS);
		lock(this.#locks, set);
		const paidMs = paidUntil(f64(this.#paidMs, place), amount, perSecond, burstMs, nowMs);
		this.#paidMs[place] = paidMs;
		unlock(this.#locks, set);
		return paidMs;
	}

	/** Until when the bytes of the address at a place are paid for. */
	paidMs(place: number): number {
		return f64(this.#paidMs, place);
	}

	/** Connections that the address at a place holds now, over all reactors. */
	heldAt(place: number): number {
		return place < 0 ? 1 : i32(this.#held, place);
	}

	/** Addresses that hold connections, and the most that one holds. */
	summary(): { addresses: number; most: number } {
		let addresses = 0;
		let most = 0;
		for (const held of this.#held) {
			if (held > 0) addresses++;
			if (held > most) most = held;
		}
		return { addresses, most };
	}

	/** Addresses that hold most connections, the one with most first; IPv6 by the /64. */
	top(count: number): SourceCount[] {
		const found: SourceCount[] = [];
		for (let place = 0; place < this.#held.length; place++) {
			const sessions = i32(this.#held, place);
			if (sessions <= 0) continue;
			// What has fewer than all that are kept is not made an object of.
			if (found.length === count && sessions <= (found.at(-1) as SourceCount).sessions) continue; // full, so there is one
			const family = u8(this.#family, place);
			const bytes = new Uint8Array(family === 4 ? 4 : 16);
			const words = new DataView(bytes.buffer);
			words.setInt32(0, i32(this.#high, place));
			if (family !== 4) words.setInt32(4, i32(this.#low, place));
			found.push({ family, bytes, sessions });
			found.sort((a, b) => b.sessions - a.sessions);
			if (found.length > count) found.pop();
		}
		return found;
	}

	/** Takes a token for one connection of anybody. Returns 0, or the milliseconds until there is one. */
	takeToken(perSecond: number, nowMs: number): number {
		return this.#takeFrom(this.#bucket, perSecond, nowMs);
	}

	/** The same for one request of anybody. */
	takeRequestToken(perSecond: number, nowMs: number): number {
		return this.#takeFrom(this.#requestBucket, perSecond, nowMs);
	}

	#takeFrom(bucket: Float64Array, perSecond: number, nowMs: number): number {
		lock(this.#header, 0);
		const counted = f64(bucket, 1);
		const before = counted === 0 ? perSecond : f64(bucket, 0);
		const tokens = refilled(before, counted, perSecond, usualBurst(perSecond), nowMs);
		bucket[0] = tokens < 1 ? tokens : tokens - 1;
		bucket[1] = nowMs;
		unlock(this.#header, 0);
		return msUntil(1, tokens, perSecond);
	}

	/** Gives back a token that was taken for a connection that was not there. */
	giveToken(): void {
		lock(this.#header, 0);
		this.#bucket[0] = f64(this.#bucket, 0) + 1;
		unlock(this.#header, 0);
	}

	#setOf(family: number, high: number, low: number): number {
		let hash = i32(this.#header, 1) ^ family;
		for (const word of [high, low]) {
			// Two rounds of murmur3's mixing.
			hash = Math.imul(hash ^ word, 0x85ebca6b);
			hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
			hash ^= hash >>> 16;
		}
		return hash & this.#setMask;
	}

	#find(set: number, family: number, high: number, low: number): number {
		const first = set * WAYS;
		for (let place = first; place < first + WAYS; place++)
			if (
				i32(this.#high, place) === high &&
				i32(this.#low, place) === low &&
				u8(this.#family, place) === family
			)
				return place;
		return -1;
	}

	/** The place that has been without connections, or unused, for longest; -1 when all hold some. */
	#oldestEmpty(set: number): number {
		const first = set * WAYS;
		let best = -1;
		for (let place = first; place < first + WAYS; place++) {
			if (i32(this.#held, place) > 0) continue;
			if (u8(this.#family, place) === 0) return place;
			if (best < 0 || this.#seenMs(place) < this.#seenMs(best)) best = place;
		}
		return best;
	}

	#seenMs(place: number): number {
		return Math.max(f64(this.#countedMs, place), f64(this.#requestedMs, place));
	}
}

function wordAt(bytes: Uint8Array, offset: number): number {
	return (
		(u8(bytes, offset) << 24) |
		(u8(bytes, offset + 1) << 16) |
		(u8(bytes, offset + 2) << 8) |
		u8(bytes, offset + 3)
	);
}

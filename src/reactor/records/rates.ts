/**
 * How fast listeners and routes may be used, counted over all reactors: connections and requests, each of which is there or not,
 * and bytes, which whoever asks for them gets, but may have to wait for. One number for each (`parts/pace.ts`), in shared memory.
 */
import { f64 } from "../../parts/at.js";
import { lock, unlock } from "../../parts/lock.js";
import { paidUntil } from "../../parts/pace.js";
import { LISTENER_SLOTS, ROUTE_SLOTS } from "./counters.js";

// Places of the numbers.
/** Bytes of all listeners together. */
export const ALL_BYTES = 0;
const LISTENER_ACCEPTS = 1;
const LISTENER_REQUESTS = LISTENER_ACCEPTS + LISTENER_SLOTS;
const LISTENER_BYTES = LISTENER_REQUESTS + LISTENER_SLOTS;
const ROUTE_SESSIONS = LISTENER_BYTES + LISTENER_SLOTS;
const ROUTE_REQUESTS = ROUTE_SESSIONS + ROUTE_SLOTS;
const ROUTE_BYTES = ROUTE_REQUESTS + ROUTE_SLOTS;
const PLACES = ROUTE_BYTES + ROUTE_SLOTS;

export function listenerAccepts(slot: number): number {
	return LISTENER_ACCEPTS + slot;
}

export function listenerRequests(slot: number): number {
	return LISTENER_REQUESTS + slot;
}

export function listenerBytes(slot: number): number {
	return LISTENER_BYTES + slot;
}

export function routeSessions(slot: number): number {
	return ROUTE_SESSIONS + slot;
}

export function routeRequests(slot: number): number {
	return ROUTE_REQUESTS + slot;
}

export function routeBytes(slot: number): number {
	return ROUTE_BYTES + slot;
}

/** Of what comes one by one, as many as a second's worth may come at once after a quiet second. */
const BURST_MS = 1_000;

export class Rates {
	readonly buffer: SharedArrayBuffer;
	/** Until when what was taken is paid for. */
	readonly #paidMs: Float64Array;
	readonly #locks: Int32Array;

	/** With a buffer: another thread's view of the same. */
	constructor(buffer: SharedArrayBuffer = new SharedArrayBuffer(12 * PLACES)) {
		this.buffer = buffer;
		this.#paidMs = new Float64Array(buffer, 0, PLACES);
		this.#locks = new Int32Array(buffer, 8 * PLACES, PLACES);
	}

	/** Takes one, if there is one. Returns 0, or the milliseconds until there is. Infinity: any number. */
	take(place: number, perSecond: number, nowMs: number): number {
		if (perSecond === Number.POSITIVE_INFINITY) return 0;
		lock(this.#locks, place);
		const paidMs = paidUntil(f64(this.#paidMs, place), 1, perSecond, BURST_MS, nowMs);
		if (paidMs <= nowMs) this.#paidMs[place] = paidMs;
		unlock(this.#locks, place);
		return Math.max(0, paidMs - nowMs);
	}

	/** Gives back one that was taken for what was not there. */
	give(place: number, perSecond: number): void {
		if (perSecond === Number.POSITIVE_INFINITY) return;
		lock(this.#locks, place);
		this.#paidMs[place] = f64(this.#paidMs, place) - 1_000 / perSecond;
		unlock(this.#locks, place);
	}

	/** Takes `amount` bytes. Returns until when to wait for them. */
	takeBytes(place: number, amount: number, perSecond: number, burstMs: number, nowMs: number): number {
		lock(this.#locks, place);
		const paidMs = paidUntil(f64(this.#paidMs, place), amount, perSecond, burstMs, nowMs);
		this.#paidMs[place] = paidMs;
		unlock(this.#locks, place);
		return paidMs;
	}

	/** Until when what was taken is paid for. */
	paidMs(place: number): number {
		return f64(this.#paidMs, place);
	}
}

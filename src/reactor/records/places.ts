/**
 * Places of sessions, counted over all reactors in shared memory: a reactor takes one before it accepts, because the others
 * are doing the same; and when a listener was paused because none was left, one that comes free wakes it.
 */
import { assert } from "../../parts/assert.js";
import type { RoutePlaces } from "../plan/plan.js";
import { LISTENER_SLOTS, ROUTE_SLOTS } from "./counters.js";

// Cells of the shared counts.
export const LIVE_SESSIONS = 0;
/** 1: the process is ending without having stopped its reactors. */
export const LIVE_ENDING = 1;
/** Sessions of a listener: this plus its slot. */
export const LIVE_LISTENERS = 2;
/** Sessions of a route that has a limit: this plus its slot. */
export const LIVE_ROUTES = LIVE_LISTENERS + LISTENER_SLOTS;
export const LIVE_BYTES = 4 * (LIVE_ROUTES + ROUTE_SLOTS);

export class Places {
	readonly live: Int32Array;
	/** When paused listeners are tried again; Infinity while none is paused. */
	resumeAtMs = Number.POSITIVE_INFINITY;
	/** One of them waits for a session to end. */
	isWaitedFor = false;

	constructor(buffer: SharedArrayBuffer) {
		this.live = new Int32Array(buffer);
	}

	/** Takes a place at a listener. Returns how many it had before. */
	takeOf(listener: number): number {
		return Atomics.add(this.live, LIVE_LISTENERS + listener, 1);
	}

	/** Takes a place among all sessions. Returns how many there were before. */
	take(): number {
		return Atomics.add(this.live, LIVE_SESSIONS, 1);
	}

	/** Gives both back. */
	leave(listener: number): void {
		const before = Atomics.sub(this.live, LIVE_LISTENERS + listener, 1);
		assert(
			before > 0 && Atomics.sub(this.live, LIVE_SESSIONS, 1) > 0,
			"a place that is given back was taken",
		);
	}

	/** Sessions that a listener has, over all reactors. */
	of(listener: number): number {
		return Atomics.load(this.live, LIVE_LISTENERS + listener);
	}

	/** Takes a place at a route that has a limit. False: there is none. */
	takeOfRoute({ route, most }: RoutePlaces): boolean {
		if (Atomics.add(this.live, LIVE_ROUTES + route, 1) < most) return true;
		this.leaveRoute(route);
		return false;
	}

	/** Gives it back. */
	leaveRoute(route: number): void {
		const before = Atomics.sub(this.live, LIVE_ROUTES + route, 1);
		assert(before > 0, "a place at a route that is given back was taken");
	}

	/** Sessions that a route with a limit has, over all reactors. */
	ofRoute(route: number): number {
		return Atomics.load(this.live, LIVE_ROUTES + route);
	}

	get isEnding(): boolean {
		return Atomics.load(this.live, LIVE_ENDING) === 1;
	}

	/** Paused listeners are tried again no later than this. */
	resumeBy(ms: number): void {
		this.resumeAtMs = Math.min(this.resumeAtMs, ms);
	}
}

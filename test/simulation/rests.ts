/** Listeners that rest: each goes on when it may, and none is woken for nothing. */
import { EPOLLIN } from "../../src/kernel/constants.js";
import type { SimulatedListener } from "./descriptors.js";
import { violated } from "./trace.js";
import type { World } from "./world.js";

/** The longest rest for want of descriptors or memory, and while all places are in use. */
const PAUSE_MS = 100;
const FULL_PAUSE_MS = 20;

export class Rests {
	readonly #world: World;
	/** When the reactor may wake one next, for whatever reason: also for one that has been removed since. */
	#dueMs = Number.POSITIVE_INFINITY;
	/** When it must, after the last turn. */
	#wantedMs = Number.POSITIVE_INFINITY;
	/** One of them, or one that was removed, waits for a session to end. */
	#waits = false;
	/** Rests so far, by their reason, as the reactor counts them. */
	#full = 0;
	#rate = 0;
	#descriptors = 0;

	constructor(world: World) {
		this.#world = world;
	}

	/** A listener begins to rest, or to be watched again. */
	watched(listener: SimulatedListener, failed: boolean): void {
		const { core } = this.#world.reactor;
		this.#noteOperator();
		if (listener.rests) {
			// It was given up, and who waited there found no place: all others are tried again then.
			const { full, rate, descriptors } = this.#pauses();
			if (full > this.#full || rate > this.#rate || descriptors > this.#descriptors) {
				this.#rest(listener);
				listener.mustResumeMs = Number.POSITIVE_INFINITY;
			}
			return;
		}
		if (!failed && (listener.interest & EPOLLIN) === 0) {
			this.#rest(listener);
			return;
		}
		const rested = listener.mustResumeMs !== Number.POSITIVE_INFINITY;
		if (rested && core.nowMs < this.#dueMs)
			violated(`listener ${listener.fd} is woken ${this.#dueMs - core.nowMs} ms before anything is due`);
		listener.mustResumeMs = Number.POSITIVE_INFINITY;
		listener.waitsForPlace = false;
		if (failed) this.#restFor(listener, PAUSE_MS);
	}

	/** An operator has a listener go on: all that rest are tried in this turn. */
	lifted(slot: number): void {
		const { core } = this.#world.reactor;
		if (core.listeners.get(slot)?.rests === true) this.#dueMs = Math.min(this.#dueMs, core.nowMs);
	}

	/** Whom an operator has rest, or go on: then all that rest are tried at once. */
	#noteOperator(): void {
		const { core } = this.#world.reactor;
		for (const { plan, rests } of core.listeners.values()) {
			const listener = this.#world.operator.listeners.get(plan.fd);
			if (listener === undefined || listener.rests === rests) continue;
			listener.rests = rests;
			listener.mustResumeMs = rests ? Number.POSITIVE_INFINITY : core.nowMs;
			listener.waitsForPlace = false;
			if (!rests) this.#dueMs = Math.min(this.#dueMs, core.nowMs);
		}
	}

	#rest(listener: SimulatedListener): void {
		const { sources } = this.#world;
		const { full, rate, descriptors } = this.#pauses();
		listener.waitsForPlace = full > this.#full;
		this.#waits ||= listener.waitsForPlace;
		if (listener.waitsForPlace) this.#restFor(listener, FULL_PAUSE_MS);
		else this.#restFor(listener, rate > this.#rate ? sources.waitMs : PAUSE_MS);
		this.#full = full;
		this.#rate = rate;
		this.#descriptors = descriptors;
	}

	#pauses(): { full: number; rate: number; descriptors: number } {
		const { counters } = this.#world;
		return {
			full: counters.get("acceptPausesFull"),
			rate: counters.get("acceptPausesRate"),
			descriptors: counters.get("acceptPausesDescriptors"),
		};
	}

	#restFor(listener: SimulatedListener, forMs: number): void {
		listener.mustResumeMs = this.#world.reactor.core.nowMs + forMs;
		this.#dueMs = Math.min(this.#dueMs, listener.mustResumeMs);
	}

	/** A place is free: whoever waits for one goes on in this turn. */
	sessionEnded(): void {
		if (!this.#waits) return;
		const { nowMs } = this.#world.reactor.core;
		this.#dueMs = Math.min(this.#dueMs, nowMs);
		for (const listener of this.#world.operator.listeners.values())
			if (listener.waitsForPlace) listener.mustResumeMs = Math.min(listener.mustResumeMs, nowMs);
	}

	/** After a turn: nobody rests longer than it must. */
	check(): void {
		const { core } = this.#world.reactor;
		let dueMs = Number.POSITIVE_INFINITY;
		let waits = false;
		this.#noteOperator();
		for (const { plan, paused } of core.listeners.values()) {
			if (plan.fd < 0) continue; // an agent's, which has no socket
			if (plan.datagrams !== undefined) continue; // nobody waits there: it is always read
			const listener = this.#world.operator.listeners.get(plan.fd);
			if (listener === undefined) violated(`listener ${plan.fd} is used after it was given up`);
			const { mustResumeMs } = listener;
			waits ||= listener.waitsForPlace;
			if (paused !== (listener.rests || mustResumeMs !== Number.POSITIVE_INFINITY))
				violated(
					`listener ${plan.fd} is said to ${paused ? "rest, and does not" : "be watched, and is not"}`,
				);
			if (core.nowMs >= mustResumeMs) violated(`listener ${plan.fd} sleeps although it could accept`);
			if (mustResumeMs < dueMs) dueMs = mustResumeMs;
		}
		this.#wantedMs = dueMs;
		// The time of one that was removed while it rested stays until it has passed.
		if (core.nowMs < this.#dueMs) return;
		this.#dueMs = dueMs;
		this.#waits = waits;
	}

	/** The loop must not sleep past the time. */
	checkPatience(timeoutMs: number): void {
		if (this.#wantedMs === Number.POSITIVE_INFINITY) return;
		const leftMs = Math.max(0, Math.ceil(this.#wantedMs - this.#world.reactor.core.nowMs));
		if (timeoutMs < 0 || timeoutMs > leftMs)
			violated(`the loop would sleep ${timeoutMs} ms, and a listener is to be woken in ${leftMs}`);
	}
}

/**
 * epoll as Linux has it. A change puts a descriptor on a list; waiting goes through the list, reports the
 * state as it is then, and takes what is edge-triggered off it. Beyond that, news may be late, out of order,
 * in small portions or without cause. It is never lost.
 */
import { ENOMEM, EPOLLERR, EPOLLET, EPOLLHUP, EPOLLOUT } from "../../src/kernel/constants.js";
import type { Readiness } from "../../src/kernel/kernel.js";
import { i32 } from "../../src/parts/at.js";
import type { Random } from "../../src/rig/random.js";
import type { Watched } from "./descriptors.js";
import type { Faults, Mutant } from "./faults.js";
import { operation, type Trace, violated } from "./trace.js";

/** The reactor begins with its wake-up; without it nothing could be tested. */
const WAKE_SLOT = -1;
const ENOENT = 2;
const EEXIST = 17;

/** As many as the real one reports at once. */
const EVENTS_MAX = 512;

/** What the readiness asks of whoever runs the simulation. */
export interface Surroundings {
	/** Called before each wait: other ends act, and time passes. */
	before(): void;
	/** Nothing has news: time passes, at most `timeoutMs` and some more (-1: for ever). */
	sleep(timeoutMs: number): void;
	/** The generation of whoever has the row now: for a mutant. */
	generationNow(slot: number): number;
	/** A descriptor that may have news without cause. */
	anyone(): Watched | undefined;
	/** The interest in a descriptor has changed; `failed`: for want of memory it is not watched at all. */
	watched(descriptor: Watched, failed: boolean): void;
	/** A descriptor that stays open is not watched any more. */
	unwatched(descriptor: Watched): void;
}

export class SimulatedReadiness implements Readiness {
	faults: Faults;
	mutant: Mutant = "none";
	surroundings: Surroundings | undefined;
	readonly #random: Random;
	readonly #trace: Trace;
	readonly #watched: (fd: number, call: string) => Watched;
	#list: Watched[] = [];
	#kept: Watched[] = [];
	readonly #flags = new Int32Array(EVENTS_MAX);
	readonly #slots = new Int32Array(EVENTS_MAX);
	readonly #generations = new Int32Array(EVENTS_MAX);
	readonly #registrations = new Int32Array(EVENTS_MAX);
	readonly #sources: (Watched | undefined)[] = new Array(EVENTS_MAX);
	#registrationCount = 0;
	#count = 0;
	#mayHaveMore = false;
	/** Edges until the next one that a mutant swallows. */
	#swallowIn = 40;

	constructor(random: Random, faults: Faults, trace: Trace, watched: (fd: number, call: string) => Watched) {
		this.#random = random;
		this.faults = faults;
		this.#trace = trace;
		this.#watched = watched;
	}

	add(fd: number, interest: number, slot: number, generation: number): number {
		const watched = this.#watched(fd, "watch");
		if (watched.registered) return -EEXIST;
		if (slot !== WAKE_SLOT && this.#random.chance(this.faults.unwatchable)) {
			this.#trace.note(WATCH, fd, interest & 0xffff, -ENOMEM);
			this.surroundings?.watched(watched, true);
			return -ENOMEM;
		}
		watched.registered = true;
		watched.registration = ++this.#registrationCount;
		this.#set(watched, interest, slot, generation);
		this.#trace.note(WATCH, fd, interest & 0xffff, slot);
		return 0;
	}

	modify(fd: number, interest: number, slot: number, generation: number): number {
		const watched = this.#watched(fd, "modify");
		if (!watched.registered) return -ENOENT;
		this.#set(watched, interest, slot, generation);
		this.#trace.note(MODIFY, fd, interest & 0xffff, slot);
		return 0;
	}

	#set(watched: Watched, interest: number, slot: number, generation: number): void {
		watched.interest = interest | EPOLLERR | EPOLLHUP;
		watched.slot = slot;
		watched.generation = generation;
		if ((watched.poll() & watched.interest) !== 0) this.#enlist(watched);
		this.surroundings?.watched(watched, false);
	}

	remove(fd: number): number {
		const watched = this.#watched(fd, "unwatch");
		if (!watched.registered) return -ENOENT;
		this.forget(watched);
		this.#trace.note(UNWATCH, fd, 0, 0);
		this.surroundings?.unwatched(watched);
		return 0;
	}

	/** A descriptor was closed or unwatched. */
	forget(watched: Watched): void {
		watched.registered = false;
		watched.registration = 0;
	}

	/** Something changed. `key`: the bits that the change is about, 0 = any. */
	changed(watched: Watched, key: number): void {
		if (!watched.registered) return;
		if (key !== 0 && (key & watched.interest) === 0) return;
		if (this.#swallows(key)) return;
		this.#enlist(watched);
	}

	#swallows(key: number): boolean {
		if (this.mutant !== "lost_out_edge" && this.mutant !== "lost_in_edge") return false;
		if ((key === EPOLLOUT) !== (this.mutant === "lost_out_edge") || key === 0) return false;
		if (--this.#swallowIn > 0) return false;
		this.#swallowIn = 5;
		return true;
	}

	#enlist(watched: Watched): void {
		if (watched.listed) return;
		watched.listed = true;
		this.#list.push(watched);
	}

	/** True when something has news that no wait has reported yet. */
	get hasNews(): boolean {
		return this.#list.some((watched) => watched.registered && (watched.mask() & watched.interest) !== 0);
	}

	wait(timeoutMs: number): number {
		this.surroundings?.before();
		this.#collect();
		if (this.#count === 0 && timeoutMs !== 0) {
			this.surroundings?.sleep(timeoutMs);
			this.#collect();
		}
		this.#trace.note(WAIT, -1, timeoutMs, this.#count);
		return this.#count;
	}

	#collect(): void {
		const random = this.#random;
		const { late, spurious, fewEvents } = this.faults;
		this.#count = 0;
		this.#mayHaveMore = false;
		const list = this.#list;
		const kept = this.#kept;
		// Out of order: a random one changes places with each.
		for (let i = list.length - 1; i > 0; i--) {
			const other = random.below(i + 1);
			const watched = list[i] as Watched;
			list[i] = list[other] as Watched;
			list[other] = watched;
		}
		// How much a batch holds this time.
		const most = random.chance(fewEvents) ? random.between(1, 3) : EVENTS_MAX;
		for (const watched of list) {
			const mask = watched.poll() & watched.interest;
			if (!watched.registered || mask === 0) {
				watched.listed = false;
				continue;
			}
			if (this.#count >= most) {
				// It has come before this wait returns, so it is no answer to what is asked from now on.
				watched.noteReport();
				watched.passedOver = true;
				this.#mayHaveMore = true;
				kept.push(watched);
				continue;
			}
			// Whoever found no place in the last batch is in the next one.
			if (!watched.passedOver && random.chance(late)) {
				kept.push(watched);
				continue;
			}
			this.#report(watched, mask);
			if ((watched.interest & EPOLLET) === 0) kept.push(watched);
			else watched.listed = false;
		}
		list.length = 0;
		this.#list = kept;
		this.#kept = list;
		if (!random.chance(spurious) || this.#count === EVENTS_MAX) return;
		const watched = this.surroundings?.anyone();
		if (watched === undefined || !watched.registered) return;
		const mask = watched.mask() & watched.interest;
		if (mask !== 0) this.#report(watched, mask);
	}

	#report(watched: Watched, flags: number): void {
		const event = this.#count++;
		this.#flags[event] = flags;
		this.#slots[event] = watched.slot;
		this.#generations[event] = watched.generation - (this.mutant === "old_generation" ? 1 : 0);
		this.#registrations[event] = watched.registration;
		this.#sources[event] = watched;
		watched.noteReport();
		watched.passedOver = false;
		this.#trace.note(EVENT, watched.fd, flags, watched.slot);
	}

	get mayHaveMore(): boolean {
		return this.#mayHaveMore && this.mutant !== "blind_batch";
	}

	/** The reactor asks for this only when it acts on the event, so the event must still be about what it was. */
	flagsOf(event: number): number {
		const watched = this.#sources[event];
		if (watched === undefined || watched.registration !== i32(this.#registrations, event))
			violated(`an event for slot ${i32(this.#slots, event)} is acted on, but its descriptor was closed`);
		return i32(this.#flags, event);
	}

	slotOf(event: number): number {
		return i32(this.#slots, event);
	}

	generationOf(event: number): number {
		if (this.mutant === "blind_generation")
			return this.surroundings?.generationNow(this.slotOf(event)) ?? i32(this.#generations, event);
		return i32(this.#generations, event);
	}
}

const WAIT = operation("wait");
const EVENT = operation("event");
const WATCH = operation("watch");
const MODIFY = operation("watch anew");
const UNWATCH = operation("unwatch");

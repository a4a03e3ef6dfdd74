/** The resources that nobody has. */
import type { Member } from "./member.js";
import type { DestroyReason, Resolved } from "./options.js";

/** What a shelf needs of its pool. */
export interface ShelfKeeper<T> {
	/** It is on the shelf no more. */
	destroy(member: Member<T>, reason: DestroyReason): void;
	/** Some have been destroyed because their time had come. */
	swept(): void;
}

/** Keeps what is idle until it is lent or its time has come. One timer for all, which keeps no process alive. */
export class Shelf<T> {
	/** The one that was used last is at the end, and lent first: what is not needed grows old at the front, and goes. */
	readonly #members: Member<T>[] = [];
	readonly #limits: Resolved;
	readonly #keeper: ShelfKeeper<T>;
	#timer: NodeJS.Timeout | undefined;
	#timerAtMs = Number.POSITIVE_INFINITY;

	constructor(limits: Resolved, keeper: ShelfKeeper<T>) {
		this.#limits = limits;
		this.#keeper = keeper;
	}

	get size(): number {
		return this.#members.length;
	}

	/** One more, unless there are enough: then it is destroyed. */
	put(member: Member<T>): void {
		if (this.#members.length >= this.#limits.maxIdle) {
			this.#keeper.destroy(member, "surplus");
			return;
		}
		member.place = "idle";
		member.idleSinceMs = performance.now();
		this.#members.push(member);
		this.#arm(this.#dueMs(member));
	}

	/** The one that was used last, if it is not too old. */
	take(): Member<T> | undefined {
		let found: Member<T> | undefined;
		const nowMs = performance.now();
		while (found === undefined) {
			const member = this.#members.pop();
			if (member === undefined) break;
			const reason = this.#overdue(member, nowMs);
			if (reason === undefined) found = member;
			else this.#keeper.destroy(member, reason);
		}
		this.#disarm();
		return found;
	}

	/** One of them has ended by itself. */
	remove(member: Member<T>): void {
		this.#members.splice(this.#members.indexOf(member), 1);
		this.#disarm();
		this.#keeper.destroy(member, "died");
	}

	/** All of them go: the pool closes. */
	clear(): void {
		for (const member of this.#members.splice(0)) this.#keeper.destroy(member, "closed");
		this.#disarm();
	}

	#overdue(member: Member<T>, nowMs: number): DestroyReason | undefined {
		if (member.ended) return "died";
		if (member.oldAtMs <= nowMs) return "age";
		return member.idleSinceMs + this.#limits.idleMs <= nowMs ? "idle" : undefined;
	}

	#dueMs(member: Member<T>): number {
		return Math.min(member.oldAtMs, member.idleSinceMs + this.#limits.idleMs);
	}

	/** It may be early: what it was set for is lent by then. */
	#arm(dueMs: number): void {
		if (dueMs >= this.#timerAtMs) return;
		clearTimeout(this.#timer);
		this.#timerAtMs = dueMs;
		const inMs = Math.max(1, Math.ceil(dueMs - performance.now()));
		this.#timer = setTimeout(() => this.#sweep(), inMs).unref();
	}

	/** None while nothing is idle. */
	#disarm(): void {
		if (this.#members.length > 0) return;
		clearTimeout(this.#timer);
		this.#timer = undefined;
		this.#timerAtMs = Number.POSITIVE_INFINITY;
	}

	#sweep(): void {
		this.#timerAtMs = Number.POSITIVE_INFINITY;
		const nowMs = performance.now();
		for (const member of this.#members.splice(0)) {
			const reason = this.#overdue(member, nowMs);
			if (reason === undefined) this.#members.push(member);
			else this.#keeper.destroy(member, reason);
		}
		if (this.#members.length > 0) this.#arm(Math.min(...this.#members.map((member) => this.#dueMs(member))));
		this.#keeper.swept();
	}
}

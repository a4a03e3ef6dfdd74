/** Those who wait for a resource. */
import { onAbort } from "../../parts/on-abort.js";
import type { Lease } from "./lease.js";

/** One acquire() call. */
export interface Waiter<T> {
	/** Where it was made; `undefined` without `trace`. */
	readonly askedAt: string | undefined;
	resolve(lease: Lease<T>): void;
	reject(error: unknown): void;
	/** Ends its timer and stops listening to its signal. */
	leave(): void;
}

/** Served in the order in which they came. */
export class Line<T> {
	readonly #waiters = new Set<Waiter<T>>();
	/** Of these, those for whom no creation and no check was begun. */
	readonly #unsupplied = new Set<Waiter<T>>();
	readonly #gaveUp: () => void;

	/** `gaveUp`: called when a wait has ended without a lease. */
	constructor(gaveUp: () => void) {
		this.#gaveUp = gaveUp;
	}

	get size(): number {
		return this.#waiters.size;
	}

	has(waiter: Waiter<T>): boolean {
		return this.#waiters.has(waiter);
	}

	/** One more. `late` makes the error with which it ends after `deadlineMs`. */
	wait(
		askedAt: string | undefined,
		signal: AbortSignal | undefined,
		deadlineMs: number,
		late: () => Error,
	): Promise<Lease<T>> {
		return new Promise((resolve, reject) => {
			const leave = (): void => {
				clearTimeout(timer);
				deaf();
			};
			const waiter: Waiter<T> = { askedAt, resolve, reject, leave };
			const timer = setTimeout(() => this.giveUp(waiter, late()), deadlineMs).unref();
			const deaf = onAbort(signal, () => this.giveUp(waiter, signal?.reason));
			this.#waiters.add(waiter);
			this.#unsupplied.add(waiter);
		});
	}

	/** The next one for whom nothing was begun. */
	get unsupplied(): Waiter<T> | undefined {
		const [waiter] = this.#unsupplied;
		return waiter;
	}

	/** A creation or a check has begun for it. */
	supply(waiter: Waiter<T>): void {
		this.#unsupplied.delete(waiter);
	}

	/** What was begun for it is over. */
	unsupply(waiter: Waiter<T>): void {
		if (this.#waiters.has(waiter)) this.#unsupplied.add(waiter);
	}

	/** Takes out the one who has waited longest, to be served. */
	next(): Waiter<T> | undefined {
		const [waiter] = this.#waiters;
		if (waiter !== undefined) this.#forget(waiter);
		return waiter;
	}

	/** Ends a wait without a lease, if it is not over. What was begun for it goes on, for the next one. */
	giveUp(waiter: Waiter<T>, error: unknown): void {
		if (this.#waiters.has(waiter)) {
			this.#forget(waiter);
			waiter.reject(error);
		}
		this.#gaveUp();
	}

	#forget(waiter: Waiter<T>): void {
		this.#waiters.delete(waiter);
		this.#unsupplied.delete(waiter);
		waiter.leave();
	}
}

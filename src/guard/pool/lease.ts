/** The right to use a resource until it is given back, once. */

import { stackHere } from "../stack.js";
import { LeaseReturned } from "./errors.js";

/** Who has a lease, or had. */
export interface Holder {
	/** Its number among the pool's leases, from 1. */
	readonly lease: number;
	/** How long it has lasted, in milliseconds. */
	readonly heldMs: number;
	/** Where it was asked for; `undefined` without `trace`. */
	readonly stack: string | undefined;
}

/** What a lease needs of its pool. It holds no lease, so that one that is forgotten can be collected. */
export interface Lender<T> {
	readonly resource: T;
	readonly trace: boolean;
	/** Called once. `discard` says that the resource is not to be used again. */
	giveBack(lease: Lease<T>, discard: boolean, error: unknown): void;
}

/**
 * A resource that is lent. It goes back at the end of the block:
 *
 *     await using lease = await pool.acquire();
 *     await lease.value.query("select 1");
 *
 * Keep the lease as long as the resource is used: when the lease is garbage collected, the resource is destroyed.
 */
export class Lease<T> implements AsyncDisposable, Disposable {
	readonly #lender: Lender<T>;
	#returned = false;
	#returnedAt: string | undefined;

	/** @internal */
	constructor(lender: Lender<T>) {
		this.#lender = lender;
	}

	/** The resource. Throws LeaseReturned once it is given back. */
	get value(): T {
		if (this.#returned) throw new LeaseReturned("value", this.#returnedAt);
		return this.#lender.resource;
	}

	/** Whether it is given back. */
	get returned(): boolean {
		return this.#returned;
	}

	/** Gives it back for others to use. Throws LeaseReturned when that was done before. */
	release(): void {
		this.#giveBack("release()", false);
	}

	/**
	 * Gives it back to be destroyed: after a fault that leaves it in an unknown state, such as an answer that is half read.
	 * What it was, if passed, goes to `onError`. Throws LeaseReturned when it was given back before.
	 */
	discard(error?: unknown): void {
		this.#giveBack("discard()", true, error);
	}

	/** Gives it back unless that is done: `using lease = …`. */
	[Symbol.dispose](): void {
		if (!this.#returned) this.release();
	}

	/** Gives it back unless that is done: `await using lease = …`. */
	[Symbol.asyncDispose](): Promise<void> {
		this[Symbol.dispose]();
		return Promise.resolve();
	}

	#giveBack(attempt: string, discard: boolean, error?: unknown): void {
		if (this.#returned) throw new LeaseReturned(attempt, this.#returnedAt);
		this.#returned = true;
		if (this.#lender.trace) this.#returnedAt = stackHere(discard ? this.discard : this.release);
		this.#lender.giveBack(this, discard, error);
	}
}

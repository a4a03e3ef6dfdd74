import { onAbort } from "./on-abort.js";

/** Promises that wait for one thing together, each of which its own signal can end. */
export class Waiters {
	readonly #waiters = new Set<{ resolve(): void; reject(error: unknown): void }>();
	readonly #onEmpty: (() => void) | undefined;

	/** `onEmpty`: called whenever the last one has left, however. */
	constructor(onEmpty?: () => void) {
		this.#onEmpty = onEmpty;
	}

	get size(): number {
		return this.#waiters.size;
	}

	/** One more. Rejects with the signal's reason when that comes first; the signal keeps no listener in any case. */
	wait(signal: AbortSignal | undefined): Promise<void> {
		return new Promise((resolve, reject) => {
			const leave = (): void => {
				deaf();
				this.#waiters.delete(waiter);
				if (this.#waiters.size === 0) this.#onEmpty?.();
			};
			const waiter = {
				resolve: (): void => {
					leave();
					resolve();
				},
				reject: (error: unknown): void => {
					leave();
					reject(error);
				},
			};
			const abort = (): void => waiter.reject(signal?.reason);
			const deaf = onAbort(signal, abort);
			this.#waiters.add(waiter);
		});
	}

	/** It has come. */
	resolve(): void {
		for (const waiter of this.#waiters) waiter.resolve();
	}

	/** It will never come. */
	reject(error: unknown): void {
		for (const waiter of this.#waiters) waiter.reject(error);
	}
}

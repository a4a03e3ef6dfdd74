/**
 * Listeners for datagrams that a reload or a drain has taken away, while sessions of theirs go on: these have no socket of their own
 * towards their clients, so the listener's stays open until the last of them has ended.
 */
import type { Listeners, OpenListener } from "./listeners.js";

/** A session ends at its deadline, which the kernel does not tell. */
const LOOK_MS = 500;

export class LeavingListeners {
	readonly #leaving = new Map<string, OpenListener>();
	/** Those that had no session when they were looked at last. */
	readonly #left = new Set<string>();
	readonly #sessionsOf: (listener: string) => number;
	readonly #close: (listener: OpenListener) => void;
	#timer: NodeJS.Timeout | undefined;

	/** `sessionsOf`: that a listener has, by its name. */
	constructor(sessionsOf: (listener: string) => number, close: (listener: OpenListener) => void) {
		this.#sessionsOf = sessionsOf;
		this.#close = close;
	}

	/** Those that are there, by name: one that comes back is taken from here, with the sessions that it has. */
	get present(): Listeners {
		return this.#leaving;
	}

	add(name: string, listener: OpenListener): void {
		this.#leaving.set(name, listener);
		this.#timer ??= setInterval(() => this.#look(), LOOK_MS).unref();
	}

	/** It is used again. */
	take(name: string): void {
		this.#leaving.delete(name);
		this.#left.delete(name);
	}

	/**
	 * Closes those that have no session any more, and had none a look before: a reactor may have been about to read the socket, and its
	 * number could be another's by then.
	 */
	#look(): void {
		for (const [name, listener] of this.#leaving) {
			if (this.#sessionsOf(name) > 0) continue;
			if (this.#left.has(name)) this.#end(name, listener);
			else this.#left.add(name);
		}
		if (this.#leaving.size > 0) return;
		clearInterval(this.#timer);
		this.#timer = undefined;
	}

	/** Nobody uses them any more. */
	closeAll(): void {
		for (const [name, listener] of this.#leaving) this.#end(name, listener);
		clearInterval(this.#timer);
	}

	#end(name: string, listener: OpenListener): void {
		this.take(name);
		this.#close(listener);
	}
}

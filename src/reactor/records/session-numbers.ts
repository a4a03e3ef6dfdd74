/**
 * Numbers by which sessions stand in the log: unique in this process, as reactors count in steps. A session gets its number
 * when it ends, or earlier when the line of one of its requests names it.
 */
import type { Session } from "../table/numbers.js";
export class SessionNumbers {
	readonly #first: number;
	readonly #step: number;
	/** By session: numbers that had to be given before the end. */
	readonly #early = new Map<number, number>();
	#count = 0;

	constructor(reactor: number, reactors: number) {
		this.#first = reactor;
		this.#step = reactors;
	}

	/** The number of a session that goes on. */
	early(session: Session): number {
		const number = this.#early.get(session) ?? this.#next();
		this.#early.set(session, number);
		return number;
	}

	/** The number of a session that ends. */
	final(session: Session): number {
		const early = this.#early.size > 0 ? this.#early.get(session) : undefined;
		return early ?? this.#next();
	}

	/** The session has ended. */
	forget(session: Session): void {
		if (this.#early.size > 0) this.#early.delete(session);
	}

	/** Sessions that have a number and go on. */
	get living(): number {
		return this.#early.size;
	}

	#next(): number {
		return this.#count++ * this.#step + this.#first;
	}
}

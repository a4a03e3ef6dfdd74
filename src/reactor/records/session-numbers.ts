/**
 * Numbers of sessions, by which log, API and operators call them: unique in this process, as reactors count in steps. A session
 * has its number from accept on.
 */
export class SessionNumbers {
	readonly #step: number;
	#following: number;

	constructor(reactor: number, reactors: number) {
		this.#following = reactor;
		this.#step = reactors;
	}

	/** The number of a session that begins. */
	next(): number {
		const number = this.#following;
		this.#following += this.#step;
		return number;
	}
}

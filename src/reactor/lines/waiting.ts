/** Sessions that wait for a line of an agent, by its address: first come, first served. As many as there are sessions, at most. */
import type { Session } from "../table/numbers.js";

interface Waiting {
	readonly session: Session;
	/** Of the session: its row may be another's by the time that a line comes. */
	readonly number: number;
}

export class WaitingSessions {
	readonly #byAddress = new Map<number, Waiting[]>();

	/** Returns how many wait for this address then; some may be gone by now. */
	add(address: number, session: Session, number: number): number {
		const waiting = this.#byAddress.get(address);
		if (waiting !== undefined) return waiting.push({ session, number });
		this.#byAddress.set(address, [{ session, number }]);
		return 1;
	}

	/** How many wait for this address, or did. */
	of(address: number): number {
		return this.#byAddress.get(address)?.length ?? 0;
	}

	/** The first that `isStill` waits; those before it that do not are forgotten. */
	take(address: number, isStill: (session: Session, number: number) => boolean): Session | undefined {
		const waiting = this.#byAddress.get(address);
		if (waiting === undefined) return undefined;
		let index = 0;
		for (const { session, number } of waiting) {
			index++;
			if (!isStill(session, number)) continue;
			this.#forget(address, waiting, index);
			return session;
		}
		this.#forget(address, waiting, index);
		return undefined;
	}

	#forget(address: number, waiting: Waiting[], count: number): void {
		if (count === waiting.length) this.#byAddress.delete(address);
		else waiting.splice(0, count);
	}
}

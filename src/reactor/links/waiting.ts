/** Sessions that wait for a line of an agent, by its address: first come, first served. One that ends waits no more. */
import type { Session } from "../table/numbers.js";

export class WaitingSessions {
	/** In the order in which they came. */
	readonly #byAddress = new Map<number, Set<Session>>();

	/** Returns how many wait for this address then. */
	add(address: number, session: Session): number {
		const waiting = this.#byAddress.get(address) ?? new Set<Session>();
		this.#byAddress.set(address, waiting.add(session));
		return waiting.size;
	}

	/** False: it did not wait there. */
	remove(address: number, session: Session): boolean {
		const waiting = this.#byAddress.get(address);
		if (waiting === undefined || !waiting.delete(session)) return false;
		if (waiting.size === 0) this.#byAddress.delete(address);
		return true;
	}

	/** Of those that may go on the one that has waited for longest. It goes on waiting until it is removed. */
	first(address: number, mayGoOn: (session: Session) => boolean = anybody): Session | undefined {
		for (const session of this.#byAddress.get(address) ?? []) if (mayGoOn(session)) return session;
		return undefined;
	}

	/** How many wait for this address. */
	of(address: number): number {
		return this.#byAddress.get(address)?.size ?? 0;
	}
}

function anybody(): boolean {
	return true;
}

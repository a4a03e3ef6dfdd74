/** Sessions that wait for a line of an agent, by its address: first come, first served. One that ends waits no more. */
import type { Session } from "../table/numbers.js";

export class WaitingSessions {
	/** In the order in which they came. */
	readonly #byAddress = new Map<number, Set<Session>>();

	/** Of these, sessions that would keep their line, and leave the last ones. */
	readonly #lasting = new Map<number, Set<Session>>();

	add(address: number, session: Session, lasts: boolean): void {
		const waiting = this.#byAddress.get(address) ?? new Set<Session>();
		this.#byAddress.set(address, waiting.add(session));
		if (!lasts) return;
		const lasting = this.#lasting.get(address) ?? new Set<Session>();
		this.#lasting.set(address, lasting.add(session));
	}

	/** How many wait, as the main thread is told. */
	told(address: number): { readonly waiting: number; readonly lasting: number } {
		return { waiting: this.of(address), lasting: this.#lasting.get(address)?.size ?? 0 };
	}

	/** False: it did not wait there. */
	remove(address: number, session: Session): boolean {
		const waiting = this.#byAddress.get(address);
		if (waiting === undefined || !waiting.delete(session)) return false;
		if (waiting.size === 0) this.#byAddress.delete(address);
		const lasting = this.#lasting.get(address);
		if (lasting?.delete(session) === true && lasting.size === 0) this.#lasting.delete(address);
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

/**
 * Small stable numbers for things that have names: a listener, route, upstream or address keeps its
 * number over reloads, so its counters go on, and a number fits a column of the table.
 */

export class Slots {
	readonly #max: number;
	readonly #what: string;
	readonly #slots = new Map<string, number>();
	readonly #names: string[] = [];
	/** Names of the config in force. Others keep their number until somebody needs it. */
	#current = new Set<string>();

	constructor(what: string, max: number) {
		this.#what = what;
		this.#max = max;
	}

	/** The number of a name, given now if it has none. `mayReuse` says whether a number without a current name is free. */
	take(name: string, mayReuse: (slot: number) => boolean = () => true): number {
		const known = this.#slots.get(name);
		if (known !== undefined) return known;
		const slot = this.#names.length < this.#max ? this.#names.length : this.#recycle(mayReuse);
		this.#names[slot] = name;
		this.#slots.set(name, slot);
		return slot;
	}

	/** Declares which names are in force. */
	keep(names: Iterable<string>): void {
		this.#current = new Set(names);
	}

	/** What a number was given for last. */
	nameOf(slot: number): string {
		return this.#names[slot] ?? "";
	}

	/** Every name that has a number, also those of earlier configs: their counters must not vanish. */
	entries(): IterableIterator<[string, number]> {
		return this.#slots.entries();
	}

	/** Every number that was given out. */
	slots(): IterableIterator<number> {
		return this.#slots.values();
	}

	#recycle(mayReuse: (slot: number) => boolean): number {
		for (const [name, slot] of this.#slots) {
			if (this.#current.has(name) || !mayReuse(slot)) continue;
			this.#slots.delete(name);
			return slot;
		}
		throw new Error(`more than ${this.#max} ${this.#what} are in use at once; end some before adding others`);
	}
}

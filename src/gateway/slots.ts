/**
 * Small stable numbers for things that have names: a listener, route, upstream or address keeps its
 * number over reloads, so its counters go on, and a number fits a column of the table.
 *
 * A number is given to another name only when nothing carries it any more, because whoever carries it would be served,
 * counted and logged under the other's name: a live session, one that is being dialled for again, an idle connection of a
 * pool, a record of the journal that has not been read. Nobody counts these holders, for that would cost every session
 * something. Instead they are looked for when numbers run out, which is rare:
 *
 *     1. Names outside of what reactors run with (`keep`) are candidates.
 *     2. Every reactor looks through its rows, and says which numbers they carry (`reactor/held.ts`).
 *     3. The journals are read to their ends.
 *     4. Candidates that no reactor carries are free (`free`), and stay so until a plan gives them out.
 *
 * Why this is sound although sessions come and go meanwhile: a row gets its numbers from the plan that its reactor runs
 * with, or keeps those it has; none gets a candidate's from anywhere. (A listener that was removed has candidates in its
 * routes, and its live sessions may take them: so it holds all of its routes' numbers while it has any.) So what no row
 * carries when it is looked at, no row carries later; and a row that was given back before has written its record before,
 * which step 3 reads.
 */

/** All numbers are in use. Some may be free after a look at who holds them. */
export class OutOfSlots extends Error {
	override readonly name = "OutOfSlots";
}

export class Slots {
	readonly #max: number;
	readonly #what: string;
	readonly #reused: (slot: number) => void;
	readonly #slots = new Map<string, number>();
	readonly #names: string[] = [];
	/** Names that reactors run with. Others keep their number until somebody needs it. */
	#current: ReadonlySet<string> = new Set();
	/** Numbers that nothing holds. Their names, and the counters of these, stay until another takes them. */
	readonly #free = new Set<number>();

	/** `reused`: a number is about to be another name's. */
	constructor(what: string, max: number, reused: (slot: number) => void = () => {}) {
		this.#what = what;
		this.#max = max;
		this.#reused = reused;
	}

	/**
	 * The number of a name, given now if it has none.
	 *
	 * @throws OutOfSlots
	 */
	take(name: string): number {
		const known = this.#slots.get(name);
		if (known !== undefined) {
			this.#free.delete(known);
			return known;
		}
		const slot = this.#names.length < this.#max ? this.#names.length : this.#takeFree();
		this.#names[slot] = name;
		this.#slots.set(name, slot);
		return slot;
	}

	/** The number of a name, if it has one. */
	numberOf(name: string): number | undefined {
		return this.#slots.get(name);
	}

	/** Declares which names reactors run with. Called when all have them, so that none runs with others any more. */
	keep(names: Iterable<string>): void {
		this.#current = new Set(names);
	}

	/** Nothing but the names in force, and what `isHeld` says, holds a number: the others may be given away. */
	free(isHeld: (slot: number) => boolean): void {
		for (const [name, slot] of this.#slots)
			if (!this.#current.has(name) && !isHeld(slot)) this.#free.add(slot);
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

	#takeFree(): number {
		for (const slot of this.#free) {
			this.#free.delete(slot);
			this.#slots.delete(this.nameOf(slot));
			this.#reused(slot);
			return slot;
		}
		throw new OutOfSlots(
			`no number is left for another of the ${this.#what}: all ${this.#max} are in use, by the configuration, ` +
				"the one before it, and sessions that began with earlier ones; reload again when some of these have ended",
		);
	}
}

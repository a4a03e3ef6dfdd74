/**
 * A line of waiters: joined at its end, served at its front, left from anywhere, each in O(1). (A `Set` keeps the places of those that
 * left until it is rehashed, so looking for its first entry would walk over all of them.)
 */
export interface Place<Waiter> {
	readonly waiter: Waiter;
	before: Place<Waiter> | undefined;
	behind: Place<Waiter> | undefined;
	hasLeft: boolean;
}

export class Line<Waiter> {
	#front: Place<Waiter> | undefined;
	#end: Place<Waiter> | undefined;
	#size = 0;

	get size(): number {
		return this.#size;
	}

	/** Who is served next. */
	get first(): Waiter | undefined {
		return this.#front?.waiter;
	}

	join(waiter: Waiter): Place<Waiter> {
		const place: Place<Waiter> = { waiter, before: this.#end, behind: undefined, hasLeft: false };
		if (this.#end === undefined) this.#front = place;
		else this.#end.behind = place;
		this.#end = place;
		this.#size++;
		return place;
	}

	/** Whoever has left already stays away. */
	leave(place: Place<Waiter>): void {
		if (place.hasLeft) return;
		place.hasLeft = true;
		if (place.before === undefined) this.#front = place.behind;
		else place.before.behind = place.behind;
		if (place.behind === undefined) this.#end = place.before;
		else place.behind.before = place.before;
		this.#size--;
	}
}

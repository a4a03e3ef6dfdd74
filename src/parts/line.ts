/** Who came first is first; whoever gives up leaves from the middle. All steps are O(1). */

/** A place in a line. */
export interface Place<Value> {
	readonly value: Value;
	before: Place<Value> | undefined;
	after: Place<Value> | undefined;
}

/** A doubly linked list. A Set would do, but finding its first entry walks over those deleted before it. */
export class Line<Value> {
	#first: Place<Value> | undefined;
	#last: Place<Value> | undefined;

	/** Whoever came first, and is still there. */
	get first(): Place<Value> | undefined {
		return this.#first;
	}

	/** Goes to the end of the line. */
	add(value: Value): Place<Value> {
		const place: Place<Value> = { value, before: this.#last, after: undefined };
		if (this.#last === undefined) this.#first = place;
		else this.#last.after = place;
		this.#last = place;
		return place;
	}

	/** Leaves. Each place that `add` returned once. */
	remove(place: Place<Value>): void {
		if (place.before === undefined) this.#first = place.after;
		else place.before.after = place.after;
		if (place.after === undefined) this.#last = place.before;
		else place.after.before = place.before;
	}
}

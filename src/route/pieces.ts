/**
 * Work that is done in pieces, because a reactor has turns to keep: a generator that yields whenever it has done a piece, of
 * about 50 µs on a machine of today. Pieces are counted by what is in them, not measured, so that a run of the simulation
 * follows from its seed.
 */
export type Pieces<Result = void> = Generator<void, Result, void>;

/** All pieces at once, where nobody waits for the next turn. */
export function allAtOnce<Result>(pieces: Pieces<Result>): Result {
	for (;;) {
		const step = pieces.next();
		if (step.done === true) return step.value;
	}
}

/** What was just done was worth so many pieces. */
export function* worth(pieces: number): Pieces {
	for (let done = 0; done < pieces; done++) yield;
}

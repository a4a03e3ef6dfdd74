/** "Did you mean …": the nearest of a set of names. */

/**
 * The candidate that takes the fewest edits from `name`, or `null` when none is near enough to be what was
 * meant. One edit is a letter added, left out, replaced, or swapped with its neighbour.
 */
export function nearest(name: string, candidates: Iterable<string>): string | null {
	// A third of the letters wrong is still a typo; more is another word.
	let limit = Math.max(1, Math.floor(name.length / 3));
	let best: string | null = null;
	const wanted = name.toLowerCase();
	for (const candidate of candidates) {
		if (Math.abs(candidate.length - name.length) > limit) continue;
		const distance = edits(wanted, candidate.toLowerCase());
		if (distance > limit || (distance === limit && best !== null)) continue;
		best = candidate;
		limit = distance;
	}
	return best;
}

/** `; did you mean "routes"?`, or nothing. */
export function didYouMean(name: string, candidates: Iterable<string>): string {
	const found = nearest(name, candidates);
	return found === null ? "" : `; did you mean "${found}"?`;
}

/** `; did you mean "routes"?`, or where none is near enough all that there are. */
export function orThereAre(name: string, candidates: readonly string[]): string {
	return didYouMean(name, candidates) || `: there are ${candidates.join(", ")}`;
}

/** Optimal string alignment distance, three rows at a time. */
function edits(a: string, b: string): number {
	let beforeLast: number[] = [];
	let last = Array.from({ length: b.length + 1 }, (_, index) => index);
	for (let i = 1; i <= a.length; i++) {
		const row = [i];
		for (let j = 1; j <= b.length; j++) {
			const same = a[i - 1] === b[j - 1];
			let cost = Math.min(at(last, j) + 1, at(row, j - 1) + 1, at(last, j - 1) + (same ? 0 : 1));
			if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
				cost = Math.min(cost, at(beforeLast, j - 2) + 1);
			}
			row.push(cost);
		}
		beforeLast = last;
		last = row;
	}
	return at(last, b.length);
}

function at(row: readonly number[], index: number): number {
	return row[index] ?? Number.POSITIVE_INFINITY;
}

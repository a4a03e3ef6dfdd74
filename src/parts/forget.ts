/** Notes beside the rows, of which most rows have none: looking whether there are any costs less than looking for one. */

/** Takes the note of a row away, if it has one. */
export function forget(notes: Map<number, unknown>, row: number): void {
	if (notes.size > 0) notes.delete(row);
}

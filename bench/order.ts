/** Who comes first in a round. */

/**
 * Rotated by one each round, and turned round after each whole turn, so that none always runs in the wake of the same other: two
 * go AB BA BA AB.
 */
export function inOrder<T>(items: readonly T[], round: number): T[] {
	const { length } = items;
	if (length === 0) return [];
	const at = round % length;
	const order = [...items.slice(at), ...items.slice(0, at)];
	return Math.floor(round / length) % 2 === 0 ? order : order.reverse();
}

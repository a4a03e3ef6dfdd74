/** A number from 0 to 1 that is the same for a row each time, and differs from row to row: it spreads what began together. */
export function fractionFor(row: number): number {
	return ((Math.imul(row + 1, 0x9e3779b1) >>> 8) & 0xffff) / 0x10000;
}

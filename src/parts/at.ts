/**
 * Reads one cell of a column. The compiler cannot know that a slot is in range (it types every
 * indexed read as possibly undefined); the table knows, because slots come only from its own free
 * list. One place for that claim instead of a cast at each of some hundred reads; the JIT inlines it.
 *
 * One function for each kind of column, because V8 remembers what a read has met for each function and not for each of
 * its callers: one function that reads more than four kinds is megamorphic, also where it is inlined, and each
 * of its reads is then a call and a search (measured: a third of all that an HTTP exchange takes in user mode).
 */
/** A column of numbers of one kind: what is read from it is of that kind, and nothing else may be written to it. */
export type Cells<Cell extends number> = Int32Array & { [index: number]: Cell };

export function i32<Cell extends number>(column: Cells<Cell>, index: number): Cell {
	return column[index] as Cell;
}

export function u32(column: Uint32Array, index: number): number {
	return column[index] as number;
}

export function f64(column: Float64Array, index: number): number {
	return column[index] as number;
}

export function u8(column: Uint8Array, index: number): number {
	return column[index] as number;
}

export function u16(column: Uint16Array, index: number): number {
	return column[index] as number;
}

/** Of a list that is no typed array. */
export function cell(column: readonly number[], index: number): number {
	return column[index] as number;
}

declare const isReferences: unique symbol;

/**
 * A column of numbers that count from 0 on, or NONE. They are kept one higher, so that a cell which nobody has written
 * says NONE, and a row that has none of something does not touch the column's memory. Nothing but `ref` and `setRef` reads and
 * writes it: to the compiler it is no typed array.
 */
export interface References<Cell extends number = number> {
	readonly [isReferences]: Cell;
	readonly length: number;
}

export function references<Cell extends number>(column: Int32Array): References<Cell> {
	return column as unknown as References<Cell>;
}

export function ref<Cell extends number>(column: References<Cell>, index: number): Cell {
	return (((column as unknown as Int32Array)[index] as number) - 1) as Cell;
}

export function setRef<Cell extends number>(
	column: References<Cell>,
	index: number,
	to: NoInfer<Cell>,
): void {
	(column as unknown as Int32Array)[index] = to + 1;
}

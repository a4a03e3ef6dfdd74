/**
 * What is known of many rows, as columns: one typed array for each fact (a struct of arrays), all in one piece of memory that
 * threads can share. Nothing of a row lies on the JavaScript heap, and a page of a column is touched only when one of its rows
 * writes to it.
 *
 *     row     0 … sessions-1     clients' connections      ┐ connection columns have a cell for each of these
 *     row     sessions … 2s-1    upstreams' connections    ┘
 *
 * Session columns have cells for the first half, link columns for the second one, counted from its first row.
 *
 *     class Meters extends Columns {
 *         readonly bytes = this.f64(SESSION);
 *     }
 *     const meters = place(1_000, (layout) => new Meters(layout));
 *
 * Every thread that makes the same classes in the same order over one buffer sees the same cells.
 */
import { type Cells, type References, references } from "./at.js";

/** The rows that a column has cells for. */
export type Rows = typeof CONNECTION | typeof SESSION | typeof LINK;
export const CONNECTION = 0;
export const SESSION = 1;
export const LINK = 2;

/** Every column begins at such a place, so that it may hold doubles. */
const ALIGNMENT = 8;

/** Gives columns their places, one behind the other. */
export class Layout {
	readonly sessions: number;
	/** Bytes that have been given away. */
	bytes = 0;
	/** The same for one client's row, and for one upstream's. */
	clientBytes = 0;
	linkBytes = 0;
	readonly #buffer: SharedArrayBuffer | undefined;

	/** Without a buffer: counts only, and every column is empty. */
	constructor(sessions: number, buffer?: SharedArrayBuffer) {
		this.sessions = sessions;
		this.#buffer = buffer;
	}

	get buffer(): SharedArrayBuffer {
		return this.#buffer ?? NOTHING;
	}

	/** The next column: `width` cells of `cellBytes` for each of the rows. Returns where it begins, and how many cells it has. */
	take(rows: Rows, cellBytes: number, width: number): { readonly offset: number; readonly cells: number } {
		const cells = (rows === CONNECTION ? 2 : 1) * this.sessions * width;
		const offset = Math.ceil(this.bytes / ALIGNMENT) * ALIGNMENT;
		this.bytes = offset + cells * cellBytes;
		if (rows !== LINK) this.clientBytes += cellBytes * width;
		if (rows !== SESSION) this.linkBytes += cellBytes * width;
		return this.#buffer === undefined ? { offset: 0, cells: 0 } : { offset, cells };
	}
}

const NOTHING = new SharedArrayBuffer(0);

/** Base of all classes of columns. */
export class Columns {
	readonly #layout: Layout;

	constructor(layout: Layout) {
		this.#layout = layout;
	}

	protected f64(rows: Rows): Float64Array {
		const { offset, cells } = this.#layout.take(rows, 8, 1);
		return new Float64Array(this.#layout.buffer, offset, cells);
	}

	protected i32<Cell extends number = number>(rows: Rows): Cells<Cell> {
		const { offset, cells } = this.#layout.take(rows, 4, 1);
		return new Int32Array(this.#layout.buffer, offset, cells) as Cells<Cell>;
	}

	/** Numbers of other things, or NONE, which is what a new row says. */
	protected references<Cell extends number = number>(rows: Rows): References<Cell> {
		return references<Cell>(this.i32(rows));
	}

	protected u32(rows: Rows): Uint32Array {
		const { offset, cells } = this.#layout.take(rows, 4, 1);
		return new Uint32Array(this.#layout.buffer, offset, cells);
	}

	protected u16(rows: Rows): Uint16Array {
		const { offset, cells } = this.#layout.take(rows, 2, 1);
		return new Uint16Array(this.#layout.buffer, offset, cells);
	}

	/** `width`: bytes for each row. */
	protected u8(rows: Rows, width = 1): Uint8Array {
		const { offset, cells } = this.#layout.take(rows, 1, width);
		return new Uint8Array(this.#layout.buffer, offset, cells);
	}
}

/** Makes classes of columns over one buffer: a new one of just their size, or one that another thread made. */
export function place<Made>(
	sessions: number,
	make: (layout: Layout) => Made,
	shared?: SharedArrayBuffer,
): Made {
	const measure = new Layout(sessions);
	make(measure);
	return make(
		new Layout(sessions, shared ?? new SharedArrayBuffer(Math.ceil(measure.bytes / ALIGNMENT) * ALIGNMENT)),
	);
}

/** The columns of an object by their names, for tools that look at all that is known of a row. */
export function columnsOf(columns: Columns): Map<string, ArrayLike<number>> {
	const found = new Map<string, ArrayLike<number>>();
	for (const [name, value] of Object.entries(columns))
		if (ArrayBuffer.isView(value)) found.set(name, value as unknown as ArrayLike<number>);
	return found;
}

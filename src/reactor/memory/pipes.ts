/**
 * Pipes for splicing, lent to a direction while bytes of it lie in one, and taken back as soon as it is
 * empty. A pipe is two descriptors, so an idle session must not hold one.
 */
import type { KernelControl } from "../../kernel/kernel.js";
import { assert } from "../../parts/assert.js";
import { i32 } from "../../parts/at.js";
import { NONE } from "../../parts/none.js";

/** Empty pipes kept open for the next borrower. */
const IDLE_MAX = 8;

/** Shared memory for the descriptors of so many pipes: reading ends, then writing ends. */
export function pipeEndsBytes(max: number): number {
	return 8 * max;
}

export class Pipes {
	readonly #kernel: KernelControl;
	readonly #opened: (fd: number, pipe: number) => void;
	/** In shared memory, so that the ledger can be held against the kernel's table. NONE: no pipe. */
	readonly #readEnds: Int32Array;
	readonly #writeEnds: Int32Array;
	/** Indexes of open, empty pipes, then of places without a pipe. */
	readonly #idle: Int32Array;
	readonly #unused: Int32Array;
	#idleCount = 0;
	#unusedCount = 0;
	lent = 0;
	/** Pipes that exist; each is two descriptors. */
	open = 0;
	/** Pipes opened since the start. */
	openedTotal = 0;

	/**
	 * `max`: pipes at once. Beyond that, bulk falls back to receive and send. `ends` has `pipeEndsBytes(max)`;
	 * `opened` is told of each descriptor.
	 */
	constructor(
		kernel: KernelControl,
		max: number,
		ends = new SharedArrayBuffer(pipeEndsBytes(max)),
		opened: (fd: number, pipe: number) => void = () => {},
	) {
		this.#kernel = kernel;
		this.#opened = opened;
		this.#readEnds = new Int32Array(ends, 0, max).fill(NONE);
		this.#writeEnds = new Int32Array(ends, 4 * max, max).fill(NONE);
		this.#idle = new Int32Array(max);
		this.#unused = new Int32Array(max);
		for (let i = max - 1; i >= 0; i--) this.#unused[this.#unusedCount++] = i;
	}

	/** An empty pipe, or NONE when all are lent or no descriptor is left. */
	borrow(): number {
		if (this.#idleCount > 0) {
			this.lent++;
			return i32(this.#idle, --this.#idleCount);
		}
		if (this.#unusedCount === 0) return NONE;
		const readEnd = this.#kernel.openPipe();
		if (readEnd < 0) return NONE;
		const pipe = i32(this.#unused, --this.#unusedCount);
		this.#readEnds[pipe] = readEnd;
		this.#writeEnds[pipe] = this.#kernel.pipeWriteEnd;
		this.open++;
		this.openedTotal++;
		this.lent++;
		this.#opened(readEnd, pipe);
		this.#opened(this.#kernel.pipeWriteEnd, pipe);
		return pipe;
	}

	/** Takes back an empty pipe. */
	giveBack(pipe: number): void {
		assert(i32(this.#readEnds, pipe) !== NONE && this.lent > 0, "a pipe that is given back was lent");
		this.lent--;
		if (this.#idleCount < IDLE_MAX) this.#idle[this.#idleCount++] = pipe;
		else this.#close(pipe);
	}

	/** Takes back a pipe that still holds bytes of a session that ended. It is closed, so that no other session reads them. */
	discard(pipe: number): void {
		assert(i32(this.#readEnds, pipe) !== NONE && this.lent > 0, "a pipe that is discarded was lent");
		this.lent--;
		this.#close(pipe);
	}

	readEnd(pipe: number): number {
		return i32(this.#readEnds, pipe);
	}

	writeEnd(pipe: number): number {
		return i32(this.#writeEnds, pipe);
	}

	/** Closes the pipes that are not lent. */
	closeIdle(): void {
		while (this.#idleCount > 0) this.#close(i32(this.#idle, --this.#idleCount));
	}

	#close(pipe: number): void {
		this.#kernel.close(i32(this.#readEnds, pipe));
		this.#kernel.close(i32(this.#writeEnds, pipe));
		this.#readEnds[pipe] = NONE;
		this.#writeEnds[pipe] = NONE;
		this.#unused[this.#unusedCount++] = pipe;
		this.open--;
	}
}

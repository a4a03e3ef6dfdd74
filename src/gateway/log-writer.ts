/**
 * Lines to a descriptor that must never hold the gateway: its disk may be full, its reader gone or asleep. Lines wait
 * in a bounded buffer; what finds no room there, and what the kernel refuses, is counted, and nothing waits for it.
 *
 * They wait as bytes, in blocks, where they were made, and are written from there:
 *
 *     ┌────────────────────────────┐ ┌────────────────────────────┐
 *     │ written │ batch │ lines    │ │ lines             │ free   │   the first block is written, the last one
 *     └─────────▲───────▲──────────┘ └───────────────────▲────────┘   filled; mostly, both are the same
 *             from  batchEnd                            end
 *
 * A line stands in one block. A block that has been written is used again: while the reader keeps up, two are enough.
 */
import { write } from "node:fs";

/** Lines waiting for a slow reader; beyond that they are lost. */
const WAITING_MAX_BYTES = 16 * 1024 * 1024;

/** The lines of some 500 sessions, and the most that is written at once. A longer line has a block of its own. */
const BLOCK_BYTES = 256 * 1024;

/** A non-blocking pipe that is full is tried again after so long. */
const FULL_PIPE_MS = 50;

/** What refuses lines (a full disk, a reader that is gone) is asked four times a second, not once per line. */
const REFUSED_MS = 250;

/** The end of the process is not put off for longer by a reader that takes nothing. */
const FLUSH_MS = 1_000;

const NEWLINE = 10;

/** Takes lines as bytes, from whoever makes them in place. */
export interface LineSink {
	/** Makes room for a line of so many bytes at most. False: there is none, and the line is counted as lost. */
	begin(maxBytes: number): boolean;
	/** Where the line that was begun is written, and from which byte on. */
	readonly bytes: Uint8Array;
	readonly start: number;
	/** The line ends there, its newline included. */
	end(end: number): void;
	/** What has ended may be written now. */
	send(): void;
}

/** Lines lost since this was told last. */
export interface LostLines {
	/** No room: their reader is too slow. */
	readonly tooSlow: number;
	/** They could not be written. */
	readonly refused: number;
	/** Why the last of those could not. */
	readonly error: string | undefined;
}

/** Whole lines. Its first byte is a newline, so that there is one before each line: see `LogWriter.#takeBatch`. */
class Block {
	readonly bytes: Buffer;
	/** From there on it still has to be written. */
	from = 1;
	end = 1;
	/** Filled after this one. */
	next: Block | undefined;

	constructor(size: number) {
		this.bytes = Buffer.allocUnsafeSlow(size);
		this.bytes[0] = NEWLINE;
	}
}

export class LogWriter implements LineSink {
	readonly #fd: number;
	readonly #recovered: (lost: LostLines) => void;
	/** The one that is written, and by `next` those behind it. */
	#first = new Block(BLOCK_BYTES);
	/** The one that is filled. */
	#last = this.#first;
	#spare: Block | undefined;
	/** Of lines that are in no batch yet. */
	#waitingBytes = 0;
	/** What is being written, of the first block; 0: nothing. */
	#batchEnd = 0;
	#isWriting = false;
	#timer: NodeJS.Timeout | undefined;
	/** The last line that was written lacks its end: the next must not begin on it. */
	#isTorn = false;
	#tooSlow = 0;
	#refused = 0;
	#told: LostLines = { tooSlow: 0, refused: 0, error: undefined };
	#error: string | undefined;
	#flushed: (() => void)[] = [];

	/** `recovered`: lines are written again, after some were lost. */
	constructor(fd: number, recovered: (lost: LostLines) => void) {
		this.#fd = fd;
		this.#recovered = recovered;
	}

	/** Lines lost so far. */
	get lost(): number {
		return this.#tooSlow + this.#refused;
	}

	/** A whole line, its end included. */
	write(line: string): void {
		if (!this.begin(Buffer.byteLength(line))) return;
		const { bytes, end } = this.#last;
		this.end(end + bytes.write(line, end));
		this.send();
	}

	begin(maxBytes: number): boolean {
		if (this.#waitingBytes + maxBytes > WAITING_MAX_BYTES) {
			this.#tooSlow++;
			return false;
		}
		const { bytes, end } = this.#last;
		if (end + maxBytes > bytes.length) this.#addBlock(1 + maxBytes);
		return true;
	}

	get bytes(): Buffer {
		return this.#last.bytes;
	}

	get start(): number {
		return this.#last.end;
	}

	end(end: number): void {
		const block = this.#last;
		this.#waitingBytes += end - block.end;
		block.end = end;
	}

	send(): void {
		if (!this.#isWriting && this.#timer === undefined) this.#step();
	}

	/** Resolves when nothing waits, when it is refused, or when it has waited long enough. */
	flush(): Promise<void> {
		return new Promise((resolve) => {
			const late = setTimeout(resolve, FLUSH_MS);
			this.#flushed.push(() => {
				clearTimeout(late);
				resolve();
			});
			if (this.#isWriting) return;
			clearTimeout(this.#timer);
			this.#step();
		});
	}

	#addBlock(bytes: number): void {
		let block = this.#spare;
		if (block === undefined || block.bytes.length < bytes) block = new Block(Math.max(bytes, BLOCK_BYTES));
		else this.#spare = undefined;
		this.#last.next = block;
		this.#last = block;
	}

	#step(): void {
		this.#timer = undefined;
		if (this.#batchEnd === 0) this.#takeBatch();
		if (this.#batchEnd === 0) {
			this.#tellFlushed();
			return;
		}
		const { bytes, from } = this.#first;
		this.#isWriting = true;
		write(this.#fd, bytes, from, this.#batchEnd - from, null, this.#written);
	}

	#takeBatch(): void {
		const block = this.#nextBlock();
		if (block.from === block.end) return;
		this.#batchEnd = block.end;
		this.#waitingBytes -= this.#batchEnd - block.from;
		// The end of the line before, or of none in a new block: now it ends the one that was cut.
		if (this.#isTorn) block.from--;
	}

	/** The oldest block that has something to write, or the only one. */
	#nextBlock(): Block {
		for (;;) {
			const block = this.#first;
			if (block.from < block.end) return block;
			block.from = 1;
			block.end = 1;
			if (block.next === undefined) return block;
			this.#first = block.next;
			block.next = undefined;
			// One of an unusual line's size is given back.
			if (block.bytes.length === BLOCK_BYTES) this.#spare = block;
		}
	}

	readonly #written = (error: NodeJS.ErrnoException | null, count: number): void => {
		this.#isWriting = false;
		if (error === null && count > 0) {
			const block = this.#first;
			block.from += count;
			this.#isTorn = block.bytes[block.from - 1] !== NEWLINE;
			const isWhole = block.from === this.#batchEnd;
			if (isWhole) this.#batchEnd = 0;
			this.#step();
			// Behind the step: what is told is a line itself.
			if (isWhole) this.#tellLost();
			return;
		}
		if (error === null || error.code === "EAGAIN" || error.code === "EBUSY") {
			this.#later(FULL_PIPE_MS);
			return;
		}
		this.#refuse(error);
		this.#later(REFUSED_MS);
	};

	/** The rest of the batch is given up, a line that was written in part included. */
	#refuse(error: NodeJS.ErrnoException): void {
		const block = this.#first;
		const end = this.#batchEnd;
		// A newline at its beginning ends a line that has been written, or was counted before.
		const first = block.bytes[block.from] === NEWLINE ? block.from + 1 : block.from;
		for (let at = first; at < end; at++) if (block.bytes[at] === NEWLINE) this.#refused++;
		this.#error = error.code ?? error.message;
		block.from = end;
		this.#batchEnd = 0;
		this.#tellFlushed();
	}

	#later(ms: number): void {
		this.#timer = setTimeout(() => this.#step(), ms).unref();
	}

	#tellLost(): void {
		// While it is that far behind, the next lines are lost soon.
		if (this.#waitingBytes > WAITING_MAX_BYTES / 2) return;
		const before = this.#told;
		if (this.lost === before.tooSlow + before.refused) return;
		this.#told = { tooSlow: this.#tooSlow, refused: this.#refused, error: this.#error };
		this.#recovered({
			tooSlow: this.#tooSlow - before.tooSlow,
			refused: this.#refused - before.refused,
			error: this.#error,
		});
	}

	#tellFlushed(): void {
		for (const resolve of this.#flushed.splice(0)) resolve();
	}
}

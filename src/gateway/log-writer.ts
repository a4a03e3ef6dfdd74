/**
 * Lines to a descriptor that must never hold the gateway: its disk may be full, its reader gone or asleep. Lines wait
 * in a bounded buffer; what finds no room there, and what the kernel refuses, is counted, and nothing waits for it.
 */
import { write } from "node:fs";

/** Lines waiting for a slow reader; beyond that they are lost. */
const WAITING_MAX_BYTES = 16 * 1024 * 1024;

/** What Docker's log driver takes at once: a line within it is not cut in two. A longer line is written alone. */
const BATCH_BYTES = 16 * 1024;

/** A non-blocking pipe that is full is tried again after so long. */
const FULL_PIPE_MS = 50;

/** What refuses lines (a full disk, a reader that is gone) is asked four times a second, not once per line. */
const REFUSED_MS = 250;

/** The end of the process is not put off for longer by a reader that takes nothing. */
const FLUSH_MS = 1_000;

const NOTHING = Buffer.alloc(0);
const NEWLINE = 10;

/** Lines lost since this was told last. */
export interface LostLines {
	/** No room: their reader is too slow. */
	readonly tooSlow: number;
	/** They could not be written. */
	readonly refused: number;
	/** Why the last of those could not. */
	readonly error: string | undefined;
}

export class LogWriter {
	readonly #fd: number;
	readonly #recovered: (lost: LostLines) => void;
	#waiting: string[] = [];
	/** Those before it have been taken. */
	#next = 0;
	#waitingBytes = 0;
	/** What is being written, from where on it still has to be. */
	#batch: Buffer = NOTHING;
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
		const bytes = Buffer.byteLength(line);
		if (this.#waitingBytes + bytes > WAITING_MAX_BYTES) {
			this.#tooSlow++;
			return;
		}
		this.#waiting.push(line);
		this.#waitingBytes += bytes;
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

	#step(): void {
		this.#timer = undefined;
		if (this.#batch.length === 0) this.#takeBatch();
		if (this.#batch.length === 0) {
			this.#tellFlushed();
			return;
		}
		this.#isWriting = true;
		write(this.#fd, this.#batch, this.#written);
	}

	#takeBatch(): void {
		const first = this.#next;
		let bytes = 0;
		while (this.#next < this.#waiting.length) {
			const length = Buffer.byteLength(this.#waiting[this.#next] ?? "");
			if (bytes > 0 && bytes + length > BATCH_BYTES) break;
			bytes += length;
			this.#next++;
		}
		if (bytes === 0) return;
		const text = this.#waiting.slice(first, this.#next).join("");
		this.#waitingBytes -= bytes;
		// Lines that were taken are let go in bulk: moving all others for each would be quadratic.
		if (this.#next * 2 >= this.#waiting.length) {
			this.#waiting = this.#waiting.slice(this.#next);
			this.#next = 0;
		}
		this.#batch = Buffer.from(this.#isTorn ? `\n${text}` : text);
	}

	readonly #written = (error: NodeJS.ErrnoException | null, count: number): void => {
		this.#isWriting = false;
		if (error === null && count > 0) {
			this.#isTorn = this.#batch[count - 1] !== NEWLINE;
			this.#batch = this.#batch.subarray(count);
			const isWhole = this.#batch.length === 0;
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
		for (const byte of this.#batch) if (byte === NEWLINE) this.#refused++;
		// It ends a line that has been written, or was counted before.
		if (this.#batch[0] === NEWLINE) this.#refused--;
		this.#error = error.code ?? error.message;
		this.#batch = NOTHING;
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

/** Reads a pipe in a thread of its own, until a text has come and nothing follows any more; then posts all of it. */
import { readSync } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";

/** What the thread is started with. */
export interface PipeReaderOptions {
	readonly fd: number;
	/** What the last line holds. */
	readonly last: string;
}

/** The pipe is non-blocking, so it is looked at every millisecond; empty for so long, it is empty for good. */
const EMPTY_LOOKS_MAX = 500;

const { fd, last } = workerData as PipeReaderOptions;
const pause = new Int32Array(new SharedArrayBuffer(4));
const buffer = Buffer.alloc(1 << 20);
const parts: Buffer[] = [];
let seen = false;

for (let emptyLooks = 0; !seen || emptyLooks < EMPTY_LOOKS_MAX; ) {
	try {
		const count = readSync(fd, buffer);
		emptyLooks = 0;
		const part = Buffer.from(buffer.subarray(0, count));
		seen ||= part.includes(last);
		parts.push(part);
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
		emptyLooks++;
		Atomics.wait(pause, 0, 0, 1);
	}
}
parentPort?.postMessage(Buffer.concat(parts).toString());

/** A reactor in a thread of its own that gives datagrams to another one; of those that find no room it tells. */
import { parentPort, workerData } from "node:worker_threads";
import { LOCAL_BYTES, SENDER_BYTES } from "../../../src/kernel/datagrams.js";
import { Strays } from "../../../src/reactor/datagrams/strays.js";

export interface StraysThread {
	readonly buffer: SharedArrayBuffer;
	/** Which thread, in every byte of what it gives; and how many datagrams. */
	readonly mark: number;
	readonly count: number;
	/** To this reactor. */
	readonly to: number;
}

const options = workerData as StraysThread | null;
if (options !== null) {
	const { buffer, mark, count, to } = options;
	const strays = new Strays(buffer);
	const sender = new Uint8Array(SENDER_BYTES).fill(mark);
	const local = new Uint8Array(LOCAL_BYTES).fill(mark);
	const bytes = new Uint8Array(2_048).fill(mark);
	let given = 0;
	for (let number = 0; number < count; number++)
		if (strays.give(to, mark, sender, 0, local, 0, bytes, 0, 1 + (number % 2_048), number % 4)) given++;
	parentPort?.postMessage(given);
}

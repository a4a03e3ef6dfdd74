/** A reactor's end of the journal, in a thread of its own. It says when the reader must be told. */
import { parentPort, workerData } from "node:worker_threads";
import { Journal } from "../../src/reactor/records/journal.js";
import { recordOf, write } from "./journal-records.js";

/** What the thread is started with. */
export interface WriterOptions {
	readonly buffer: SharedArrayBuffer;
	/** Records to write, as fast as there is room. */
	readonly count: number;
	/** Records after which it rests, so that the reader falls asleep; 0: it never does. */
	readonly burst: number;
	/** One Int32: how often there was no room. */
	readonly refusals: SharedArrayBuffer;
}

const { buffer, count, burst, refusals } = workerData as WriterOptions;
const journal = new Journal(buffer);
const refused = new Int32Array(refusals);

for (let id = 0; id < count; id++) {
	const record = recordOf(id);
	while (!write(journal, record, () => parentPort?.postMessage("journal"))) {
		Atomics.add(refused, 0, 1);
		pause();
	}
	if (burst > 0 && id % burst === 0) pause();
}

/** Lets the reader have the processor for a millisecond: nobody notifies. */
function pause(): void {
	Atomics.wait(refused, 0, Atomics.load(refused, 0), 1);
}

/** Profiles of the thread that calls, in the form that Chrome's DevTools open. The inspector's session is in-process: no port is opened. */
import { Session } from "node:inspector";

export class Profiler {
	#session: Session | undefined;

	/** From now on it is noted what the thread does, about a thousand times a second. */
	startCpu(): void {
		this.#session?.disconnect();
		this.#session = new Session();
		this.#session.connect();
		this.#session.post("Profiler.enable");
		this.#session.post("Profiler.start");
	}

	/** What a `.cpuprofile` holds; empty: none was begun. */
	stopCpu(): string {
		let text = "";
		// Of its own thread a session is answered at once.
		this.#session?.post("Profiler.stop", (_, { profile }) => {
			text = JSON.stringify(profile);
		});
		this.#session?.disconnect();
		this.#session = undefined;
		return text;
	}

	/** What a `.heapsnapshot` holds. The thread stands still meanwhile: some 100 ms for 10 MiB of heap. */
	heap(): string {
		const session = new Session();
		session.connect();
		const chunks: string[] = [];
		session.on("HeapProfiler.addHeapSnapshotChunk", ({ params }) => chunks.push(params.chunk));
		session.post("HeapProfiler.takeHeapSnapshot");
		session.disconnect();
		return chunks.join("");
	}
}

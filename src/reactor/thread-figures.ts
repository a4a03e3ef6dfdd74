/** What a reactor's thread tells of itself beside what its reactor counts: its heap, and how long its collector has run. */
import { GCProfiler, getHeapStatistics } from "node:v8";
import { type Counters, scalarIndex } from "./records/counters.js";

/** A look takes 2 µs, and 20 more for each collection since the last one. At rest nothing changes, and nobody looks. */
const LOOK_EVERY_MS = 100;

export class ThreadFigures {
	readonly #counters: Counters;
	/**
	 * The main thread has a PerformanceObserver, which is told of collections by its event loop; a reactor's thread never comes
	 * to its own. This one notes each collection as it happens, and hands all over when it is stopped.
	 */
	readonly #collections = new GCProfiler();
	#dueMs = Number.NEGATIVE_INFINITY;

	constructor(counters: Counters) {
		this.#counters = counters;
		this.#collections.start();
	}

	/** Called in every turn: publishes the figures when it is time. */
	look(nowMs: number): void {
		if (nowMs < this.#dueMs) return;
		this.#dueMs = nowMs + LOOK_EVERY_MS;
		const { used_heap_size: used, external_memory: external } = getHeapStatistics();
		this.#counters.set(HEAP_BYTES, used);
		this.#counters.set(EXTERNAL_BYTES, external);
		this.#counters.add(COLLECTED_MS, this.#takeCollectedMs());
	}

	/** How long collections took since the last look. */
	#takeCollectedMs(): number {
		const { statistics } = this.#collections.stop();
		this.#collections.start();
		let microseconds = 0;
		for (const { cost } of statistics) microseconds += cost;
		return microseconds / 1_000;
	}
}

const HEAP_BYTES = scalarIndex("heapBytes");
const EXTERNAL_BYTES = scalarIndex("externalBytes");
const COLLECTED_MS = scalarIndex("collectedMs");

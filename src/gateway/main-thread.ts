/** What the main thread does besides: how late its loop is, and how long its collector has run. */
import { monitorEventLoopDelay, PerformanceObserver } from "node:perf_hooks";

/** The histogram's own timer: what is later than this is seen. */
const RESOLUTION_MS = 20;

export class MainThread {
	readonly #delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
	readonly #collections: PerformanceObserver;
	#collectedMs = 0;

	constructor() {
		this.#delay.enable();
		this.#collections = new PerformanceObserver((list) => {
			for (const { duration } of list.getEntries()) this.#collectedMs += duration;
		});
		this.#collections.observe({ entryTypes: ["gc"] });
	}

	/** Time that its garbage collector has had. Of a reactor's thread: `reactor/thread-figures.ts`. */
	get collectedSeconds(): number {
		return this.#collectedMs / 1_000;
	}

	/** How much later than it should a timer came at the worst, since this was asked last. */
	takeLongestDelaySeconds(): number {
		const { max } = this.#delay;
		this.#delay.reset();
		// Of an empty histogram the maximum is 0; the timer's own period is no delay.
		return Math.max(0, max / 1e9 - RESOLUTION_MS / 1_000);
	}

	close(): void {
		this.#delay.disable();
		this.#collections.disconnect();
	}
}

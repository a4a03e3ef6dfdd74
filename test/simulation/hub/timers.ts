/** Node's timers, with the clock in the simulation's hands: those of the main thread's half of the hub. */

interface Timer {
	readonly fire: () => void;
	dueMs: number;
	/** Of an interval. */
	readonly everyMs: number | undefined;
}

/** What is called with one does nothing else to it. */
interface Handle extends Timer {
	unref(): Handle;
}

export class SimulatedTimers {
	readonly #timers = new Set<Timer>();
	#nowMs: number;
	readonly #real = { setTimeout, setInterval, clearTimeout, clearInterval };

	constructor(nowMs: number) {
		this.#nowMs = nowMs;
	}

	/** From now on, and until `restore`, whoever asks for a timer gets one of these. */
	install(): void {
		const clear = (timer: Timer | undefined): void => void this.#timers.delete(timer as Timer);
		Object.assign(globalThis, {
			setTimeout: (fire: () => void, ms: number) => this.#add(fire, ms, undefined),
			setInterval: (fire: () => void, ms: number) => this.#add(fire, ms, ms),
			clearTimeout: clear,
			clearInterval: clear,
		});
	}

	restore(): void {
		Object.assign(globalThis, this.#real);
	}

	get count(): number {
		return this.#timers.size;
	}

	#add(fire: () => void, ms: number, everyMs: number | undefined): Handle {
		const timer: Handle = { fire, dueMs: this.#nowMs + ms, everyMs, unref: () => timer };
		this.#timers.add(timer);
		return timer;
	}

	/** Fires what is due, the earliest first. */
	advance(nowMs: number): void {
		for (;;) {
			let first: Timer | undefined;
			for (const timer of this.#timers) if (first === undefined || timer.dueMs < first.dueMs) first = timer;
			if (first === undefined || first.dueMs > nowMs) break;
			this.#nowMs = Math.max(this.#nowMs, first.dueMs);
			if (first.everyMs === undefined) this.#timers.delete(first);
			else first.dueMs = nowMs + first.everyMs;
			first.fire();
		}
		this.#nowMs = nowMs;
	}
}
